"""The event registry: every type of event there is, and what it has in its payload.

A type is declared in `models/bronze/events/*.yml` as a bronze table is in its contract, and dbt
reads it as a source: so landing, the collector, silver and the docs have one list of fields, and a
field without a type and a privacy class is an error here too. A type is declared once per major
version that is read. A name means the same in every type: silver has one column for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from loaders.contracts import CONTRACTS, Column, columns_of, load_contracts, read_tables
from loaders.contracts.checks import (
    COLUMN_META,
    PRIVACY_CLASSES,
    ContractError,
    check_columns,
    check_shape,
    shape_of,
)
from loaders.redaction.secret_words import SecretWords

EVENTS = CONTRACTS / "events"

Version = tuple[int, int, int]

_FIELD_META: dict[str, Any] = {
    "type": "object",
    "properties": {
        # What may never land has no place in a payload: the contract of the table names it.
        "privacy": {"enum": list(PRIVACY_CLASSES[1:])},
        **{
            key: COLUMN_META["properties"][key]
            for key in ("required", "accepted", "min", "max", "aliases")
        },
    },
    "additionalProperties": False,
    "required": ["privacy"],
}
_TYPE_META: dict[str, Any] = {
    "type": "object",
    "properties": {
        "event_type": {"type": "string", "pattern": r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$"},
        "domain": {"type": "string", "pattern": "^[a-z]+$"},
        "version": {"type": "string", "pattern": r"^[1-9][0-9]*\.[0-9]+\.[0-9]+$"},
    },
    "additionalProperties": False,
    "required": ["event_type", "domain", "version"],
}
_SHAPE = shape_of(_TYPE_META, _FIELD_META, ("string", "int64", "float64", "bool"), fewest=0)


@dataclass(frozen=True, slots=True)
class EventType:
    """One major version of a type of event. `version` is the newest of it."""

    event_type: str
    domain: str
    version: Version
    description: str
    fields: tuple[Column, ...]

    @property
    def major(self) -> int:
        return self.version[0]


@dataclass(frozen=True, slots=True)
class Registry:
    """Types of events by name, and of each its major versions."""

    types: dict[str, dict[int, EventType]] = field(default_factory=dict)

    def __iter__(self) -> Iterator[EventType]:
        """Every major version of every type."""
        return (event for majors in self.types.values() for event in majors.values())

    def newest(self, event_type: str) -> int:
        """The major version of an event that says none."""
        return max(self.types[event_type])


@cache
def load_events(folder: Path = EVENTS) -> Registry:
    """Read the registry. Raises ContractError, which names file, type and field."""
    types: dict[str, dict[int, EventType]] = {}
    names: dict[str, Column] = {}
    for path in sorted(folder.glob("*.yml")):
        for table in read_tables(path):
            event = _event(path.name, table)
            where = f"{path.name}: table {table['name']}"
            majors = types.setdefault(event.event_type, {})
            if event.major in majors:
                raise ContractError(
                    f"{where}: {event.event_type} is declared twice with major version "
                    f"{event.major}. Keep one."
                )
            majors[event.major] = event
            for column in event.fields:
                _check_meaning(f"{where}, column {column.name}", column, names)
    return Registry({name: dict(sorted(majors.items())) for name, majors in sorted(types.items())})


def _event(file: str, table: dict[str, Any]) -> EventType:
    check_shape(file, table, _SHAPE)
    meta = table["config"]["meta"]
    major, minor, patch = map(int, meta["version"].split("."))
    name = meta["event_type"].replace(".", "_")
    if table["name"] not in (name, f"{name}_v{major}"):
        raise ContractError(
            f"{file}: table {table['name']}: call it {name}, or {name}_v{major}, as its event_type."
        )
    check_columns(file, table, _misplaced)
    return EventType(
        event_type=meta["event_type"],
        domain=meta["domain"],
        version=(major, minor, patch),
        description=table["description"].strip(),
        fields=columns_of(table),
    )


def _misplaced(column: dict[str, Any]) -> Iterator[str]:
    if SecretWords().is_secret(column["name"]):
        yield "has the name of a secret, whose values are cut. Choose another."
    if column["name"].endswith("_key"):
        yield "ends like a pseudonym of silver. Choose another name."
    for contract in load_contracts().values():
        taken = {name for c in contract.columns for name in (c.name, c.name.removesuffix("_id"))}
        if contract.payload and column["name"] in taken:
            yield f"is a column of {contract.table}. Choose another name, or send it there."


def _check_meaning(where: str, column: Column, names: dict[str, Column]) -> None:
    """Whether a spelling is that of one field only, of one type and one privacy class."""
    for spelling in column.spellings:
        known = names.setdefault(spelling.lower(), column)
        if known.name != column.name:
            raise ContractError(f"{where}: {spelling} is also {known.name}. Choose another name.")
        for what in ("data_type", "privacy"):
            before, now = getattr(known, what), getattr(column, what)
            if before != now:
                raise ContractError(
                    f"{where}: {what} is {now} here and {before} elsewhere. "
                    "A name means one thing: choose another, or make them agree."
                )
