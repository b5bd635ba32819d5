"""What GoogleSQL leaves to the service, and the stand-in checks by rules of its own."""

from __future__ import annotations

import pytest
from google.api_core import exceptions
from google.cloud import bigquery
from google.cloud.bigquery import SchemaField
from official import Run, client, refusal, run, standin

__all__ = ["client", "run", "standin"]  # fixtures


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        ("partition by name", "PARTITION BY expression must be "),
        ("partition by seen", "PARTITION BY expression must be "),  # not truncated
        ("partition by date_trunc(day, week)", "Granularity WEEK is not supported "),
        ("cluster by id, name, day, seen, more", "Too many clustering columns: 5. "),
        ("cluster by price", "CLUSTER BY expression may not be a floating point type "),
        ("cluster by clock", "Clustering column clock has type TIME, which is not supported "),
        ("options (no_such = 1)", "Unknown option: no_such"),
        ("options (partition_expiration_days = 1)", "partition_expiration_days is only supported "),
    ],
)
def test_a_wrong_definition_is_refused(run: Run, definition: str, message: str) -> None:
    columns = "id int64, name string, day date, seen timestamp, more string"
    text = f"create table d.t ({columns}, price float64, clock time) {definition}"
    assert refusal(run, text).startswith(message)


def test_a_wrong_table_resource_is_refused(client: bigquery.Client) -> None:
    schema = [SchemaField("id", "INT64"), SchemaField("name", "STRING")]
    table = bigquery.Table(f"{client.project}.d.t", schema)
    table.clustering_fields = ["id"]
    table.time_partitioning = bigquery.TimePartitioning(field="name")
    with pytest.raises(exceptions.BadRequest, match="PARTITION BY expression must be"):
        client.create_table(table)


def test_a_column_that_partitions_cannot_be_dropped(run: Run) -> None:
    run("create table d.t (id int64, day date) partition by day")
    assert refusal(run, "alter table d.t drop column day").startswith("Cannot drop column day")


def test_a_dataset_is_read_where_it_is(client: bigquery.Client, run: Run) -> None:
    run("create table d.t as select 1 as id")
    with pytest.raises(exceptions.NotFound) as refused:
        client.query("select * from d.t", location="europe-west1").result()
    assert "Not found: Dataset stand-in:d was not found in location europe-west1" in str(refused)
    run("alter schema d add replica `copy` options (location = 'europe-west1')")
    assert list(client.query("select * from d.t", location="europe-west1").result())


def test_a_schema_may_only_grow(client: bigquery.Client, run: Run) -> None:
    run("create table d.t (id int64, name string)")
    table = client.get_table("d.t")
    table.schema = [*table.schema, SchemaField("more", "DATE")]
    client.update_table(table, ["schema"])
    assert run("select column_name from d.INFORMATION_SCHEMA.COLUMNS") == [
        ("id",),
        ("name",),
        ("more",),
    ]
    for schema, message in [
        (table.schema[1:], "Field id is missing in new schema"),
        ([SchemaField("id", "STRING"), *table.schema[1:]], "Field id has changed type"),
        (
            [SchemaField("id", "INTEGER", "REQUIRED"), *table.schema[1:]],
            "Field id has changed mode from NULLABLE to REQUIRED",
        ),
    ]:
        table.schema = schema
        with pytest.raises(exceptions.BadRequest, match=message):
            client.update_table(table, ["schema"])
