"""Loads into the stand-in: CSV, JSON and Parquet, and what does not fit."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from google.api_core import exceptions
from google.cloud import bigquery
from google.cloud.bigquery import LoadJobConfig, QueryJobConfig, SchemaField
from official import ID, Run, client, load_parquet, parquet, run, standin
from standin import StandIn

__all__ = ["client", "run", "standin"]  # fixtures


def test_csv_tells_an_empty_text_from_none(client: bigquery.Client, standin: StandIn) -> None:
    schema = [SchemaField("id", "INTEGER"), SchemaField("a", "STRING"), SchemaField("b", "DATE")]
    data = 'id,a,b\n1,"x, y",2024-01-02\n2,"",\n,,\n'
    config = LoadJobConfig(schema=schema, skip_leading_rows=1)
    job = client.load_table_from_file(io.BytesIO(data.encode()), "d.t", job_config=config)
    assert job.result().output_rows == 3
    assert standin.rows("d", "t") == [
        {"id": 1, "a": "x, y", "b": date(2024, 1, 2)},
        {"id": 2, "a": "", "b": None},
        {"id": None, "a": None, "b": None},
    ]
    job = client.load_table_from_file(io.BytesIO(b"id,a,b\nx,,\n"), "d.t", job_config=config)
    with pytest.raises(exceptions.BadRequest, match="Could not parse 'x' as INT64 for field id"):
        job.result()


def test_json_rows_and_uploads_in_several_chunks(
    client: bigquery.Client, standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("google.cloud.bigquery.client._DEFAULT_CHUNKSIZE", 256 * 1024)
    schema = [SchemaField("id", "INTEGER", "REQUIRED"), SchemaField("tags", "STRING", "REPEATED")]
    client.create_table(bigquery.Table(f"{client.project}.d.t", schema))
    config = LoadJobConfig(schema=schema)
    client.load_table_from_json([{"id": 1, "tags": ["a"]}], "d.t", job_config=config).result()
    assert standin.rows("d", "t") == [{"id": 1, "tags": ["a"]}]
    lines = "".join(f'{{"id": {n}, "tags": ["{"x" * 1000}"]}}\n' for n in range(900))
    config.source_format = "NEWLINE_DELIMITED_JSON"
    config.write_disposition = "WRITE_TRUNCATE"
    job = client.load_table_from_file(io.BytesIO(lines.encode()), "d.t", job_config=config)
    assert job.result().output_rows == 900
    assert [row["id"] for row in standin.rows("d", "t")] == list(range(900))


BRONZE = [
    SchemaField("id", "INTEGER", "REQUIRED"),
    SchemaField("seen", "TIMESTAMP"),
    SchemaField("tags", "STRING", "REPEATED"),
]


def test_parquet_makes_a_table_and_appends_to_it(client: bigquery.Client, standin: StandIn) -> None:
    seen = pa.field("seen", pa.timestamp("us", "UTC"))
    local = pa.field("local", pa.timestamp("ms"))
    price = pa.field("price", pa.decimal128(12, 2))
    tags = pa.field("tags", pa.list_(pa.string()))
    moment = datetime(2024, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    row = {
        "id": 1,
        "seen": moment,
        "local": datetime(2024, 1, 2),
        "price": Decimal("1.20"),
        "tags": ["a", "b"],
    }
    load_parquet(client, parquet(ID, seen, local, price, tags, rows=[row]))
    assert [(f.name, f.field_type, f.mode) for f in client.get_table("d.t").schema] == [
        ("id", "INTEGER", "REQUIRED"),
        ("seen", "TIMESTAMP", "NULLABLE"),
        ("local", "DATETIME", "NULLABLE"),
        ("price", "NUMERIC", "NULLABLE"),
        ("tags", "STRING", "REPEATED"),
    ]
    # Columns may be missing and stand in another order.
    load_parquet(client, parquet(seen, ID, rows=[{"id": 2, "seen": None}]))
    empty = dict.fromkeys(("seen", "local", "price"))
    assert standin.rows("d", "t") == [row, {"id": 2, **empty, "tags": []}]


def test_parquet_lists_are_records_unless_lists_are_inferred(
    client: bigquery.Client, standin: StandIn
) -> None:
    file = parquet(pa.field("tags", pa.list_(pa.string())), rows=[{"tags": ["a"]}])
    load_parquet(client, file, lists=False)
    (field,) = client.get_table("d.t").schema
    assert (field.field_type, field.mode, field.fields[0].name) == ("RECORD", "NULLABLE", "list")
    assert standin.rows("d", "t") == [{"tags": {"list": [{"element": "a"}]}}]


@pytest.mark.parametrize(
    ("fields", "row", "options", "message"),
    [
        ([ID, pa.field("seen", pa.string())], {"id": 1}, {}, "Field seen has changed type"),
        ([pa.field("seen", pa.timestamp("us", "UTC"))], {}, {}, "Field id is missing"),
        (
            [pa.field("id", pa.int64())],
            {"id": 1},
            {},
            "Field id has changed mode from REQUIRED to NULLABLE",
        ),
        ([ID, pa.field("more", pa.int64())], {"id": 1}, {}, r"Cannot add fields \(field: more\)"),
        ([pa.field("id", pa.int64())], {"id": None}, {"schema": BRONZE}, "Required field id"),
        (
            [pa.field("id", pa.string())],
            {"id": "x"},
            {"schema": BRONZE},
            "Parquet column 'id' has type STRING",
        ),
        (
            [pa.field("seen", pa.timestamp("us", "UTC"))],
            {},
            {"schema": BRONZE},
            "Required column 'id' is missing",
        ),
    ],
)
def test_a_parquet_file_that_does_not_fit_is_refused(
    client: bigquery.Client,
    standin: StandIn,
    fields: list[pa.Field],
    row: dict[str, Any],
    options: dict[str, Any],
    message: str,
) -> None:
    client.create_table(bigquery.Table(f"{client.project}.d.t", BRONZE))
    with pytest.raises(exceptions.BadRequest, match=message):
        load_parquet(client, parquet(*fields, rows=[row]), **options)
    assert standin.rows("d", "t") == []


def test_a_load_may_add_columns_where_the_job_allows_it(
    client: bigquery.Client, standin: StandIn
) -> None:
    load_parquet(client, parquet(ID, rows=[{"id": 1}]))
    file = parquet(ID, pa.field("more", pa.string()), rows=[{"id": 2, "more": "x"}])
    load_parquet(client, file, schema_update_options=["ALLOW_FIELD_ADDITION"])
    assert standin.rows("d", "t") == [{"id": 1, "more": None}, {"id": 2, "more": "x"}]


def test_dispositions(client: bigquery.Client, standin: StandIn) -> None:
    def load(number: int, **options: Any) -> None:
        load_parquet(client, parquet(ID, rows=[{"id": number}]), **options)

    with pytest.raises(exceptions.NotFound, match=r"Not found: Table stand-in:d\.t"):
        load(1, create_disposition="CREATE_NEVER")
    load(1)
    load(2)
    with pytest.raises(exceptions.Conflict, match=r"Already Exists: Table stand-in:d\.t"):
        load(3, write_disposition="WRITE_EMPTY")
    assert standin.rows("d", "t") == [{"id": 1}, {"id": 2}]
    load(4, write_disposition="WRITE_TRUNCATE")
    client.copy_table("d.t", "d.copy").result()
    assert standin.rows("d", "copy") == [{"id": 4}]
    config = QueryJobConfig(destination=f"{client.project}.d.result")
    client.query("select id + 1 as id from d.t", config).result()
    assert standin.rows("d", "result") == [{"id": 5}]


def test_streamed_rows(client: bigquery.Client, standin: StandIn, run: Run) -> None:
    run("create table d.t (id int64, seen timestamp)")
    assert client.insert_rows_json("d.t", [{"id": 1, "seen": "2024-01-02 00:00:00 UTC"}]) == []
    (refused,) = client.insert_rows_json("d.t", [{"id": 2}, {"ID2": 3}])
    assert (refused["index"], refused["errors"][0]["message"]) == (1, "no such field: ID2.")
    assert standin.rows("d", "t") == [{"id": 1, "seen": datetime(2024, 1, 2, tzinfo=UTC)}]
