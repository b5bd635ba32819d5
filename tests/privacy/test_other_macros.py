"""`bucket` puts every number in one bucket; `generalize_location` says a place at one level."""

from __future__ import annotations

import bisect
import csv
import itertools
import math
import random

import duckdb
import pytest
from compiled import compile_inline, compile_refused, sandbox
from conftest import PROJECT

SEED = 20260103
RANDOM_NUMBERS = 2_000

# As people read the labels (S1-19 for the amounts): the lower edge belongs to the bucket.
BUCKETS = {
    "claim_amount": (
        [0, 1_000, 5_000, 10_000, 50_000],
        ["<$0", "$0-1000", "$1000-5000", "$5000-10000", "$10000-50000", "$50000+"],
    ),
    "age": (
        [18, 25, 35, 45, 55, 65, 75, 85],
        ["0-17", "18-24", "25-34", "35-44", "45-54", "55-64", "65-74", "75-84", "85+"],
    ),
    "file_size": (
        [1_000_000, 10_000_000, 100_000_000],
        ["<1 MB", "1-10 MB", "10-100 MB", "100 MB+"],
    ),
    "points": (
        [1, 50, 100, 250, 500],
        ["<1", "1-49", "50-99", "100-249", "250-499", "500+"],
    ),
    "wallet_balance": (
        [0, 1_000, 5_000, 10_000, 50_000],
        ["<0", "0-999", "1000-4999", "5000-9999", "10000-49999", "50000+"],
    ),
    "age_span": ([35, 65], ["0-34", "35-64", "65+"]),
    "fraud_score": ([0.1, 0.3, 0.6, 0.8], ["<0.1", "0.1-0.3", "0.3-0.6", "0.6-0.8", "0.8+"]),
    "risk_band": ([0.3, 0.6, 0.8], ["low", "medium", "high", "critical"]),
    "fraud_percent": ([1, 5, 10, 20], ["<1%", "1-5%", "5-10%", "10-20%", "20%+"]),
    "processing_ms": (
        [100, 1_000, 10_000],
        ["<100 ms", "100-1000 ms", "1000-10000 ms", "10000 ms+"],
    ),
}


@pytest.fixture(scope="module")
def sql() -> dict[str, str]:
    place = "generalize_location('%s', 'country', 'state', 'city')"
    return compile_inline(
        **{name: f"{{{{ bucket('numbers.x', 'buckets', '{name}') }}}}" for name in BUCKETS},
        city=f"{{{{ {place % 'city'} }}}}",
        state=f"{{{{ {place % 'state'} }}}}",
        country=f"{{{{ {place % 'country'} }}}}",
        country_alone="{{ generalize_location('country', 'country') }}",
    )


@pytest.fixture
def database() -> duckdb.DuckDBPyConnection:
    """A database with the bucket seed, its empty cells null as dbt loads them."""
    connection = sandbox()
    connection.execute(
        "create table buckets (bucket_set string, label string, lower_incl float64, "
        "upper_excl float64, sort_order int64)"
    )
    with (PROJECT / "seeds" / "amount_buckets.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            connection.execute(
                "insert into buckets values (?, ?, ?, ?, ?)", [v or None for v in row.values()]
            )
    return connection


def bucketed(
    database: duckdb.DuckDBPyConnection, condition: str, numbers: list[float | None], kind: str
) -> list[tuple[int, str]]:
    """Pairs of a number's place in the list and the label of a bucket that it joined."""
    database.execute(
        f"create or replace table numbers as select unnest(range(len($1))) as n, "
        f"unnest($1::{kind}[]) as x",
        [numbers],
    )
    return database.execute(
        f"select numbers.n, buckets.label from numbers inner join buckets on {condition} "
        "order by all"
    ).fetchall()


def expected_label(name: str, number: float | None) -> str:
    edges, labels = BUCKETS[name]
    if number is None or math.isnan(number):
        return "unknown"
    return labels[bisect.bisect_right(edges, number)]


def awkward_numbers(edges: list[int]) -> list[float | None]:
    """Every edge and its neighbours, and what is hardly a number."""
    near = [(math.nextafter(e, -math.inf), float(e), math.nextafter(e, math.inf)) for e in edges]
    odd = [None, math.nan, -math.nan, -0.0, math.inf, -math.inf, 5e-324, -5e-324, 1.8e308 / 2]
    return [*itertools.chain(*near), *odd]


@pytest.mark.parametrize("name", BUCKETS)
def test_each_number_is_in_the_one_bucket_that_bisect_finds(
    name: str, sql: dict[str, str], database: duckdb.DuckDBPyConnection
) -> None:
    """None is lost and none doubled, NaN and null included."""
    chosen = random.Random(SEED)
    edges, _ = BUCKETS[name]
    numbers = awkward_numbers(edges) + [
        chosen.choice([chosen.uniform(-10, 1.5 * edges[-1]), chosen.choice(edges)])
        for _ in range(RANDOM_NUMBERS)
    ]
    found = bucketed(database, sql[name], numbers, "double")
    print(f"seed {SEED}: {len(numbers)} numbers, {len(found)} pairs")
    assert found == [(n, expected_label(name, number)) for n, number in enumerate(numbers)]


@pytest.mark.parametrize("kind", ["bigint", "integer", "decimal(18, 2)", "float"])
def test_other_types_of_numbers_fall_in_the_same_buckets(
    kind: str, sql: dict[str, str], database: duckdb.DuckDBPyConnection
) -> None:
    numbers = [None, *(edge + step for edge in BUCKETS["claim_amount"][0] for step in (-1, 0, 1))]
    found = bucketed(database, sql["claim_amount"], numbers, kind)
    assert found == [
        (n, expected_label("claim_amount", number)) for n, number in enumerate(numbers)
    ]


@pytest.mark.parametrize("name", BUCKETS)
def test_seed_has_these_buckets_in_this_order(
    name: str, database: duckdb.DuckDBPyConnection
) -> None:
    found = database.execute(
        "select label from buckets where bucket_set = ? order by sort_order", [name]
    ).fetchall()
    assert [label for (label,) in found] == [*BUCKETS[name][1], "unknown"]


def test_unknown_row_has_no_edges_and_stands_last(database: duckdb.DuckDBPyConnection) -> None:
    found = database.execute(
        "select bucket_set, lower_incl, upper_excl, sort_order from buckets "
        "where label = 'unknown' order by bucket_set"
    ).fetchall()
    assert found == [(name, None, None, 99) for name in sorted(BUCKETS)]


def test_a_set_with_a_gap_loses_a_number(
    sql: dict[str, str], database: duckdb.DuckDBPyConnection
) -> None:
    """Control: the comparison above sees a lost and a doubled number."""
    database.execute("update buckets set upper_excl = 900 where label = '$0-1000'")
    assert bucketed(database, sql["claim_amount"], [950.0], "double") == []
    database.execute("update buckets set upper_excl = 1001 where label = '$0-1000'")
    assert len(bucketed(database, sql["claim_amount"], [1000.0], "double")) == 2


# country, state, city, and the place at the level of city, state and country
PLACES = [
    ("US", "NY", "Albany", "us-ny-albany", "us-ny", "us"),
    (" us ", "Ny", "  New York ", "us-ny-new york", "us-ny", "us"),
    ("US", "NY", None, "us-ny", "us-ny", "us"),
    ("US", "NY", "  ", "us-ny", "us-ny", "us"),
    ("US", None, None, "us", "us", "us"),
    ("US", "", "Albany", "us", "us", "us"),
    (None, "NY", "Albany", "unknown", "unknown", "unknown"),
    ("", "NY", None, "unknown", "unknown", "unknown"),
    (None, None, None, "unknown", "unknown", "unknown"),
    ("DE", "Köln", "ÄÖ", "de-köln-äö", "de-köln", "de"),
    ("JP", "東京", None, "jp-東京", "jp-東京", "jp"),
]


@pytest.mark.parametrize(("level", "column"), [("city", 3), ("state", 4), ("country", 5)])
def test_place_is_said_at_one_level(level: str, column: int, sql: dict[str, str]) -> None:
    """What is missing is said at the next coarser level, and nothing finer is ever said."""
    with sandbox() as connection:
        for place in PLACES:
            found = connection.execute(
                f"select {sql[level]} from (select ?::varchar as country, ?::varchar as state, "
                "?::varchar as city)",
                list(place[:3]),
            ).fetchall()
            assert found == [(place[column],)], place


def test_country_level_needs_no_other_column(sql: dict[str, str]) -> None:
    found = duckdb.execute(f"select {sql['country_alone']} from (select 'US' as country)")
    assert found.fetchall() == [("us",)]


def test_a_level_that_does_not_exist_does_not_compile() -> None:
    said = compile_refused("select {{ generalize_location('street', 'a', 'b', 'c') }}")
    assert "level must be city, state or country, not street" in said
