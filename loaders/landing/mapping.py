"""Mapping files: how a file whose fields have other names fits a contract.

What the keys of a mapping say and hold stands in the schema below.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import yaml
from jsonschema import Draft202012Validator

from loaders.contracts import Column, Contract
from loaders.errors import AssayError
from loaders.home import connect
from loaders.landing.casts import EPOCHS

_EPOCHS = " or ".join(EPOCHS)

_TEXT = {"type": "string", "minLength": 1}
_VALUE = {"type": ["string", "number", "boolean"]}
_CONSTANT = {
    "type": "object",
    "additionalProperties": False,
    "required": ["constant"],
    "properties": {"constant": _VALUE},
}
_AMOUNT = {
    "type": "object",
    "additionalProperties": False,
    "required": ["amount", "exponent"],
    "properties": {
        "amount": _TEXT,
        "exponent": {"type": "integer", "minimum": 0, "maximum": 18},  # as many as 64 bits hold
    },
}
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "rename": {
            "description": "{source field: column, or a list of columns}",
            "type": "object",
            "additionalProperties": {"anyOf": [_TEXT, {"type": "array", "items": _TEXT}]},
        },
        "constants": {
            "description": "{column: value for every row}",
            "type": "object",
            "additionalProperties": _VALUE,
        },
        "payload": {
            "description": (
                "{field of the payload: source field, or {constant: value}, or "
                "{amount: source field, exponent: decimal places of the minor unit}}"
            ),
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"pattern": "^[A-Za-z][A-Za-z0-9_]*$"},
            "additionalProperties": {"anyOf": [_TEXT, _CONSTANT, _AMOUNT]},
        },
        "values": {
            "description": "{column: {value as sent: value to land, or null}}",
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
            },
        },
        "types": {
            "description": "{column: strptime format, or epoch_s, epoch_ms, epoch_us}",
            "type": "object",
            "additionalProperties": _TEXT,
        },
        "timezone": {"description": "zone of times that name none, UTC by default", **_TEXT},
        "event_id_from": {
            "description": "all, or a list of source fields: the key is derived from them",
            "anyOf": [{"const": "all"}, {"type": "array", "items": _TEXT, "minItems": 1}],
        },
        "rows": {
            "description": "source field that says how many equal rows a record stands for",
            **_TEXT,
        },
    },
}
_KEYS = sorted(_SCHEMA["properties"])


@dataclass(frozen=True, slots=True)
class PayloadField:
    """What a field of the payload holds: a constant, as JSON, or what a source field does.

    With an exponent, that is a decimal amount, which becomes a whole number of minor units.
    """

    source: str | None = None
    exponent: int | None = None
    constant: str | None = None


@dataclass(frozen=True, slots=True)
class Mapping:
    """A mapping, checked against its contract. The empty one changes nothing."""

    sources: dict[str, tuple[str, ...]] = field(default_factory=dict)  # column -> source fields
    constants: dict[str, str] = field(default_factory=dict)
    payload: dict[str, PayloadField] = field(default_factory=dict)
    values: dict[str, dict[str, str | None]] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    timezone: str = "UTC"
    event_id_from: tuple[str, ...] | None = None  # () means all fields
    rows: str | None = None
    derived: str | None = None  # the column that event_id_from gives
    filled: str | None = None  # the column that payload gives
    digest: str = ""

    def sources_of(self, column: Column) -> tuple[str, ...]:
        """Fields that may hold a column's value, the mapping's first; none where it gives one."""
        if column.name in self.constants or column.name in (self.derived, self.filled):
            return ()
        return tuple(dict.fromkeys((*self.sources.get(column.name, ()), *column.spellings)))

    def renamed(self) -> frozenset[str]:
        """Source fields that a column takes the place of."""
        return frozenset(name for names in self.sources.values() for name in names)

    def in_payload(self, amounts: bool) -> tuple[str, ...]:
        """Source fields that go into the payload, as amounts or as they are."""
        given = (x for x in self.payload.values() if (x.exponent is not None) == amounts)
        return tuple(x.source for x in given if x.source)

    def others(self) -> tuple[str, ...]:
        """Source fields that are read for something else than to be a column."""
        rows = (self.rows,) if self.rows else ()
        return (*self.in_payload(amounts=True), *self.in_payload(amounts=False), *rows)


def load_mapping(path: Path | None, contract: Contract) -> Mapping:
    """Read a mapping file. Raises AssayError that names the file and the key."""
    if path is None:
        return Mapping()
    given = _read(path)
    sources: dict[str, tuple[str, ...]] = {}
    for source, targets in given.get("rename", {}).items():
        for column in targets if isinstance(targets, list) else [targets]:
            sources[column] = (*sources.get(column, ()), source)
    derived = given.get("event_id_from")
    mapping = Mapping(
        sources=sources,
        constants={column: _text(value) for column, value in given.get("constants", {}).items()},
        payload={name: _payload_field(value) for name, value in given.get("payload", {}).items()},
        values={
            column: {sent: None if w is None else _text(w) for sent, w in words.items()}
            for column, words in given.get("values", {}).items()
        },
        types=given.get("types", {}),
        timezone=given.get("timezone", "UTC"),
        event_id_from=None if derived is None else () if derived == "all" else tuple(derived),
        rows=given.get("rows"),
        derived=None if derived is None else contract.key,
        filled=contract.payload if "payload" in given else None,
        digest=hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest(),
    )
    _check(path.name, mapping, contract)
    return mapping


def _read(path: Path) -> dict[str, Any]:
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise AssayError(f"{path.name}: cannot be read as YAML ({type(error).__name__}).") from None
    given = {} if given is None else given
    if not isinstance(given, dict) or any(key not in _KEYS for key in given):
        raise AssayError(f"{path.name}: knows the keys {', '.join(_KEYS)} and no others.")
    given = {key: _with_texts_as_keys(path.name, key, value) for key, value in given.items()}
    fault = next(Draft202012Validator(_SCHEMA).iter_errors(given), None)
    if fault is not None:
        key = fault.absolute_path[0]
        meaning = _SCHEMA["properties"][key]["description"]
        raise AssayError(
            f"{path.name}: {fault.json_path[2:]} is of the wrong kind. {key}: {meaning}."
        )
    return given


def _with_texts_as_keys(name: str, place: str, value: Any) -> Any:
    """YAML reads some names as something else: true is JSON's, any other must be quoted."""
    if not isinstance(value, dict):
        return value
    if not all(isinstance(key, str | bool) for key in value):
        raise AssayError(f"{name}: {place} has a name that is no text. Quote it.")
    return {_text(key): _with_texts_as_keys(name, place, inner) for key, inner in value.items()}


def _text(value: Any) -> str:
    """A value as JSON would send it."""
    return value if isinstance(value, str) else json.dumps(value)


def _payload_field(given: Any) -> PayloadField:
    if isinstance(given, str):
        return PayloadField(given)
    if "constant" in given:
        return PayloadField(constant=json.dumps(given["constant"]))
    return PayloadField(given["amount"], int(given["exponent"]))


def _check(name: str, mapping: Mapping, contract: Contract) -> None:
    columns = {column.name for column in contract.sent_columns}
    for key in ("sources", "constants", "values", "types"):
        given: dict[str, Any] = getattr(mapping, key)
        label = "rename" if key == "sources" else key
        for column in sorted(set(given) - columns):
            raise AssayError(f"{name}: {label} names {column}, which {contract.table} has not.")
        if mapping.filled in given:
            raise AssayError(f"{name}: payload says what {mapping.filled} is, and {label} too.")
    if mapping.payload and mapping.filled is None:
        raise AssayError(f"{name}: payload is for tables of events, which {contract.table} is not.")
    kinds = {column.name: column.data_type for column in contract.sent_columns}
    for column, kind in mapping.types.items():
        if kinds[column] != "timestamp":
            raise AssayError(f"{name}: types names {column}, which is no time.")
        if kind not in EPOCHS and not _is_format(kind):
            raise AssayError(f"{name}: types of {column} is neither a format nor {_EPOCHS}.")
    try:
        ZoneInfo(mapping.timezone)
    except (KeyError, ValueError, OSError):
        raise AssayError(f"{name}: timezone must be an IANA zone, such as Europe/Lisbon.") from None
    fields = [*mapping.renamed(), *(mapping.event_id_from or ()), *mapping.others()]
    if any('"' in source or "\\" in source for source in fields):
        raise AssayError(f"{name}: a source field must not hold a quote or a backslash.")


def _is_format(kind: str) -> bool:
    """Whether DuckDB knows the format, and it says more than one moment."""
    try:
        with connect() as connection:
            connection.execute("select try_strptime('', ?)", [kind]).fetchall()
    except duckdb.Error:
        return False
    return "%" in kind
