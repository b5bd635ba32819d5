"""What a query means on the stand-in, and what is said of a wrong one.

What is expected was worked out by hand, or is what BigQuery's documentation says.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest
from official import Run, client, refusal, run, standin

__all__ = ["client", "run", "standin"]  # fixtures


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
