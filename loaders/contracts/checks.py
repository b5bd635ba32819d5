"""What a contract may say: its shape as a JSON schema, and what must hold between its parts.

`CONTRACT` is the one list of the keys that `models/bronze/*.yml` may use below `config.meta`, with
their types. The checks raise ContractError, which names file, table and, where one is at fault,
column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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

COLUMN_META: dict[str, Any] = {
    "type": "object",
    "properties": {
        "privacy": {"enum": list(PRIVACY_CLASSES)},
        "required": _FLAG,
        "required_unless": {**_WORDS, "minItems": 2},
        "vocabulary": {"enum": sorted(read_vocabulary())},
        "unknown": {"type": "string"},
        "accepted": _WORDS,
        "min": {"type": "number"},
        "max": {"type": "number"},
        "structured": _FLAG,
        "json": {"enum": ["object", "list"]},
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
        "payload": _NAME,
        "partition_by": {"enum": ["ingest_date"]},
        "cluster_by": _WORDS,
        "retention_days": {"type": "integer", "minimum": 1},
        "lock_days": {"type": "integer", "minimum": 1},
        "silver": _NAME,
        "duplicates": _NAME,
        "explains": _NAME,
        "reference": _FLAG,
    },
    "additionalProperties": False,
    "required": ["key", "event_time", "retention_days"],
}
_DESCRIPTION = {"type": "string", "pattern": r"\S"}


def shape_of(
    table_meta: dict[str, Any], column_meta: dict[str, Any], data_types: Sequence[str], fewest: int
) -> dict[str, Any]:
    """The JSON schema of a table of a dbt source: what its `config.meta` and its columns may say.

    `fewest` is how many columns it has at least.
    """
    column = {
        "type": "object",
        "properties": {
            "name": _NAME,
            "description": _DESCRIPTION,
            "data_type": {"enum": list(data_types)},
            "config": {
                "type": "object",
                "properties": {"meta": column_meta},
                "required": ["meta"],
            },
        },
        "required": ["name", "description", "data_type", "config"],
    }
    return {
        "type": "object",
        "properties": {
            "name": _NAME,
            "description": _DESCRIPTION,
            "config": {"type": "object", "properties": {"meta": table_meta}, "required": ["meta"]},
            "columns": {"type": "array", "items": column, "minItems": fewest},
        },
        "required": ["name", "description", "config", *(["columns"] if fewest else [])],
    }


CONTRACT = shape_of(_TABLE_META, COLUMN_META, DATA_TYPES, fewest=1)


class ContractError(AssayError):
    """A contract that cannot be trusted. Names file, table and column."""


def check_shape(file: str, table: Any, shape: dict[str, Any] = CONTRACT) -> None:
    """Whether a table of a dbt source has the shape. Raises ContractError."""
    errors = list(Draft202012Validator(shape).iter_errors(table))
    if not errors:
        return
    # The first place; there, a key that is not known explains one that is missing.
    error = min(errors, key=lambda e: ([str(part) for part in e.absolute_path], e.validator))
    path = list(error.absolute_path)
    where = f"{file}: table {_name(table)}"
    if path[:1] == ["columns"] and len(path) > 1:
        where += f", column {_name(table['columns'][path[1]])}"
        column = shape["properties"]["columns"]["items"]["properties"]
        raise ContractError(f"{where}: {_reason_of_column(error, path[2:], column)}")
    meta = shape["properties"]["config"]["properties"]["meta"]
    raise ContractError(f"{where}: {_reason(error, path, meta['required'])}")


def check_sense(file: str, table: dict[str, Any]) -> None:
    """Whether what a contract of the right shape says can all be true. Raises ContractError."""
    where = f"{file}: table {table['name']}"
    meta = table["config"]["meta"]
    names = [column["name"] for column in table["columns"]]
    for key in ("key", "event_time", "overflow", "payload", "subject", "cluster_by"):
        pointed = meta.get(key, [])
        for name in [pointed] if isinstance(pointed, str) else pointed:
            if name not in names:
                raise ContractError(
                    f"{where}, column {name}: named in meta, but not declared. "
                    f"Declare it, or mend meta.{key}."
                )
    for column in table["columns"]:
        other = column["config"]["meta"].get("required_unless", names)[0]
        if other not in names:
            raise ContractError(
                f"{where}, column {column['name']}: required_unless names {other}, which is not "
                "declared."
            )
    if meta.get("reference") and "silver" in meta:
        raise ContractError(
            f"{where}: meta.reference is for tables that hold no events, and meta.silver names the "
            "model of events. Keep one."
        )
    if meta.get("lock_days", 0) > meta["retention_days"]:
        raise ContractError(
            f"{where}: meta.retention_days is shorter than lock_days, in which nothing may be "
            "deleted. Keep rows for longer."
        )
    if "payload" in meta and not {"event_type", "schema_version"} <= set(names):
        raise ContractError(
            f"{where}: meta.payload needs the columns event_type and schema_version beside it."
        )
    check_columns(file, table, lambda column: _roles(column, meta))


def check_columns(
    file: str, table: dict[str, Any], more: Callable[[dict[str, Any]], Iterator[str]]
) -> None:
    """Whether what each column says can be true; `more` is what else may be wrong with one."""
    names = [column["name"] for column in table.get("columns", [])]
    for column in table.get("columns", []):
        name = column["name"]
        twice = ["declared twice. Keep one."] if names.count(name) > 1 else []
        for reason in (*twice, *_contradictions(column), *more(column)):
            raise ContractError(f"{file}: table {table['name']}, column {name}: {reason}")


def _contradictions(column: dict[str, Any]) -> Iterator[str]:
    meta, data_type = column["config"]["meta"], column["data_type"]
    if data_type not in ("int64", "float64") and {"min", "max"} & set(meta):
        yield f"min and max are for numbers, not for {data_type}."
    if data_type != "string":
        for key in ("accepted", "vocabulary", "structured"):
            if meta.get(key):
                yield f"{key} is for strings, not for {data_type}."
    if meta.get("min", float("-inf")) > meta.get("max", float("inf")):
        yield "min is greater than max, so that no value is accepted."
    if "json" in meta and not meta.get("structured"):
        yield "has json, and is not structured. Say structured: true."
    if "accepted" in meta and "vocabulary" in meta:
        yield "has a vocabulary and accepted words. Keep one."
    if meta.get("required") and "required_unless" in meta:
        yield "is required, and required_unless something. Keep one."


def _roles(column: dict[str, Any], table_meta: dict[str, Any]) -> Iterator[str]:
    """What contradicts the column's part in its table."""
    meta, name, data_type = column["config"]["meta"], column["name"], column["data_type"]
    for role in ("key", "event_time"):
        if table_meta[role] == name and meta["privacy"] == "never":
            yield f"is the {role}, and may never land. Choose another."
    if table_meta.get("payload") == name and not meta.get("structured"):
        yield "is the payload, and not structured. Say structured: true."
    if table_meta["event_time"] == name and data_type != "timestamp":
        yield f"is the event_time, and no timestamp but {data_type}."
    if meta.get("retired"):
        if meta.get("required"):
            yield "is retired and required. Drop required: nobody may send it any more."
        if name in (table_meta["key"], table_meta["event_time"], table_meta.get("overflow")):
            yield "is retired, and the table's key, event_time or overflow. Choose another first."


def _reason_of_column(error: Any, path: list[Any], column: dict[str, Any]) -> str:
    is_unknown = error.validator == "additionalProperties"
    if not is_unknown and _key(error, path) in ("config", "meta", "privacy"):
        classes = column["config"]["properties"]["meta"]["properties"]["privacy"]["enum"]
        return f"needs a privacy class, one of {', '.join(classes)}. Nothing lands without one."
    if _key(error, path) == "data_type":
        return f"data_type must be one of {', '.join(column['data_type']['enum'])}."
    return _reason(error, path, ("privacy",))


def _reason(error: Any, path: list[Any], needed: Sequence[str]) -> str:
    """Say in a sentence what an error of the schema means, and what to do."""
    key = _key(error, path)
    if error.validator == "required" and key in ("config", "meta", *needed):
        missing = key if key in needed else needed[0]
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
