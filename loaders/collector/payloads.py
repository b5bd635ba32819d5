"""The shape of an event as JSON was read in Python: what the registry judges it by."""

from __future__ import annotations

import json
from typing import Any

from loaders.contracts import Contract
from loaders.contracts.events import Registry
from loaders.contracts.fitting import (
    NATURAL,
    NEGATIVE,
    NULL,
    NUMBER,
    TEXT,
    TRUTH,
    Fitting,
    Limits,
    Shape,
)

_INT64 = 1 << 63
_BLANKS = " \t\r\n"  # before an object that is sent as a text
_UNREADABLE = object()


class Payloads:
    """The checks of a table's payload column, made once."""

    def __init__(self, contract: Contract, registry: Registry) -> None:
        self._fitting = Fitting(contract, registry)
        names = ("event_type", "schema_version", contract.payload or "")
        self._spellings = [contract.column(name).spellings for name in names]

    def forbidden(self, value: dict[str, Any]) -> str | None:
        """Why the payload may not be kept, None where it may."""
        payload = self._payload(value)
        pointer = self._fitting.forbidden(payload) if isinstance(payload, dict) else None
        return f"pii_forbidden {pointer}" if pointer else None

    def misfit(self, value: dict[str, Any]) -> str | None:
        """Why the event does not fit the registry, None where it does or where it is not sure."""
        payload = self._payload(value)
        shape = self._shape(value, payload)
        if payload is _UNREADABLE:
            unknown = self._fitting.declared(shape)
            return unknown if isinstance(unknown, str) else None
        return self._fitting.misfit(shape)

    def _shape(self, value: dict[str, Any], payload: Any) -> Shape:
        event_type, version, _ = (_sent(value, names) for names in self._spellings)
        is_object = isinstance(payload, dict)
        fields = payload if is_object else {}
        return Shape(
            event_type=_text(event_type),
            version=_text(version),
            kinds={name: _kind(field) for name, field in fields.items()} if is_object else None,
            beyond=frozenset(
                limits
                for limits in self._fitting.limits
                if isinstance(field := fields.get(limits.name), str | int | float)
                and not _allow(limits, field)
            ),
            too_long=tuple(
                name
                for name in self._fitting.whole_numbers
                if isinstance(field := fields.get(name), int) and field >= _INT64
            ),
        )

    def _payload(self, value: dict[str, Any]) -> Any:
        """The payload, read where it is an object that was sent as a text."""
        sent = _sent(value, self._spellings[2])
        if sent is None or (isinstance(sent, str) and not sent.strip(" ")):
            return {}
        if isinstance(sent, str) and sent.lstrip(_BLANKS).startswith("{"):
            try:
                return json.loads(sent, parse_constant=_no_constant)
            except (ValueError, RecursionError):
                return _UNREADABLE  # landing reads some that Python does not
        return sent


def _sent(value: dict[str, Any], spellings: tuple[str, ...]) -> Any:
    return next((value[name] for name in spellings if value.get(name) is not None), None)


def _kind(field: Any) -> str:
    match field:
        case None:
            return NULL
        case bool():
            return TRUTH
        case str():
            return TEXT
        case int() if 0 <= field < 2 * _INT64:
            return NATURAL
        case int() if -_INT64 <= field < 0:
            return NEGATIVE
        case int() | float():
            return NUMBER
        case _:
            return "JSON"


def _allow(limits: Limits, field: str | float) -> bool:
    """Whether a value is within the limits; one of a kind that has none is refused for its kind."""
    try:
        return limits.allow(_text(field) or "")
    except ValueError:
        return True


def _text(sent: Any) -> str | None:
    """A value as landing has its text."""
    if sent is None or isinstance(sent, str):
        return sent
    return json.dumps(sent)


def _no_constant(_: str) -> None:
    raise ValueError  # NaN and infinities are no JSON
