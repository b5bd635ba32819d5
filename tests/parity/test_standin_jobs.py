"""Jobs of the stand-in: their ids, their results, and failures on demand."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet
import pytest
import requests
from google.api_core import exceptions
from google.cloud import bigquery
from google.cloud.bigquery import LoadJobConfig, QueryJobConfig
from official import ID, Run, client, client_of, load_parquet, parquet, refusal, run, standin
from standin import StandIn

__all__ = ["client", "run", "standin"]  # fixtures


def test_a_job_id_is_taken_once(client: bigquery.Client, standin: StandIn) -> None:
    file = parquet(ID, rows=[{"id": 1}])
    config = LoadJobConfig(source_format="PARQUET", labels={"batch": "b1"})
    client.load_table_from_file(file, "d.t", job_id="batch-1", job_config=config).result()
    file.seek(0)
    with pytest.raises(exceptions.Conflict, match=r"Already Exists: Job stand-in:US\.batch-1"):
        client.load_table_from_file(file, "d.t", job_id="batch-1", job_config=config)
    assert standin.rows("d", "t") == [{"id": 1}]
    (job,) = standin.jobs
    assert (job.id, job.kind, job.location, job.labels) == (
        "batch-1",
        "load",
        "US",
        {"batch": "b1"},
    )
    assert (str(job.target), job.error) == ("stand-in:d.t", None)
    with pytest.raises(exceptions.NotFound, match="Not found: Job stand-in:other"):
        client.get_job("other")


def test_jobs_are_kept_as_they_were_asked_for(
    client: bigquery.Client, standin: StandIn, run: Run
) -> None:
    run("create table d.t as select 1 as id")
    config = QueryJobConfig(priority="BATCH", maximum_bytes_billed=1000, labels={"model": "m"})
    client.query("select * from d.t", config).result()
    assert refusal(run, "select x from d.t")
    _, asked, wrong = standin.jobs
    assert (asked.statement, asked.priority, asked.maximum_bytes_billed, asked.labels) == (
        "select * from d.t",
        "BATCH",
        1000,
        {"model": "m"},
    )
    assert asked.datasets == {("stand-in", "d")}
    assert wrong.error and wrong.error.reason == "invalidQuery"
    assert (standin.statements.analyzed, standin.statements.refused) == (3, 1)


def test_a_dry_run_says_what_would_come_and_does_nothing(
    client: bigquery.Client, standin: StandIn
) -> None:
    dry = QueryJobConfig(dry_run=True)
    job = client.query("select 1 as id, 'x'", dry)
    assert [(field.name, field.field_type) for field in job.schema] == [
        ("id", "INTEGER"),
        ("f0_", "STRING"),
    ]
    client.query("create table d.t as select 1 as id", dry)
    with pytest.raises(exceptions.BadRequest, match="Unrecognized name: x at"):
        client.query("select x", dry)
    assert standin.jobs == []
    assert list(client.list_tables("d")) == []


def test_results_come_in_pages(client: bigquery.Client, run: Run) -> None:
    query = client.query("select n from unnest(generate_array(1, 25)) as n")
    pages = [[row.n for row in page] for page in query.result(page_size=10).pages]
    assert [len(page) for page in pages] == [10, 10, 5]
    assert [n for page in pages for n in page] == list(range(1, 26))
    assert client.get_table(query.destination).num_rows == 25
    assert [row.n for row in client.list_rows(query.destination, start_index=23)] == [24, 25]


@pytest.mark.parametrize(
    ("reason", "refused", "failed"),
    [
        ("backendError", exceptions.ServiceUnavailable, exceptions.InternalServerError),
        ("rateLimitExceeded", exceptions.Forbidden, exceptions.TooManyRequests),
        ("quotaExceeded", exceptions.Forbidden, exceptions.Forbidden),
        ("accessDenied", exceptions.Forbidden, exceptions.Forbidden),
    ],
)
def test_failures_on_demand(
    client: bigquery.Client,
    standin: StandIn,
    reason: str,
    refused: type[Exception],
    failed: type[Exception],
) -> None:
    standin.fail_next(reason, times=2, on="query")
    for _ in range(2):
        with pytest.raises(refused) as error:
            client.query("select 1", retry=None, job_retry=None)
        assert error.value.errors[0]["reason"] == reason
    assert list(client.query("select 1").result())
    standin.fail_next(reason, in_job=True)
    with pytest.raises(failed):
        client.query("select 1", job_retry=None).result()
    assert [job.error and job.error.reason for job in standin.jobs] == [None, reason]


def test_a_connection_drops_after_the_job_was_taken(
    client: bigquery.Client, standin: StandIn
) -> None:
    standin.fail_next("connectionDropped", on="load")
    config = LoadJobConfig(source_format="PARQUET")
    file = parquet(ID, rows=[{"id": 1}])
    with pytest.raises(requests.ConnectionError):
        client.load_table_from_file(file, "d.t", job_id="one", job_config=config, num_retries=0)
    assert client.get_job("one").result().output_rows == 1
    assert standin.rows("d", "t") == [{"id": 1}]


def test_it_can_be_away_for_a_while(client: bigquery.Client, standin: StandIn) -> None:
    standin.stop()
    with pytest.raises(requests.ConnectionError):
        client.get_dataset("d", retry=None)
    standin.start()
    assert client.get_dataset("d").dataset_id == "d"


def test_put_stores_what_rows_gives(standin: StandIn, run: Run) -> None:
    standin.put("raw", "t", pa.table({"id": [1, None], "tags": [["a"], None]}))
    assert run("select id, array_length(tags) from raw.t order by id") == [(None, 0), (1, 1)]
    assert standin.rows("raw", "t") == [{"id": 1, "tags": ["a"]}, {"id": None, "tags": []}]


def test_analysis_alone_keeps_schemas_and_no_rows() -> None:
    with StandIn(analyze_only=True) as standin:
        client = client_of(standin)
        client.create_dataset("d")
        standin.put("d", "raw", pa.table({"id": [1]}))
        client.query("create table d.t as select id, 1 / 0 as x from d.raw").result()
        client.query("insert into d.t (id) select id from d.raw").result()
        load_parquet(client, parquet(ID, rows=[{"id": 1}]), lists=False)
        assert [field.field_type for field in client.get_table("d.t").schema] == [
            "INTEGER",
            "FLOAT",
        ]
        assert standin.rows("d", "t") == []
        assert list(client.query("select id from d.raw").result())
        with pytest.raises(exceptions.BadRequest, match="Unrecognized name: y"):
            client.query("insert into d.t (id) select y from d.raw").result()
