"""The stand-in for BigQuery, through the official client.

What is expected was worked out by hand, or is what BigQuery's documentation says.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
import requests
from google.api_core import exceptions
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from google.cloud.bigquery import LoadJobConfig, QueryJobConfig, SchemaField
from standin import StandIn

Run = Callable[..., list[tuple[Any, ...]]]


def client_of(standin: StandIn, location: str | None = None) -> bigquery.Client:
    """The official client, pointed at a stand-in."""
    return bigquery.Client(
        project=standin.project,
        credentials=AnonymousCredentials(),
        client_options=ClientOptions(api_endpoint=standin.endpoint),
        location=location,
    )


@pytest.fixture
def standin() -> Iterator[StandIn]:
    """A stand-in with an empty dataset `d`."""
    with StandIn() as made:
        client_of(made).create_dataset("d")
        yield made


@pytest.fixture
def client(standin: StandIn) -> bigquery.Client:
    """A client of the stand-in."""
    return client_of(standin)


@pytest.fixture
def run(client: bigquery.Client) -> Run:
    """Run a text and give the rows of its last query."""

    def run(text: str, *parameters: Any) -> list[tuple[Any, ...]]:
        config = QueryJobConfig(query_parameters=parameters)
        return [row.values() for row in client.query(text, config, job_retry=None).result()]

    return run


def refusal(run: Run, text: str) -> str:
    """What is said against a text."""
    with pytest.raises(exceptions.GoogleAPICallError) as refused:
        run(text)
    return refused.value.errors[0]["message"]


def parquet(*fields: pa.Field, rows: list[dict[str, Any]]) -> io.BytesIO:
    """Rows as a Parquet file."""
    file = io.BytesIO()
    pa.parquet.write_table(pa.Table.from_pylist(rows, pa.schema(list(fields))), file)
    file.seek(0)
    return file


# The language


def test_expressions_mean_what_they_mean_in_bigquery(run: Run) -> None:
    expected = {
        "date_trunc(date '2024-01-03', week)": date(2023, 12, 31),  # weeks begin on Sunday
        "date_trunc(date '2024-01-03', isoweek)": date(2024, 1, 1),
        "extract(dayofweek from date '2024-01-07')": 1,
        "cast(2.5 as int64)": 3,  # away from zero
        "cast(-2.5 as int64)": -3,
        "concat('a', null)": None,
        "greatest(1, null)": None,
        "regexp_extract('abc', 'x')": None,
        "upper('ß')": "SS",
        "numeric '1.10' / 3": Decimal("0.366666667"),
        "edit_distance('kitten', 'sitting')": 3,
        "ends_with('gmail.con', '.con')": True,
        """json_value('{"a": {"b": 7}}', '$.a.b')""": "7",
        "safe.parse_json('{') is null": True,
        "code_points_to_string([31])": "\x1f",
        "to_hex(md5(b''))": "d41d8cd98f00b204e9800998ecf8427e",
        "(select min(abs(p - 3)) from unnest(generate_array(1, length(word))) as p)": 0,
        "session_user()": "stand-in@example.com",
    }
    (values,) = run(f"select {', '.join(expected)} from (select 'abcd' as word)")
    assert dict(zip(expected, values, strict=True)) == expected


def test_queries_order_nulls_first_and_know_qualify_and_percentiles(run: Run) -> None:
    numbers = "unnest([struct('a' as k, 3 as v), ('a', null), ('b', 1), ('b', 2)])"
    assert run(f"select v from {numbers} order by v") == [(None,), (1,), (2,), (3,)]
    latest = f"select k, v from {numbers} qualify row_number() over (partition by k order by v) = 2"
    assert sorted(run(latest)) == [("a", 3), ("b", 2)]
    median = f"select distinct k, percentile_cont(v, 0.5) over (partition by k) from {numbers}"
    assert sorted(run(median)) == [("a", 3.0), ("b", 1.5)]
    assert run(f"select approx_count_distinct(k) from {numbers}") == [(2,)]


def test_every_type_comes_back_as_it_went(run: Run) -> None:
    (values,) = run(
        """
        select
            -7, 1.5, true, 'ä', b'\\xff', date '1960-02-03', time '23:59:58.000001',
            datetime '2020-01-02 03:04:05.678901', timestamp '1969-12-31 23:59:59.5+00',
            numeric '-0.05', bignumeric '1e30', json '{"a":[1]}',
            [1, 2], struct(1 as a, [struct('q' as z)] as b), cast(null as array<int64>),
            cast('-inf' as float64), cast(make_interval(1, 2, -3) as string)
        """
    )
    assert values == (
        -7,
        1.5,
        True,
        "ä",
        b"\xff",
        date(1960, 2, 3),
        time(23, 59, 58, 1),
        datetime(2020, 1, 2, 3, 4, 5, 678901),
        datetime(1969, 12, 31, 23, 59, 59, 500000, tzinfo=UTC),
        Decimal("-0.05"),
        Decimal(10) ** 30,
        {"a": [1]},
        [1, 2],
        {"a": 1, "b": [{"z": "q"}]},
        [],
        float("-inf"),
        "1-2 -3 0:0:0",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("selec 1", 'Syntax error: Unexpected identifier "selec" at [1:1]'),
        ("select\n  idd from d.t", "Unrecognized name: idd; Did you mean id? at [2:3]"),
        ("select 1; select idd from d.t", "Unrecognized name: idd; Did you mean id? at [1:18]"),
        ("select now()", "Function not found: now; Did you mean pow? at [1:8]"),
        ("select id::string from d.t", 'Syntax error: Expected end of input but got ":" at [1:10]'),
        ("select * from d.u", "Not found: Table stand-in:d.u was not found in location US"),
        ("select * from e.u", "Not found: Dataset stand-in:e was not found in location US"),
        ("select * from u", 'Table "u" must be qualified with a dataset (e.g. dataset.table).'),
        ("select 1 / 0", "division by zero: 1 / 0"),
        ("select error('no')", "no"),
        (
            "select [1, null] as a",
            "Array cannot have a null element; error in writing field a",
        ),
        (
            "create table d.u as select array_agg(x) as a from unnest([1, null]) as x",
            "Array cannot have a null element; error in writing field a",
        ),
        (
            "select 1 as a, 2 as a",
            "Duplicate column names in the result are not supported when a destination table "
            "is present. Found duplicate(s): a",
        ),
        ("create table d.t as select 1 as id", "Already Exists: Table stand-in:d.t"),
        ("insert into d.t (name) values ('x')", "Required field id cannot be null"),
        (
            "update d.t set id = 'x' where true",
            "Value of type STRING cannot be assigned to id, which has type INT64 at [1:21]",
        ),
    ],
)
def test_what_is_wrong_is_said_in_bigquerys_words(run: Run, text: str, message: str) -> None:
    run("create table d.t (id int64 not null, name string)")
    assert refusal(run, text) == message


def test_the_evaluator_comes_back_after_it_stopped(run: Run) -> None:
    run("create table d.t as select 1 as id")
    assert refusal(run, "select net.reg_domain('http://a.co.uk')").startswith("The evaluator stop")
    assert run("select id from d.t") == [(1,)]


# Statements


def test_dml_changes_the_rows_it_means_and_counts_them(
    client: bigquery.Client, standin: StandIn, run: Run
) -> None:
    run("create table d.t (id int64, name string, note string default null)")

    def affected(text: str) -> int:
        job = client.query(text)
        job.result()
        return job.num_dml_affected_rows

    assert affected("insert into d.t (name, id) values ('a', 1), ('b', 2), (null, 3)") == 3
    assert affected("insert into d.t select 4, 'd', null") == 1
    assert affected("update d.t set name = upper(name), note = 'x' where id <= 2") == 2
    source = "(select 4 as id, 'y' as n) as u"
    assert affected(f"update d.t as t set note = u.n from {source} where t.id = u.id") == 1
    assert affected("delete from d.t where name is null") == 1
    assert standin.rows("d", "t") == [
        {"id": 1, "name": "A", "note": "x"},
        {"id": 2, "name": "B", "note": "x"},
        {"id": 4, "name": "d", "note": "y"},
    ]
    run("truncate table d.t")
    assert standin.rows("d", "t") == []


def test_merge(client: bigquery.Client, standin: StandIn, run: Run) -> None:
    run("create table d.t as select id, 'old' as name from unnest([1, 2, 3, 4]) as id")
    job = client.query(
        """
        merge into d.t as t
        using (select id, if(id = 2, 'gone', 'new') as name from unnest([2, 3, 5]) as id) as s
        on t.id = s.id
        when matched and s.name = 'gone' then delete
        when matched then update set name = s.name
        when not matched then insert (id, name) values (id, upper(name))
        when not matched by source and t.id = 4 then update set name = 'alone'
        """
    )
    job.result()
    assert job.num_dml_affected_rows == 4
    assert standin.rows("d", "t") == [
        {"id": 1, "name": "old"},
        {"id": 3, "name": "new"},
        {"id": 4, "name": "alone"},
        {"id": 5, "name": "NEW"},
    ]
    twice = """
        merge d.t using (select 1 as id from unnest([1, 2])) as s on t.id = s.id
        when matched then update set name = 'x'
    """
    once = "UPDATE/MERGE must match at most one source row for each target row"
    assert refusal(run, twice) == once
    run("merge d.t using (select 9 as id, 'row' as name) on false when not matched then insert row")
    assert standin.rows("d", "t")[-1] == {"id": 9, "name": "row"}


def test_scripts_have_variables_temporary_tables_and_transactions(run: Run) -> None:
    run("create table d.t as select id from unnest([1, 2, 3]) as id")
    assert run(
        """
        declare ids array<int64>;
        declare top default (select max(id) from d.t);
        set (ids) = (select as struct array_agg(id order by id) from d.t where id < 3);
        set top = top + 1;
        create temp table kept as select id from d.t where id in unnest(ids);
        select (select count(*) from kept), top;
        """
    ) == [(2, 4)]
    assert run("begin transaction; delete d.t where true; rollback; select count(*) from d.t") == [
        (3,)
    ]
    assert refusal(run, "begin transaction; delete d.t where true; select 1 / 0").startswith("div")
    assert run("select count(*) from d.t") == [(3,)]
    run("begin transaction; delete d.t where id = 1; commit")
    assert run("select count(*) from d.t") == [(2,)]


def test_parameters(run: Run) -> None:
    named = bigquery.ScalarQueryParameter("x", "INT64", 4)
    several = bigquery.ArrayQueryParameter("Names", "STRING", ["a", "b"])
    assert run("select @x + 1, 'b' in unnest(@names)", named, several) == [(5, True)]
    first, second = (bigquery.ScalarQueryParameter(None, "DATE", f"2024-01-0{n}") for n in (1, 2))
    assert run("select date_diff(?, ?, day)", second, first) == [(1,)]


def test_a_view_shows_what_its_tables_hold_now(run: Run) -> None:
    run("create table d.t as select 1 as id; create view d.v as select id + 1 as id from d.t")
    run("create view d.w as with t as (select * from d.v) select max(id) as top from t")
    assert run("select top from d.w") == [(2,)]
    run("insert into d.t values (5)")
    assert run("select top from d.w") == [(6,)]


def test_a_table_keeps_what_its_definition_says(client: bigquery.Client, run: Run) -> None:
    run(
        """
        create table d.t (
            id int64 not null options (description = 'the key'), seen timestamp, tags array<string>
        )
        partition by timestamp_trunc(seen, month) cluster by id
        options (
            description = 'a table', labels = [('team', 'data')], partition_expiration_days = 2,
            expiration_timestamp = timestamp '2100-01-01'
        )
        """
    )
    table = client.get_table("d.t")
    described = [(f.name, f.field_type, f.mode, f.description) for f in table.schema]
    assert described == [
        ("id", "INTEGER", "REQUIRED", "the key"),
        ("seen", "TIMESTAMP", "NULLABLE", None),
        ("tags", "STRING", "REPEATED", None),
    ]
    partitioning = table.time_partitioning
    assert (partitioning.type_, partitioning.field) == ("MONTH", "seen")
    assert partitioning.expiration_ms == 2 * 86_400_000
    assert (table.clustering_fields, table.labels) == (["id"], {"team": "data"})
    assert (table.description, table.expires) == ("a table", datetime(2100, 1, 1, tzinfo=UTC))
    run("alter table d.t add column if not exists note string, drop column tags")
    run("alter table d.t set options (description = null, partition_expiration_days = null)")
    table = client.get_table("d.t")
    assert [f.name for f in table.schema] == ["id", "seen", "note"]
    assert (table.description, table.time_partitioning.expiration_ms) == (None, None)


def test_literals_take_the_type_of_their_column(standin: StandIn, run: Run) -> None:
    run("create table d.t (n numeric, day date) as select 1, date '2024-01-01'")
    run("insert into d.t values (2, '2024-01-02')")
    run("insert into d.t select 3, null")
    run("alter table d.t rename to u")
    assert standin.rows("d", "u") == [
        {"n": Decimal(1), "day": date(2024, 1, 1)},
        {"n": Decimal(2), "day": date(2024, 1, 2)},
        {"n": Decimal(3), "day": None},
    ]
    assert refusal(run, "create table d.copy copy d.u") == (
        "The stand-in does not run CREATE TABLE COPY or CLONE"
    )


def test_a_stored_array_is_never_null(run: Run) -> None:
    run("create table d.t (id int64, tags array<string>)")
    run("insert into d.t values (1, null), (2, []), (3, ['a'])")
    run("insert into d.t (id) values (4)")
    assert run("select countif(tags is null), countif(array_length(tags) = 0) from d.t") == [(0, 3)]


def test_datasets_and_who_may_read_them(client: bigquery.Client, run: Run) -> None:
    run("create schema e options (location = 'EU', default_table_expiration_days = 1)")
    assert client.get_dataset("e").location == "EU"
    client.query("create table e.t as select 1 as id", location="EU").result()
    assert client.get_table("e.t").expires is not None
    role = "`roles/bigquery.dataViewer` on table e.t"
    grant = f"grant {role} to 'user:a@b.c', 'group:g@b.c'; revoke {role} from 'user:a@b.c'"
    client.query(grant, location="EU").result()
    assert run("select privilege_type, grantee from e.INFORMATION_SCHEMA.OBJECT_PRIVILEGES") == [
        ("roles/bigquery.dataViewer", "group:g@b.c")
    ]
    client.query("drop schema e cascade", location="EU").result()
    with pytest.raises(exceptions.NotFound, match=r"Not found: Dataset stand-in:e"):
        client.get_dataset("e")


def test_information_schema(run: Run) -> None:
    run("create table d.t (id int64 not null, day date, r struct<a int64>) partition by day")
    rows = "(1, '2024-01-02', struct(1)), (2, '2024-01-02', null), (3, null, null)"
    run(f"insert into d.t values {rows}")
    assert run(
        "select column_name, data_type, is_nullable, is_partitioning_column "
        "from d.INFORMATION_SCHEMA.COLUMNS order by ordinal_position"
    ) == [
        ("id", "INT64", "NO", "NO"),
        ("day", "DATE", "YES", "YES"),
        ("r", "STRUCT<a INT64>", "YES", "NO"),
    ]
    paths = "select field_path from `stand-in`.d.INFORMATION_SCHEMA.COLUMN_FIELD_PATHS"
    assert run(paths) == [("id",), ("day",), ("r",), ("r.a",)]
    assert run("select partition_id, total_rows from d.INFORMATION_SCHEMA.PARTITIONS") == [
        ("20240102", 2),
        ("__NULL__", 1),
    ]
    assert run("select table_id, row_count, type from d.__TABLES__ as tables") == [("t", 3, 1)]
    assert run("select schema_name from `region-us`.INFORMATION_SCHEMA.SCHEMATA") == [("d",)]


# Rules of the service


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


# Loads


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


ID = pa.field("id", pa.int64(), nullable=False)
BRONZE = [
    SchemaField("id", "INTEGER", "REQUIRED"),
    SchemaField("seen", "TIMESTAMP"),
    SchemaField("tags", "STRING", "REPEATED"),
]


def load_parquet(
    client: bigquery.Client, file: io.BytesIO, lists: bool = True, **options: Any
) -> bigquery.LoadJob:
    """Append a Parquet file to `d.t`."""
    format_options = bigquery.ParquetOptions()
    format_options.enable_list_inference = lists
    config = LoadJobConfig(source_format="PARQUET", parquet_options=format_options, **options)
    job = client.load_table_from_file(file, "d.t", job_config=config)
    job.result()
    return job


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


# Jobs


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
