"""The Storage Write API: gRPC over the same tables as the REST protocol, with faults on demand."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import grpc
from google.cloud.bigquery_storage_v1 import types
from grpc_status import rpc_status

from .errors import ServiceError
from .googlesql import Rows
from .jobs import Jobs
from .streams import COMMITTED, PENDING, Refusal, Stream, not_found, read_rows
from .warehouse import Table, TableName

_SERVICE = "/google.cloud.bigquery.storage.v1.BigQueryWrite/"
_TABLE = re.compile(r"projects/([^/]+)/datasets/([^/]+)/tables/([^/]+)")
_ROUTED_BY_DEFAULT = "US"
_MOST_CALLS = 32


@dataclass
class _Fault:
    code: str
    left: int
    on: str
    after: bool
    skip: int
    in_answer: bool


@dataclass(frozen=True)
class Append:
    """A request that appended rows."""

    stream: str
    table: TableName
    offset: int | None
    rows: int
    size: int


class Writes(grpc.GenericRpcHandler):
    """The service. `delay` is how many seconds each append takes."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs, self._warehouse = jobs, jobs.warehouse
        self.streams: dict[str, Stream] = {}
        self.appends: list[Append] = []
        self.calls = self.open_calls = 0
        self.delay = 0.0
        self._faults: list[_Fault] = []

    # Faults

    def fail_next(
        self,
        code: str,
        times: int = 1,
        on: str = "AppendRows",
        after: bool = False,
        skip: int = 0,
        in_answer: bool = False,
    ) -> None:
        """Let the next calls of a method, or requests of AppendRows, fail with a status of gRPC.

        `skip` of them pass before; `after` says that it is done all the same, and the answer lost.
        With `in_answer` the connection stays. `SILENCE` is no answer at all.
        """
        self._faults.append(_Fault(code, times, on, after, skip, in_answer))

    def mend(self) -> None:
        """Let no more calls fail."""
        self._faults.clear()
        self.delay = 0.0

    def expire(self, table: str) -> None:
        """Let the streams of a table be gone, as after days without traffic."""
        for stream in self._of(table):
            stream.is_gone = True

    def finalize(self, table: str) -> None:
        """Finalize the streams of a table behind the back of whoever uses them."""
        for stream in self._of(table):
            stream.is_final = True

    def _of(self, table: str) -> list[Stream]:
        return [stream for stream in self.streams.values() if stream.table.table == table]

    # The protocol

    def service(self, handler_call_details: Any) -> Any:
        """The handler of a method, by its full name."""
        name = handler_call_details.method.removeprefix(_SERVICE)
        if name == "AppendRows":
            return grpc.stream_stream_rpc_method_handler(
                self._append_rows, types.AppendRowsRequest.deserialize, _serialized
            )
        methods: dict[str, tuple[Any, Callable[[Any], Any]]] = {
            "CreateWriteStream": (types.CreateWriteStreamRequest, self._create),
            "GetWriteStream": (types.GetWriteStreamRequest, self._get),
            "FinalizeWriteStream": (types.FinalizeWriteStreamRequest, self._finalize),
            "BatchCommitWriteStreams": (types.BatchCommitWriteStreamsRequest, self._commit),
        }
        if name not in methods:
            return None
        request, act = methods[name]

        def answer(given: Any, context: grpc.ServicerContext) -> Any:
            fault = self._fault(name)
            try:
                if fault and not fault.after:
                    raise _told(fault.code)
                with self._jobs.lock:
                    made = act(given)
                if fault:
                    raise _told(fault.code)
            except Refusal as refusal:
                context.abort_with_status(rpc_status.to_status(refusal.status))
            return made

        return grpc.unary_unary_rpc_method_handler(answer, request.deserialize, _serialized)

    def _append_rows(
        self, requests: Iterator[types.AppendRowsRequest], context: grpc.ServicerContext
    ) -> Iterator[types.AppendRowsResponse]:
        name, schema, call = "", b"", object()
        self.calls += 1
        self.open_calls += 1
        context.add_callback(self._closed)
        for number, request in enumerate(requests):
            name = request.write_stream or name
            if number == 0 and name in self.streams:
                self.streams[name].connection = call
            schema = request.arrow_rows.writer_schema.serialized_schema or schema
            fault = self._fault("AppendRows")
            try:
                self._check_route(context, name)
                if fault and not fault.after:
                    raise self._failing(fault, context)
                time.sleep(self.delay)
                with self._jobs.lock:
                    answer = self._append(name, schema, request, call)
                if fault:
                    raise self._failing(fault, context)
            except Refusal as refusal:
                if refusal.ends_call:
                    context.abort_with_status(rpc_status.to_status(refusal.status))
                answer = types.AppendRowsResponse(
                    error=refusal.status, row_errors=refusal.rows, write_stream=name
                )
            yield answer

    def _closed(self) -> None:
        self.open_calls -= 1

    def _failing(self, fault: _Fault, context: grpc.ServicerContext) -> Refusal:
        while fault.code == "SILENCE":
            time.sleep(0.01)
            if not context.is_active():
                return _told("CANCELLED")
        return _told(fault.code, ends_call=not fault.in_answer)

    def _fault(self, method: str) -> _Fault | None:
        for fault in self._faults:
            if fault.left and fault.on == method:
                if fault.skip:
                    fault.skip -= 1
                    return None
                fault.left -= 1
                return fault
        return None

    # The methods

    def _create(self, request: types.CreateWriteStreamRequest) -> types.WriteStream:
        name = _table_of(request.parent)
        kind = request.write_stream.type_
        if kind not in (COMMITTED, PENDING):
            raise Refusal("UNIMPLEMENTED", "The stand-in has committed and pending streams")
        made = Stream(
            f"{request.parent}/streams/{uuid.uuid4().hex}", kind, name, self._table(name).created
        )
        self.streams[made.name] = made
        return self._described(made)

    def _get(self, request: types.GetWriteStreamRequest) -> types.WriteStream:
        return self._described(self._stream(request.name))

    def _finalize(
        self, request: types.FinalizeWriteStreamRequest
    ) -> types.FinalizeWriteStreamResponse:
        stream = self._stream(request.name)
        stream.check_open()
        stream.is_final = True
        return types.FinalizeWriteStreamResponse(row_count=stream.rows)

    def _commit(
        self, request: types.BatchCommitWriteStreamsRequest
    ) -> types.BatchCommitWriteStreamsResponse:
        streams = [self._stream(name) for name in request.write_streams]
        errors = []
        for stream in streams:
            wrong = {
                "INVALID_STREAM_TYPE": stream.kind != PENDING,
                "STREAM_ALREADY_COMMITTED": stream.is_committed,
                "INVALID_STREAM_STATE": not stream.is_final,
            }
            for code in [code for code, is_wrong in wrong.items() if is_wrong][:1]:
                known = types.StorageError.StorageErrorCode[code]
                errors.append(types.StorageError(code=known, entity=stream.name))
        if errors:
            return types.BatchCommitWriteStreamsResponse(stream_errors=errors)
        for stream in streams:
            self._store(self._table(stream.table), stream.held)
            stream.is_committed = True
        return types.BatchCommitWriteStreamsResponse(commit_time=datetime.now(UTC))

    def _append(
        self, name: str, schema: bytes, request: types.AppendRowsRequest, call: object
    ) -> types.AppendRowsResponse:
        stream = self._stream(name)
        stream.check_open()
        if stream.connection is not call:
            raise Refusal("ABORTED", f"Another connection was opened. Entity: {name}")
        offset = request.offset if "offset" in request else None
        table = self._table(stream.table)
        rows = read_rows(request, schema, table)
        stream.check_offset(offset)
        if stream.kind == PENDING:
            stream.held.extend(rows.rows)
        else:
            self._store(table, list(rows.rows))
        size = types.AppendRowsRequest.pb(request).ByteSize()
        self.appends.append(Append(name, stream.table, offset, len(rows), size))
        at, stream.rows = stream.rows, stream.rows + len(rows)
        result = types.AppendRowsResponse.AppendResult(offset=at)
        return types.AppendRowsResponse(append_result=result, write_stream=name)

    def _store(self, table: Table, added: list[Any]) -> None:
        if self._jobs.stores_rows:
            table.replace_rows(Rows.of(table.rows.columns, [*table.rows.rows, *added]))

    def _stream(self, name: str) -> Stream:
        """A stream that is there, as is the table that it was made for."""
        stream = self.streams.get(name)
        if stream is None or stream.is_gone:
            raise not_found(name)
        if self._table(stream.table).created != stream.table_created:
            raise not_found(name)
        return stream

    def _table(self, name: TableName) -> Table:
        try:
            return self._warehouse.table(name)
        except ServiceError as error:
            raise Refusal("NOT_FOUND", error.message, "TABLE_NOT_FOUND") from None

    def _check_route(self, context: grpc.ServicerContext, name: str) -> None:
        """A call goes to where its header says, else to the default location."""
        for header, value in context.invocation_metadata():  # the client adds an empty one
            if header == "x-goog-request-params" and ("write_stream", name) in parse_qsl(value):
                return
        table = _table_of(name)
        dataset = self._warehouse.datasets.get((table.project, table.dataset))
        if dataset is None or dataset.location != _ROUTED_BY_DEFAULT:
            raise not_found(name)

    def _described(self, stream: Stream) -> types.WriteStream:
        dataset = self._warehouse.dataset(stream.table.project, stream.table.dataset)
        return types.WriteStream(name=stream.name, type_=stream.kind, location=dataset.location)


class GrpcServer:
    """The endpoint on this machine: any free port, or the one that it had before."""

    def __init__(self, port: int, writes: Writes) -> None:
        options = [("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", -1)]
        self._server = grpc.server(ThreadPoolExecutor(_MOST_CALLS), [writes], options=options)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        self._server.start()

    def stop(self) -> None:
        """End all calls, and take no more."""
        self._server.stop(grace=None).wait()


def _table_of(path: str) -> TableName:
    found = _TABLE.match(path)
    if not found:
        raise Refusal("INVALID_ARGUMENT", f"Not the name of a table or stream: {path}")
    return TableName(*found.groups())


def _told(code: str, ends_call: bool = True) -> Refusal:
    return Refusal(code, f"The stand-in was told to fail: {code}", ends_call=ends_call)


def _serialized(message: Any) -> bytes:
    return bytes(type(message).serialize(message))
