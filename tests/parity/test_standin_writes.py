"""Streams of the stand-in through Google's own client and its helper, by the vendor's rules."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pyarrow as pa
import pytest
from google.api_core import exceptions
from google.cloud import bigquery
from google.cloud.bigquery import SchemaField
from google.cloud.bigquery_storage_v1 import BigQueryWriteClient, types
from google.cloud.bigquery_storage_v1.services.big_query_write.transports import (
    BigQueryWriteGrpcTransport,
)
from google.cloud.bigquery_storage_v1.writer import AppendRowsStream
from official import Run, client, run, standin
from standin import StandIn

__all__ = ["client", "run", "standin"]  # fixtures

TABLE = "projects/stand-in/datasets/d/tables/t"
COLUMNS = [SchemaField("id", "INTEGER", "REQUIRED"), SchemaField("note", "JSON")]
PATIENCE = 30.0  # seconds, for what is only a question of time


@pytest.fixture
def writes(standin: StandIn, client: bigquery.Client) -> BigQueryWriteClient:
    """A client of streams, and an empty table `d.t`."""
    client.create_table(bigquery.Table("stand-in.d.t", COLUMNS))
    channel = grpc.insecure_channel(standin.grpc_endpoint)
    return BigQueryWriteClient(transport=BigQueryWriteGrpcTransport(channel=channel))


@pytest.fixture
def stream(writes: BigQueryWriteClient) -> Iterator[AppendRowsStream]:
    """A committed stream of `d.t`."""
    made = opened(writes, new_stream(writes))
    yield made
    if made.is_active:
        made.close()


def new_stream(writes: BigQueryWriteClient, kind: str = "COMMITTED", table: str = TABLE) -> str:
    wanted = types.WriteStream(type_=types.WriteStream.Type[kind])
    return str(writes.create_write_stream(parent=table, write_stream=wanted, retry=None).name)


def opened(writes: BigQueryWriteClient, name: str) -> AppendRowsStream:
    return AppendRowsStream(writes, types.AppendRowsRequest(write_stream=name))


def name_of(stream: AppendRowsStream) -> str:
    return str(stream._initial_request_template.write_stream)


def request_of(name: str, offset: int | None, rows: pa.Table) -> types.AppendRowsRequest:
    [batch] = rows.to_batches()
    data = types.AppendRowsRequest.ArrowData(
        writer_schema={"serialized_schema": batch.schema.serialize().to_pybytes()},
        rows={"serialized_record_batch": batch.serialize().to_pybytes()},
    )
    return types.AppendRowsRequest(write_stream=name, offset=offset, arrow_rows=data)


def append(stream: AppendRowsStream, offset: int | None, rows: pa.Table) -> int:
    """Append rows, and give the offset that the service says."""
    answer = stream.send(request_of(name_of(stream), offset, rows)).result(timeout=PATIENCE)
    return int(answer.append_result.offset)


def refused(
    writes: BigQueryWriteClient, name: str, rows: pa.Table, seconds: float = PATIENCE
) -> exceptions.GoogleAPICallError:
    """What a call ends with that appends rows: Google's helper does not tell."""
    with pytest.raises(exceptions.GoogleAPICallError) as ended:
        list(
            writes.append_rows(
                iter([request_of(name, 0, rows)]),
                metadata=[("x-goog-request-params", f"write_stream={name}")],
                retry=None,
                timeout=seconds,
            )
        )
    return ended.value


def ids(*numbers: int) -> pa.Table:
    return pa.table({"id": numbers})


def storage_code(error: exceptions.GoogleAPICallError) -> str:
    """The service's own code, from an answer or from the end of a call."""
    answer = error.response
    details = answer.error.details if hasattr(answer, "error") else error.details
    for detail in details:
        found = types.StorageError.pb()()
        if detail.Unpack(found):
            return str(types.StorageError.StorageErrorCode(found.code).name)
    return ""


def test_rows_are_there_when_they_are_acknowledged_and_in_their_place_only(
    stream: AppendRowsStream, run: Run
) -> None:
    assert append(stream, 0, ids(1, 2)) == 0
    assert run("select id from d.t order by id") == [(1,), (2,)]
    with pytest.raises(exceptions.AlreadyExists) as known:
        append(stream, 1, ids(9))
    assert storage_code(known.value) == "OFFSET_ALREADY_EXISTS"
    with pytest.raises(exceptions.OutOfRange) as beyond:
        append(stream, 3, ids(9))
    assert storage_code(beyond.value) == "OFFSET_OUT_OF_RANGE"
    # On the same connection, and without an offset at the end.
    assert append(stream, 2, ids(3)) == 2
    assert append(stream, None, ids(4)) == 3
    assert run("select id from d.t order by id") == [(1,), (2,), (3,), (4,)]


def test_a_finalized_stream_says_how_many_rows_it_has_and_takes_no_more(
    stream: AppendRowsStream, writes: BigQueryWriteClient
) -> None:
    append(stream, 0, ids(1, 2, 3))
    name = name_of(stream)
    assert writes.get_write_stream(name=name).type_ == types.WriteStream.Type.COMMITTED
    assert writes.finalize_write_stream(name=name).row_count == 3
    assert storage_code(refused(writes, name, ids(4))) == "STREAM_FINALIZED"
    with pytest.raises(exceptions.InvalidArgument) as again:
        writes.finalize_write_stream(name=name)
    assert storage_code(again.value) == "STREAM_FINALIZED"


def test_what_is_not_there(writes: BigQueryWriteClient, client: bigquery.Client) -> None:
    with pytest.raises(exceptions.NotFound) as no_table:
        new_stream(writes, table=TABLE + "_other")
    assert storage_code(no_table.value) == "TABLE_NOT_FOUND"
    old = new_stream(writes)
    client.delete_table("d.t")
    client.create_table(bigquery.Table("stand-in.d.t", COLUMNS))
    for name in (f"{TABLE}/streams/none", old):
        with pytest.raises(exceptions.NotFound) as no_stream:
            writes.get_write_stream(name=name)
        assert storage_code(no_stream.value) == "STREAM_NOT_FOUND"


def test_a_schema_that_does_not_fit(writes: BigQueryWriteClient, standin: StandIn) -> None:
    name = new_stream(writes)
    extra = refused(writes, name, pa.table({"id": [1], "more": [2]}))
    assert (type(extra), storage_code(extra)) == (
        exceptions.InvalidArgument,
        "SCHEMA_MISMATCH_EXTRA_FIELDS",
    )
    for wrong in (pa.string(), pa.int32(), pa.float64()):
        other = refused(writes, name, pa.table({"id": pa.array(["1"]).cast(wrong)}))
        assert isinstance(other, exceptions.InvalidArgument)
    assert standin.rows("d", "t") == []


def test_rows_that_do_not_fit_are_named_and_none_is_taken(
    stream: AppendRowsStream, standin: StandIn
) -> None:
    rows = pa.table({"id": [1, None, 3], "note": ["{}", None, "{"]})
    with pytest.raises(exceptions.InvalidArgument) as wrong:
        append(stream, 0, rows)
    assert [error.index for error in wrong.value.response.row_errors] == [1, 2]
    assert standin.rows("d", "t") == []
    assert append(stream, 0, rows.slice(0, 1)) == 0
    assert standin.rows("d", "t") == [{"id": 1, "note": "{}"}]


def test_a_request_above_ten_megabytes(writes: BigQueryWriteClient, standin: StandIn) -> None:
    name = new_stream(writes)
    large = refused(writes, name, pa.table({"id": [1], "note": [f'"{"x" * 10_000_000}"']}))
    assert isinstance(large, exceptions.InvalidArgument)
    assert standin.rows("d", "t") == []


def test_a_call_that_does_not_say_where_to_is_lost_in_another_location(
    writes: BigQueryWriteClient, client: bigquery.Client
) -> None:
    elsewhere = bigquery.Dataset("stand-in.far")
    elsewhere.location = "europe-west1"
    client.create_dataset(elsewhere)
    client.create_table(bigquery.Table("stand-in.far.t", COLUMNS))
    name = new_stream(writes, table="projects/stand-in/datasets/far/tables/t")
    assert writes.get_write_stream(name=name).location == "europe-west1"
    request = types.AppendRowsRequest(write_stream=name)
    with pytest.raises(exceptions.NotFound):
        list(writes.append_rows(iter([request]), retry=None, timeout=PATIENCE))


def test_pending_rows_are_there_when_their_streams_are_committed(
    writes: BigQueryWriteClient, standin: StandIn
) -> None:
    names = [new_stream(writes, "PENDING") for _ in range(2)]
    for number, name in enumerate(names):
        append(opened(writes, name), 0, ids(number))
    commit = types.BatchCommitWriteStreamsRequest(parent=TABLE, write_streams=names)
    [first, _] = writes.batch_commit_write_streams(request=commit).stream_errors
    assert first.code == types.StorageError.StorageErrorCode.INVALID_STREAM_STATE
    for name in names:
        assert writes.finalize_write_stream(name=name).row_count == 1
    assert standin.rows("d", "t") == []
    assert writes.batch_commit_write_streams(request=commit).commit_time
    assert [row["id"] for row in standin.rows("d", "t")] == [0, 1]
    [first, _] = writes.batch_commit_write_streams(request=commit).stream_errors
    assert first.code == types.StorageError.StorageErrorCode.STREAM_ALREADY_COMMITTED


def test_faults_on_demand(
    writes: BigQueryWriteClient, stream: AppendRowsStream, standin: StandIn
) -> None:
    """Of the next requests, before they are done or after, as an answer or as the end."""
    append(stream, 0, ids(1))
    standin.writes.fail_next("INTERNAL", in_answer=True)
    with pytest.raises(exceptions.InternalServerError):
        append(stream, 1, ids(2))
    assert len(standin.rows("d", "t")) == 1
    standin.writes.fail_next("UNAVAILABLE", after=True)
    with pytest.raises(exceptions.ServiceUnavailable):
        append(stream, 1, ids(2))
    assert len(standin.rows("d", "t")) == 2
    standin.writes.fail_next("SILENCE")
    silent = refused(writes, name_of(stream), ids(3), seconds=0.2)
    assert isinstance(silent, exceptions.DeadlineExceeded)
    standin.writes.expire("t")
    with pytest.raises(exceptions.NotFound):
        writes.get_write_stream(name=name_of(stream))


def test_a_newer_connection_ends_an_older_one(
    writes: BigQueryWriteClient, stream: AppendRowsStream, standin: StandIn
) -> None:
    append(stream, 0, ids(1))
    append(opened(writes, name_of(stream)), 1, ids(2))
    with pytest.raises(exceptions.Aborted):
        append(stream, 2, ids(3))
    assert len(standin.rows("d", "t")) == 2
