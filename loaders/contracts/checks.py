"""What a contract may say: its shape as a JSON schema, and what must hold between its parts.

`CONTRACT` is the one list of the keys that `models/bronze/*.yml` may use below `config.meta`, with
their types. The checks raise ContractError, which names file, table and, where one is at fault,
column.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator

from loaders.contracts.vocabulary import read_vocabulary
from loaders.errors import AssayError

PRIVACY_CLASSES = (
    "never",
    "direct_identifier",
    "identifier",
    "quasi_identifier",
    "sensitive",
    "safe",
)
DATA_TYPES = ("string", "int64", "float64", "bool", "timestamp", "date", "bytes")

_NAME = {"type": "string", "pattern": "^[a-z][a-z0-9_]*$"}
_WORDS = {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True}
_FLAG = {"type": "boolean"}

_COLUMN_META: dict[str, Any] = {
    "type": "object",
    "properties": {
        "privacy": {"enum": list(PRIVACY_CLASSES)},
        "required": _FLAG,
        "vocabulary": {"enum": sorted(read_vocabulary())},
        "unknown": {"type": "string"},
        "accepted": _WORDS,
        "min": {"type": "number"},
        "max": {"type": "number"},
        "structured": _FLAG,
        "aliases": _WORDS,
        "set_by": {"enum": ["landing"]},
        "since": {"type": "string", "pattern": r"^[0-9]+\.[0-9]+\.[0-9]+$"},
        "retired": _FLAG,
    },
    "additionalProperties": False,
    "required": ["privacy"],
    "dependentRequired": {"unknown": ["vocabulary"]},
}
_TABLE_META: dict[str, Any] = {
    "type": "object",
    "properties": {
        "key": _NAME,
        "event_time": _NAME,
        "subject": _WORDS,
        "overflow": _NAME,
        "partition_by": {"enum": ["ingest_date"]},
        "cluster_by": _WORDS,
        "retention_days": {"type": "integer", "minimum": 1},
        "lock_days": {"type": "integer", "minimum": 1},
        "silver": _NAME,
        "duplicates": _NAME,
    },
    "additionalProperties": False,
    "required": ["key", "event_time", "retention_days"],
}
_DESCRIPTION = {"type": "string", "pattern": r"\S"}
_COLUMN: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": _NAME,
        "description": _DESCRIPTION,
        "data_type": {"enum": list(DATA_TYPES)},
        "config": {
            "type": "object",
            "properties": {"meta": _COLUMN_META},
            "required": ["meta"],
        },
    },
    "required": ["name", "description", "data_type", "config"],
}
CONTRACT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": _NAME,
        "description": _DESCRIPTION,
        "config": {"type": "object", "properties": {"meta": _TABLE_META}, "required": ["meta"]},
        "columns": {"type": "array", "items": _COLUMN, "minItems": 1},
    },
    "required": ["name", "description", "config", "columns"],
}


class ContractError(AssayError):
    """A contract that cannot be trusted. Names file, table and column."""


def check_shape(file: str, table: Any) -> None:
    """Whether a table of a dbt source has the shape of a contract. Raises ContractError."""
    errors = list(Draft202012Validator(CONTRACT).iter_errors(table))
    if not errors:
        return
    # The first place; there, a key that is not known explains one that is missing.
    error = min(errors, key=lambda e: ([str(part) for part in e.absolute_path], e.validator))
    path = list(error.absolute_path)
    where = f"{file}: table {_name(table)}"
    if path[:1] == ["columns"] and len(path) > 1:
        where += f", column {_name(table['columns'][path[1]])}"
        raise ContractError(f"{where}: {_reason_of_column(error, path[2:])}")
    raise ContractError(f"{where}: {_reason(error, path)}")


def check_sense(file: str, table: dict[str, Any]) -> None:
    """Whether what a contract of the right shape says can all be true. Raises ContractError."""
    where = f"{file}: table {table['name']}"
    meta = table["config"]["meta"]
    names = [column["name"] for column in table["columns"]]
    for name in (name for name in names if names.count(name) > 1):
        raise ContractError(f"{where}, column {name}: declared twice. Keep one.")
    for key in ("key", "event_time", "overflow", "subject", "cluster_by"):
        pointed = meta.get(key, [])
        for name in [pointed] if isinstance(pointed, str) else pointed:
            if name not in names:
                raise ContractError(
                    f"{where}, column {name}: named in meta, but not declared. "
                    f"Declare it, or mend meta.{key}."
                )
    if meta.get("lock_days", 0) > meta["retention_days"]:
        raise ContractError(
            f"{where}: meta.retention_days is shorter than lock_days, in which nothing may be "
            "deleted. Keep rows for longer."
        )
    for column in table["columns"]:
        for reason in _contradictions(column, meta):
            raise ContractError(f"{where}, column {column['name']}: {reason}")


def _contradictions(column: dict[str, Any], table_meta: dict[str, Any]) -> Iterator[str]:
    meta = column.get("config", {}).get("meta", {})
    name, data_type = column["name"], column["data_type"]
    if data_type not in ("int64", "float64") and {"min", "max"} & set(meta):
        yield f"min and max are for numbers, not for {data_type}."
    if data_type != "string":
        for key in ("accepted", "vocabulary", "structured"):
            if meta.get(key):
                yield f"{key} is for strings, not for {data_type}."
    if meta.get("min", float("-inf")) > meta.get("max", float("inf")):
        yield "min is greater than max, so that no value is accepted."
    if "accepted" in meta and "vocabulary" in meta:
        yield "has a vocabulary and accepted words. Keep one."
    for role in ("key", "event_time"):
        if table_meta[role] == name and meta["privacy"] == "never":
            yield f"is the {role}, and may never land. Choose another."
    if table_meta["event_time"] == name and data_type != "timestamp":
        yield f"is the event_time, and no timestamp but {data_type}."
    if meta.get("retired"):
        if meta.get("required"):
            yield "is retired and required. Drop required: nobody may send it any more."
        if name in (table_meta["key"], table_meta["event_time"], table_meta.get("overflow")):
            yield "is retired, and the table's key, event_time or overflow. Choose another first."


def _reason_of_column(error: Any, path: list[Any]) -> str:
    is_unknown = error.validator == "additionalProperties"
    if not is_unknown and _key(error, path) in ("config", "meta", "privacy"):
        return (
            f"needs a privacy class, one of {', '.join(PRIVACY_CLASSES)}. "
            "Nothing lands without one."
        )
    if _key(error, path) == "data_type":
        return f"data_type must be one of {', '.join(DATA_TYPES)}."
    return _reason(error, path)


def _reason(error: Any, path: list[Any]) -> str:
    """Say in a sentence what an error of the schema means, and what to do."""
    key = _key(error, path)
    if error.validator == "required" and key in ("config", "meta", *_TABLE_META["required"]):
        missing = key if key in _TABLE_META["required"] else "key"
        return f"meta.{missing} is missing. Add it under config.meta."
    if key == "name":
        return "needs a name, in lower case with underscores."
    if key in ("description", "columns"):
        return f"needs a {key}." if key == "description" else "needs columns."
    if error.validator == "additionalProperties":
        unknown = sorted(set(error.instance) - set(error.schema["properties"]))
        return f"unknown meta key {', '.join(unknown)}."
    return f"{'.'.join(map(str, path)) or 'the entry'}: {error.message}."


def _key(error: Any, path: list[Any]) -> str:
    """The key that is at fault: the missing one, or the one whose value is wrong."""
    if error.validator == "required":
        return str(next(name for name in error.schema["required"] if name not in error.instance))
    return str(path[-1]) if path else ""


def _name(node: Any) -> str:
    name = node.get("name") if isinstance(node, dict) else None
    return name if isinstance(name, str) else "?"
