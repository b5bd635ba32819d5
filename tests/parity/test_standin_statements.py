"""Statements that change tables, on the stand-in: DML, scripts, definitions."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from google.api_core import exceptions
from google.cloud import bigquery
from official import Run, client, refusal, run, standin
from standin import StandIn

__all__ = ["client", "run", "standin"]  # fixtures


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


def test_a_query_of_no_rows_has_its_columns_and_is_refused_where_it_is_wrong(
    client: bigquery.Client,
) -> None:
    text = "select * from (select date '2026-05-01' as d, [1.5] as f, 1 / 0 as i) limit 0"
    result = client.query(text).result()
    assert list(result) == []
    found = [(field.name, field.field_type, field.mode) for field in result.schema]
    plain = client.query(text.replace("1 / 0", "1.0").removesuffix("limit 0")).result()
    assert found == [(field.name, field.field_type, field.mode) for field in plain.schema]
    with pytest.raises(exceptions.BadRequest, match="Unrecognized name: nothing"):
        client.query("select nothing limit 0").result()


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
