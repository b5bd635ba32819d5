"""Whether an event fits the registry: one answer, for landing and for the collector.

An event is judged by its shape: its type and version, the kind of value that each field of its
payload has, and which of them are beyond their limits. There are few shapes, however many events.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from loaders.contracts import Column, Contract
from loaders.contracts.events import EventType, Registry

# Kinds of values, as DuckDB's json_structure calls them.
NULL, TEXT, TRUTH, NATURAL, NEGATIVE, NUMBER = (
    *("NULL", "VARCHAR", "BOOLEAN", "UBIGINT", "BIGINT", "DOUBLE"),
)
_FITTING = {
    "string": (TEXT, NATURAL, NEGATIVE),  # an id may be a number
    "int64": (NATURAL, NEGATIVE),
    "float64": (NATURAL, NEGATIVE, NUMBER),
    "bool": (TRUTH,),
}
T = TypeVar("T")

_VERSION = re.compile(r"([0-9]{1,9})(\.[0-9]+){0,2}")


@dataclass(frozen=True, slots=True)
class Limits:
    """The values that a field takes, as it is spelled in a payload."""

    name: str
    accepted: tuple[str, ...]
    min: float | None
    max: float | None

    def allow(self, text: str) -> bool:
        if self.accepted:
            return text in self.accepted
        number = float(text)
        is_enough = self.min is None or number >= self.min
        return is_enough and (self.max is None or number <= self.max)


@dataclass(frozen=True, slots=True)
class Shape:
    """What an event is judged by.

    `kinds` has the kind of each field of the payload, as it is spelled there; it is None where the
    payload is no object. `beyond` has the limits that are not kept, and `too_long` the names of
    whole numbers that 64 bits do not hold. `has_repeats` says that a name is there twice.
    """

    event_type: str | None
    version: str | None
    kinds: dict[str, Any] | None
    beyond: frozenset[Limits] = frozenset()
    too_long: tuple[str, ...] = ()
    has_repeats: bool = False


class Fitting:
    """The registry as judge of the payload column of a table."""

    def __init__(self, contract: Contract, registry: Registry) -> None:
        self._registry, self._place = registry, f"/{contract.payload}"
        self._never = {
            spelling: column.name
            for column in contract.columns
            if column.privacy == "never"
            for spelling in column.spellings
        }
        sent = [(c, name) for event in registry for c in event.fields for name in c.spellings]
        self.limits = _distinct(_limits(c, name) for c, name in sent if not _kind_tells(c))
        self.whole_numbers = _distinct(name for c, name in sent if c.data_type == "int64")

    def forbidden(self, names: Iterable[str]) -> str | None:
        """The pointer of a field of the payload that may never land, None where there is none."""
        for name in names:
            if name in self._never:
                return f"{self._place}/{self._never[name]}"
        return None

    def misfit(self, shape: Shape) -> str | None:
        """Why the event does not fit: a code and pointers, with spaces between them."""
        event = self.declared(shape)
        if isinstance(event, str):
            return event
        if shape.kinds is None or shape.has_repeats:
            return f"schema_violation {self._place}"
        wrong = sorted(c.name for c in event.fields if not _fits(c, shape, shape.kinds))
        if not wrong:
            return None
        return " ".join(["schema_violation", *(f"{self._place}/{name}" for name in wrong)])

    def declared(self, shape: Shape) -> EventType | str:
        """The declaration that the event is judged by, or why there is none."""
        majors = self._registry.types.get(shape.event_type or "")
        if majors is None:
            return "schema_unknown /event_type"
        return majors.get(self._major(shape), "schema_version_unsupported /schema_version")

    def _major(self, shape: Shape) -> int:
        """The major version that the event says, that of the newest where it says none."""
        said = (shape.version or "").strip(" ")
        if not said:
            return self._registry.newest(shape.event_type or "")
        version = _VERSION.fullmatch(said)
        return int(version[1]) if version else 0


def _distinct(items: Iterable[T]) -> list[T]:
    return list(dict.fromkeys(items))


def _limits(column: Column, spelling: str) -> Limits:
    return Limits(spelling, column.accepted, column.min, column.max)


def _kind_tells(column: Column) -> bool:
    """Whether the kind of a value says all: of a whole number it says whether it is negative."""
    is_bounded = column.min is not None or column.max is not None
    is_natural = column.data_type == "int64" and column.min == 0 and column.max is None
    return not column.accepted and (is_natural or not is_bounded)


def _fits(column: Column, shape: Shape, kinds: dict[str, Any]) -> bool:
    sent = next((name for name in column.spellings if kinds.get(name, NULL) != NULL), None)
    if sent is None:
        return not column.required
    kind = kinds[sent]
    if kind not in _FITTING[column.data_type] or (column.min == 0 and kind == NEGATIVE):
        return False
    if column.data_type == "int64" and sent in shape.too_long:
        return False
    return _limits(column, sent) not in shape.beyond
