"""Reading the files of load jobs, and holding them against the table they go to."""

from __future__ import annotations

import gzip
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from .errors import ServiceError
from .googlesql import Rows
from .values import encode_rows, from_json, from_text, to_column, type_name
from .warehouse import Table, TableName

_GZIP = b"\x1f\x8b"


def read_file(data: bytes, load: dict[str, Any], table: Table | None, name: TableName) -> Table:
    """The table that a load job's file is: its schema and its rows.

    The schema is the job's own, else the file's where the format has one, else the table's.
    """
    if data.startswith(_GZIP):
        data = gzip.decompress(data)
    fields = load.get("schema", {}).get("fields") or (table.fields if table else None)
    source_format = load.get("sourceFormat", "CSV")
    if source_format == "PARQUET":
        return _read_parquet(data, load, name)
    if fields is None:
        raise _invalid(f"No schema specified on job or table: {name}")
    readers = {"CSV": _read_csv, "NEWLINE_DELIMITED_JSON": _read_json}
    if source_format not in readers:
        raise ServiceError("notImplemented", f"The stand-in does not load {source_format}")
    read = Table.empty(fields)
    read.replace_rows(encode_rows(read.rows.columns, readers[source_format](data, load, fields)))
    return read


def arrow_table(data: pa.Table) -> Table:
    """An Arrow table as a table of the warehouse, lists read as repeated fields."""
    fields = [_field(f, list_inference=True) for f in data.schema]
    table = Table.empty(fields)
    table.rows = _encode_arrow(data, table)
    return table


def check_schema(read: Table, table: Table, name: TableName, load: dict[str, Any]) -> None:
    """A file's schema must be the table's, but for what the job allows to change.

    Where the job gives no schema, a column that may be null in the file does not fit one that is
    required in the table.
    """
    allowed = set(load.get("schemaUpdateOptions", []))
    known = {f["name"].lower(): f for f in table.fields}
    given = {f["name"].lower(): f for f in read.fields}
    mismatch = f"Provided Schema does not match Table {name}."
    for key, field in given.items():
        if key not in known:
            if "ALLOW_FIELD_ADDITION" not in allowed:
                raise _invalid(f"{mismatch} Cannot add fields (field: {field['name']})")
            if field.get("mode") == "REQUIRED":
                message = f"Cannot add required fields to an existing schema. (field: {key})"
                raise _invalid(f"{mismatch} {message}")
            continue
        wanted, offered = (to_column(f).type for f in (known[key], field))
        if wanted != offered:
            raise _invalid(
                f"{mismatch} Field {field['name']} has changed type "
                f"from {type_name(wanted)} to {type_name(offered)}"
            )
        relaxed = known[key].get("mode") == "REQUIRED" and field.get("mode") != "REQUIRED"
        if relaxed and "ALLOW_FIELD_RELAXATION" not in allowed:
            raise _invalid(
                f"{mismatch} Field {field['name']} has changed mode from REQUIRED to NULLABLE"
            )
    for key, field in known.items():
        if field.get("mode") == "REQUIRED" and key not in given:
            raise _invalid(f"{mismatch} Field {field['name']} is missing in new schema")


def _read_csv(
    data: bytes, load: dict[str, Any], fields: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """An empty value is null, unless it is in quotes."""
    names = [field["name"] for field in fields]
    try:
        read = pa.csv.read_csv(
            io.BytesIO(data),
            pa.csv.ReadOptions(column_names=names, skip_rows=int(load.get("skipLeadingRows") or 0)),
            pa.csv.ParseOptions(
                delimiter=load.get("fieldDelimiter") or ",",
                newlines_in_values=bool(load.get("allowQuotedNewlines")),
            ),
            pa.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=[load.get("nullMarker") or ""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        if "Empty CSV" in str(error):
            return []
        raise _unreadable(str(error)) from None
    columns = {field["name"]: to_column(field).type for field in fields}
    rows = read.to_pylist()
    for place, row in enumerate(rows, 1):
        for name, text in row.items():
            try:
                row[name] = None if text is None else from_text(text, columns[name])
            except (ValueError, ArithmeticError):
                kind = type_name(columns[name])
                raise _unreadable(
                    f"Could not parse '{text}' as {kind} for field {name} in row {place}"
                ) from None
    return rows


def _read_json(
    data: bytes, load: dict[str, Any], fields: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    lines = (line for line in data.decode().splitlines() if line.strip())
    unknown_ignored = bool(load.get("ignoreUnknownValues"))
    return [json_row(json.loads(line), fields, unknown_ignored) for line in lines]


def json_row(
    row: dict[str, Any], fields: list[dict[str, Any]], unknown_ignored: bool = False
) -> dict[str, Any]:
    """A row of JSON in Python's values."""
    columns = {field["name"].lower(): to_column(field) for field in fields}
    made = {}
    for name, value in row.items():
        if name.lower() not in columns:
            if unknown_ignored:
                continue
            raise _invalid(f"no such field: {name}.")
        column = columns[name.lower()]
        try:
            made[column.name] = from_json(value, column.type)
        except (ValueError, KeyError, ArithmeticError, TypeError, AttributeError):
            kind = type_name(column.type)
            raise _unreadable(f"Could not convert value to {kind}. Field: {name}") from None
    return made


def _read_parquet(data: bytes, load: dict[str, Any], name: TableName) -> Table:
    """A Parquet file under the job's schema, which must have its types, or under its own."""
    read = pa.parquet.read_table(io.BytesIO(data))
    inference = bool(load.get("parquetOptions", {}).get("enableListInference"))
    own = [_field(field, inference) for field in read.schema]
    asked = load.get("schema", {}).get("fields")
    table = Table.empty(asked or own)
    if asked:
        file_columns = {field["name"].lower(): to_column(field) for field in own}
        for field in asked:
            column = file_columns.get(field["name"].lower())
            if column and column.type != to_column(field).type:
                raise _unreadable(
                    f"Parquet column '{column.name}' has type {type_name(column.type)} which does "
                    f"not match the target cpp_type {type_name(to_column(field).type)}"
                )
            if column is None and field.get("mode") == "REQUIRED":
                raise _unreadable(f"Required column '{field['name']}' is missing in the file")
        known = {field["name"].lower() for field in asked}
        for column in file_columns.values():
            if column.name.lower() not in known:
                raise _invalid(
                    f"Provided Schema does not match Table {name}. "
                    f"Cannot add fields (field: {column.name})"
                )
    rows = read if inference else _lists_as_records(read)
    table.replace_rows(_encode_arrow(rows, table))
    return table


def _lists_as_records(data: pa.Table) -> pa.Table:
    """Columns of lists as the records that Parquet stores: `{"list": [{"element": …}]}`."""
    for place, field in enumerate(data.schema):
        if pa.types.is_list(field.type) or pa.types.is_large_list(field.type):
            item = field.type.value_field.name
            lists = data.column(place).to_pylist()
            records = [
                None if items is None else {"list": [{item: value} for value in items]}
                for items in lists
            ]
            kind = pa.struct([("list", pa.list_(pa.struct([field.type.value_field])))])
            data = data.set_column(place, field.name, pa.array(records, kind))
    return data


def _encode_arrow(data: pa.Table, table: Table) -> Rows:
    """Arrow's rows, encoded. Finer than microseconds is cut off, as BigQuery does."""
    for place, field in enumerate(data.schema):
        if pa.types.is_timestamp(field.type) and field.type.unit == "ns":
            coarser = data.column(place).cast(pa.timestamp("us", field.type.tz), safe=False)
            data = data.set_column(place, field.name, coarser)
    names = {described["name"].lower(): described["name"] for described in table.fields}
    data = data.rename_columns([names.get(name.lower(), name) for name in data.column_names])
    return encode_rows(table.rows.columns, data.to_pylist())


_ARROW_TYPES = [
    (pa.types.is_boolean, "BOOLEAN"),
    (pa.types.is_integer, "INTEGER"),
    (pa.types.is_floating, "FLOAT"),
    (pa.types.is_string, "STRING"),
    (pa.types.is_large_string, "STRING"),
    (pa.types.is_binary, "BYTES"),
    (pa.types.is_large_binary, "BYTES"),
    (pa.types.is_date, "DATE"),
    (pa.types.is_time, "TIME"),
]


def _field(field: pa.Field, list_inference: bool) -> dict[str, Any]:
    """The field that BigQuery makes of a column of a Parquet file.

    A list becomes a repeated field only where the job asks for it: otherwise a record that holds
    the list's items, as the file's own structure has it.
    """
    made = {"name": field.name, "mode": "NULLABLE" if field.nullable else "REQUIRED"}
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        item = _field(kind.value_field, list_inference)
        if list_inference:
            return {**item, "name": field.name, "mode": "REPEATED"}
        rows = {"name": "list", "type": "RECORD", "mode": "REPEATED", "fields": [item]}
        return {**made, "type": "RECORD", "fields": [rows]}
    if pa.types.is_struct(kind):
        parts = [_field(part, list_inference) for part in kind]
        return {**made, "type": "RECORD", "fields": parts}
    if pa.types.is_timestamp(kind):
        return {**made, "type": "TIMESTAMP" if kind.tz else "DATETIME"}
    if pa.types.is_decimal(kind):
        numeric = kind.scale <= 9 and kind.precision - kind.scale <= 29
        return {**made, "type": "NUMERIC" if numeric else "BIGNUMERIC"}
    for is_kind, name in _ARROW_TYPES:
        if is_kind(kind):
            return {**made, "type": name}
    raise _invalid(f"Unsupported type {kind} of column {field.name}")


def _invalid(message: str) -> ServiceError:
    return ServiceError("invalid", message)


def _unreadable(message: str) -> ServiceError:
    return _invalid(f"Error while reading data, error message: {message}")
