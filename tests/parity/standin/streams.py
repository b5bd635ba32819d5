"""Streams of the Storage Write API as the service keeps them, and its rules for what they take.

From the reference of `google.cloud.bigquery.storage.v1` and the page on supported data types. What
these leave open is as unkind as it can be: a finalized stream does not say its rows again, and an
older connection to a stream is ended by a newer one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
import pyarrow as pa
from google.cloud.bigquery_storage_v1 import types
from google.protobuf.any_pb2 import Any as Detail
from google.rpc.status_pb2 import Status

from .googlesql import Rows
from .values import encode_rows
from .warehouse import Table, TableName

COMMITTED, PENDING = types.WriteStream.Type.COMMITTED, types.WriteStream.Type.PENDING
_MOST_BYTES = 10_000_000

# Arrow types that a column of BigQuery takes.
_TAKES: dict[str, Callable[[pa.DataType], bool]] = {
    "BOOLEAN": pa.types.is_boolean,
    "BYTES": pa.types.is_binary,
    "DATE": pa.types.is_date32,
    "FLOAT": pa.types.is_float64,
    "INTEGER": pa.types.is_int64,
    "JSON": pa.types.is_string,
    "STRING": pa.types.is_string,
    "TIMESTAMP": lambda kind: pa.types.is_timestamp(kind) and kind.unit == "us",
}


class Refusal(Exception):
    """What is refused: a status of gRPC, with the service's own code and what is wrong with rows.

    It is the answer to one request, or, with `ends_call`, the end of the connection.
    """

    def __init__(
        self,
        code: str,
        message: str,
        storage_code: str = "",
        rows: Sequence[types.RowError] = (),
        ends_call: bool = True,
    ) -> None:
        super().__init__(message)
        self.rows, self.ends_call = rows, ends_call
        self.status = Status(code=grpc.StatusCode[code].value[0], message=message)
        if storage_code:
            error = types.StorageError(
                code=types.StorageError.StorageErrorCode[storage_code], error_message=message
            )
            detail = Detail()
            detail.Pack(types.StorageError.pb(error))
            self.status.details.append(detail)


@dataclass
class Stream:
    """A stream of a table. `held` are rows that are not committed yet, of a pending one."""

    name: str
    kind: types.WriteStream.Type
    table: TableName
    table_created: int
    rows: int = 0
    is_final: bool = False
    is_gone: bool = False
    is_committed: bool = False
    held: list[Any] = field(default_factory=list)
    connection: object = None

    def check_open(self) -> None:
        """Refuse what comes after the end."""
        if self.is_gone:
            raise not_found(self.name)
        if self.is_final:
            message = f"Stream has been finalized and cannot be appended. Entity: {self.name}"
            raise Refusal("INVALID_ARGUMENT", message, "STREAM_FINALIZED")

    def check_offset(self, offset: int | None) -> None:
        """Rows are appended at the end, and nowhere else."""
        if offset is None or offset == self.rows:
            return
        said = f"expected offset {self.rows}, received {offset}. Entity: {self.name}"
        if offset < self.rows:
            message = f"The offset is within stream, {said}"
            raise Refusal("ALREADY_EXISTS", message, "OFFSET_ALREADY_EXISTS", ends_call=False)
        message = f"The offset is beyond stream, {said}"
        raise Refusal("OUT_OF_RANGE", message, "OFFSET_OUT_OF_RANGE", ends_call=False)


def not_found(stream: str) -> Refusal:
    """A stream that is not there."""
    message = f"Requested entity was not found. Entity: {stream}"
    return Refusal("NOT_FOUND", message, "STREAM_NOT_FOUND")


def read_rows(request: types.AppendRowsRequest, schema: bytes, table: Table) -> Rows:
    """The rows of a request, if the table takes them."""
    size = types.AppendRowsRequest.pb(request).ByteSize()
    if size > _MOST_BYTES:
        raise Refusal("INVALID_ARGUMENT", f"Request is too large: {size} bytes")
    if not schema:
        raise Refusal("INVALID_ARGUMENT", "The first request of a connection has no writer schema")
    shape = pa.ipc.read_schema(pa.py_buffer(schema))
    _check_schema(shape, table)
    content = pa.py_buffer(request.arrow_rows.rows.serialized_record_batch)
    batch = pa.ipc.read_record_batch(content, shape)
    batch.validate(full=True)
    rows = batch.to_pylist()
    errors = [
        types.RowError(index=n, code=types.RowError.RowErrorCode.FIELDS_ERROR, message=message)
        for n, row in enumerate(rows)
        if (message := _fault_of(row, table))
    ]
    if errors:
        message = f"Errors found while processing rows: {errors[0].message}"
        raise Refusal("INVALID_ARGUMENT", message, rows=errors, ends_call=False)
    return encode_rows(table.rows.columns, rows)


def _check_schema(schema: pa.Schema, table: Table) -> None:
    known = {column["name"].lower(): column for column in table.fields}
    for column in schema:
        if column.name.lower() not in known:
            message = f"Input schema has more fields than BigQuery schema: {column.name}"
            raise Refusal("INVALID_ARGUMENT", message, "SCHEMA_MISMATCH_EXTRA_FIELDS")
        kind = known[column.name.lower()]["type"]
        if not _TAKES[kind](column.type):
            message = f"Arrow type {column.type} of field {column.name} is not for {kind}"
            raise Refusal("INVALID_ARGUMENT", message)


def _fault_of(row: dict[str, Any], table: Table) -> str:
    """What is wrong with a row, in words that quote it."""
    for column in table.fields:
        value = row.get(column["name"])
        if value is None and column.get("mode") == "REQUIRED":
            return f"Field {column['name']} is required and missing in {row}"
        if value is not None and column["type"] == "JSON":
            try:
                json.loads(value)
            except ValueError:
                return f"Field {column['name']}: {value} is not JSON"
    return ""
