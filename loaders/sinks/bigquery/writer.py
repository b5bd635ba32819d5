"""Google's client of the Storage Write API, and the connections that are open through it.

`AppendRowsStream` of the same library is not used: where it cannot open a connection it does not
say why, and it starts threads and sleeps for each. Here a connection is one call: requests go out
from a queue, answers are read by whoever waits for them.
"""

from __future__ import annotations

import os
import queue
import time
from collections import deque
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import grpc
from google.api_core import exceptions
from google.api_core.retry import Retry
from google.cloud.bigquery_storage_v1 import types
from google.cloud.bigquery_storage_v1.services.big_query_write import BigQueryWriteClient
from google.cloud.bigquery_storage_v1.services.big_query_write.transports import (
    BigQueryWriteGrpcTransport,
)

from loaders.errors import AssayError
from loaders.sinks.bigquery.errors import Call, has_ended, is_passing
from loaders.sinks.bigquery.service import EMULATOR, retry_seconds

# Named like STORAGE_EMULATOR_HOST_GRPC, by which Google's libraries find another emulator's gRPC.
EMULATOR_GRPC = "BIGQUERY_EMULATOR_HOST_GRPC"

_REQUEST_SECONDS = 60.0
_IDLE_SECONDS = 60.0  # BigQuery itself ends a connection after ten minutes
_LIFE_SECONDS = 120.0  # of a connection, after which another is opened: no answer takes longer
_IN_FLIGHT_BYTES = 16 << 20


class Writer:
    """A client, with one connection per stream."""

    def __init__(self, client: BigQueryWriteClient) -> None:
        self._client = client
        self._connections: dict[str, _Connection] = {}

    def begin(self, project: str, dataset: str, table: str) -> str:
        """The name of a new stream, whose rows can be read as soon as they are acknowledged."""
        made = self._client.create_write_stream(
            parent=f"projects/{project}/datasets/{dataset}/tables/{table}",
            write_stream=types.WriteStream(type_=types.WriteStream.Type.COMMITTED),
            retry=_retry(),
            timeout=_REQUEST_SECONDS,
        )
        return str(made.name)

    def end(self, stream: str) -> int | None:
        """End a stream: how many rows it has, now and for ever; None where it cannot be asked."""
        self.close(stream)
        try:
            ended = self._client.finalize_write_stream(
                name=stream, retry=_retry(), timeout=_REQUEST_SECONDS
            )
        except exceptions.GoogleAPICallError as error:
            if has_ended(error):
                return None
            raise
        return int(ended.row_count)

    def append(self, stream: str, requests: Iterable[types.AppendRowsRequest]) -> Iterator[None]:
        """Send requests, several at a time, and yield once for each that is acknowledged, in order.

        Raises GoogleAPICallError for the first that is not, and forgets those behind it.
        """
        connection = self._connections.get(stream)
        if connection is None or not connection.is_usable:
            self.close(stream)
            connection = self._connections[stream] = _Connection(self._client, stream)
        try:
            yield from connection.exchange(requests)
        except BaseException:  # answers may be on their way that nobody waits for
            self.close(stream)
            raise

    def close(self, stream: str) -> None:
        """Close the connection of a stream, if there is one."""
        if connection := self._connections.pop(stream, None):
            connection.close()


class _Connection:
    """One call of AppendRows. It ends by itself when nothing was sent for a while."""

    def __init__(self, client: BigQueryWriteClient, stream: str) -> None:
        self._client, self._stream = client, stream
        self._outgoing: queue.SimpleQueue[types.AppendRowsRequest | None] = queue.SimpleQueue()
        self._answers: Any = None  # the call, once something was sent
        self._began = self._used = time.monotonic()

    @property
    def is_usable(self) -> bool:
        now = time.monotonic()
        return now - self._began < _LIFE_SECONDS and now - self._used < _IDLE_SECONDS / 2

    def exchange(self, requests: Iterable[types.AppendRowsRequest]) -> Iterator[None]:
        in_flight: deque[int] = deque()
        for request in requests:
            size = len(request.arrow_rows.rows.serialized_record_batch)
            while in_flight and sum(in_flight) + size > _IN_FLIGHT_BYTES:
                self._acknowledged()
                in_flight.popleft()
                yield
            self._outgoing.put(request)
            in_flight.append(size)
        for _ in in_flight:
            self._acknowledged()
            yield

    def close(self) -> None:
        self._outgoing.put(None)
        if self._answers is not None:
            self._answers.cancel()

    def _acknowledged(self) -> None:
        """Wait for the next answer."""
        if self._answers is None:
            # A call is routed to where the dataset is by this header.
            metadata = [("x-goog-request-params", f"write_stream={self._stream}")]
            self._answers = self._client.append_rows(
                self._requests(),
                retry=None,
                timeout=_LIFE_SECONDS + _REQUEST_SECONDS,
                metadata=metadata,
            )
        answer = next(self._answers, None)
        self._used = time.monotonic()
        if answer is None:
            raise exceptions.Aborted("The connection was closed")
        if answer.error.code:
            raise exceptions.from_grpc_status(
                answer.error.code,
                answer.error.message,
                details=list(answer.error.details),
                response=answer,
            )

    def _requests(self) -> Iterator[types.AppendRowsRequest]:
        """What is to be sent; the end of it closes the call."""
        try:
            while (request := self._outgoing.get(timeout=_IDLE_SECONDS)) is not None:
                yield request
        except queue.Empty:
            return


def writer_of(call: Call) -> Writer:
    """The writer of this process. Raises AssayError where an emulator is named by half."""
    emulator, rest = os.environ.get(EMULATOR_GRPC, ""), os.environ.get(EMULATOR, "")
    if bool(emulator) != bool(rest):
        raise AssayError(
            f"BigQuery, {call.place}: {EMULATOR} and {EMULATOR_GRPC} name the two ports of one "
            f"emulator. Set both, or none of them. {call.outcome}"
        )
    return _writer(emulator)


@cache
def _writer(emulator: str) -> Writer:
    """A writer, one per process: its client keeps credentials and connections."""
    if not emulator:
        return Writer(BigQueryWriteClient())
    channel = grpc.insecure_channel(emulator)
    return Writer(BigQueryWriteClient(transport=BigQueryWriteGrpcTransport(channel=channel)))


def _retry() -> Retry:
    return Retry(predicate=is_passing, initial=0.1, maximum=10.0, timeout=retry_seconds())
