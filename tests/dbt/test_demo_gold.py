"""What is planted in the demo is what gold says, and only that."""

from __future__ import annotations

from datetime import datetime

import duckdb
import pytest
from conftest import Demo

from loaders import bronze
from loaders.books import read_books

STORMS = """
    select period_start, domain, sum(errors) as errors
    from gold.attempts_hourly
    where action = 'signup'
    group by all
    having sum(errors) > 100
"""


@pytest.fixture(scope="module")
def warehouse(demo: Demo) -> duckdb.DuckDBPyConnection:
    """The demo's warehouse, to read."""
    return duckdb.connect(str(demo.home.warehouse), read_only=True)


def test_the_alert_finds_the_storm_and_only_it(demo: Demo, warehouse: duckdb.DuckDBPyConnection):
    """More than 100 errors on a registration endpoint in an hour: one query."""
    storm = demo.key["storm"]
    when = datetime.fromisoformat(storm["period_start"]).replace(tzinfo=None)
    assert warehouse.execute(STORMS).fetchall() == [(when, storm["domain"], storm["errors"])]


def test_a_storm_of_two_senders_shows_no_people(demo: Demo, warehouse: duckdb.DuckDBPyConnection):
    """The cell is published for its rows: who sent them, and their median, stay hidden."""
    rows = warehouse.execute(
        "select attempts, subjects, p50_ms, country from gold.attempts_hourly "
        "where error_code = 'rate_limited' and attempts > 100"
    ).fetchall()
    assert rows == [(demo.key["storm"]["errors"], None, None, "Other")]


def test_the_slow_country_is_the_slowest(demo: Demo, warehouse: duckdb.DuckDBPyConnection):
    """The planted country's logins are slower than the EU's by about the planted percentage."""
    slow = demo.key["slow_country"]
    rows = dict(
        warehouse.execute(
            "select country, median(difference_to_eu_percent) from gold.response_times_daily "
            "where action = 'login' and attempts > 200 group by country"
        ).fetchall()
    )
    assert max(rows, key=lambda country: rows[country]) == slow["country"]
    assert rows[slow["country"]] == pytest.approx(slow["percent"], abs=4)


def test_texts_of_all_languages_are_one_code(demo: Demo, warehouse: duckdb.DuckDBPyConnection):
    """Silver's error codes are the planted ones, to the row, whatever language said it."""
    counts = dict(
        warehouse.execute(
            "select error_code, count(*) from silver.stg_access__attempts "
            "where status = 'error' group by 1"
        ).fetchall()
    )
    assert counts == demo.key["error_codes"]


def test_every_event_is_in_silver_once(demo: Demo, warehouse: duckdb.DuckDBPyConnection):
    """Re-deliveries and conflicts are among the duplicates, counted by kind."""
    kept = warehouse.execute(
        "select count(*), count(distinct event_id) from silver.stg_access__attempts"
    ).fetchone()
    assert kept == (demo.key["distinct_events"],) * 2
    kinds = dict(
        warehouse.execute(
            "select code, count(*) from silver.int_access__duplicates "
            "where table_name = 'attempts' group by 1"
        ).fetchall()
    )
    duplicates = demo.key["duplicates"]
    assert kinds == {
        "duplicate_exact": duplicates["exact"],
        "duplicate_conflict": duplicates["conflicts"],
    }


def test_statuses_land_under_their_own_names(demo: Demo, warehouse: duckdb.DuckDBPyConnection):
    """Spellings are one status, and what the vocabulary does not know is unclassified."""
    counts = dict(
        warehouse.execute(
            "select status, count(*) from silver.stg_access__attempts group by 1"
        ).fetchall()
    )
    assert counts == demo.key["statuses"]


def test_every_deposit_is_in_silver_once(demo: Demo, warehouse: duckdb.DuckDBPyConnection):
    """With its status, its error code and its amount; re-deliveries are duplicates."""
    kept = warehouse.execute(
        "select count(*), count(distinct event_id) from silver.stg_access__deposit_attempts"
    ).fetchone()
    assert kept == (demo.deposits["distinct_events"],) * 2
    for column, key, where in [
        ("status", "statuses", "true"),
        ("method", "methods", "true"),
        ("error_code", "error_codes", "status = 'error'"),
    ]:
        counts = warehouse.execute(
            f"select {column}, count(*) from silver.stg_access__deposit_attempts "
            f"where {where} group by 1"
        ).fetchall()
        assert dict(counts) == demo.deposits[key]
    amounts = warehouse.execute(
        "select currency, sum(amount_minor) from silver.stg_access__deposit_attempts group by 1"
    ).fetchall()
    assert dict(amounts) == demo.deposits["amounts"]
    doubles = warehouse.execute(
        "select code, count(*) from silver.int_access__duplicates "
        "where table_name = 'deposit_attempts' group by 1"
    ).fetchall()
    assert doubles == [("duplicate_exact", demo.deposits["duplicates"]["exact"])]


def test_the_failing_provider_fails_most(demo: Demo, warehouse: duckdb.DuckDBPyConnection):
    """The planted provider's share of errors in gold is the highest by far."""
    rates = dict(
        warehouse.execute(
            "select provider, sum(attempts) filter (status = 'error') / sum(attempts) "
            "from gold.deposit_attempts_daily group by 1"
        ).fetchall()
    )
    planted = demo.deposits["providers"]
    worst = demo.deposits["failing_provider"]
    assert set(rates) == set(planted)
    assert rates[worst] == pytest.approx(
        planted[worst]["failed"] / planted[worst]["attempts"], abs=0.07
    )
    assert all(rates[worst] > 3 * (rate or 0) for name, rate in rates.items() if name != worst)


def test_amounts_of_many_are_shown(demo: Demo, warehouse: duckdb.DuckDBPyConnection):
    """Hours with enough people show what they deposited, and not more than there is."""
    shown = warehouse.execute(
        "select currency, sum(amount_minor) from gold.deposit_attempts_hourly "
        "where amount_minor is not null group by 1"
    ).fetchall()
    assert dict(shown)["EUR"] > demo.deposits["amounts"]["EUR"] / 4
    assert all(total <= demo.deposits["amounts"][currency] for currency, total in shown)


def test_every_event_of_the_product_is_in_silver_once(
    demo: Demo, warehouse: duckdb.DuckDBPyConnection
):
    """With its type and what its payload says, in whichever spelling it came."""
    kept = warehouse.execute(
        "select count(*), count(distinct event_id) from silver.stg_engagement__events"
    ).fetchone()
    assert kept == (demo.events["distinct_events"],) * 2
    types = warehouse.execute(
        "select event_type, count(*) from silver.stg_engagement__events group by 1"
    ).fetchall()
    assert dict(types) == demo.events["types"]
    stakes = warehouse.execute(
        "select currency, sum(stake_minor) from silver.stg_engagement__events "
        "where event_type = 'bet.placed' group by 1"
    ).fetchall()
    assert dict(stakes) == demo.events["stakes"]
    doubles = warehouse.execute(
        "select code, count(*) from silver.int_engagement__duplicates group by 1"
    ).fetchall()
    assert doubles == [("duplicate_exact", demo.events["duplicates"]["exact"])]


def test_entries_are_told_from_events(demo: Demo, warehouse: duckdb.DuckDBPyConnection):
    """By step and category; a decision and what it is about have one pseudonym."""
    counts = warehouse.execute(
        "select step, category, count(*) from silver.int_engagement__submissions group by all"
    ).fetchall()
    assert {(step, category): number for step, category, number in counts} == {
        (step, category): number
        for step, of_step in demo.events["submissions"].items()
        for category, number in of_step.items()
    }
    entries = warehouse.execute(
        "select count(distinct submission_key) from silver.int_engagement__submissions"
    ).fetchone()
    assert entries == (sum(demo.events["submissions"]["created"].values()),)


def test_what_the_registry_refuses_waits(demo: Demo):
    """The dead letters of the demo are the planted ones, by file and code."""
    for batch in [b for b in read_books(demo.home)[0] if b.table_name == "platform_events"]:
        assert batch.problem is None
    letters = bronze.query(
        demo.home,
        ["dead_letters"],
        "select code, count(*) as letters from bronze.dead_letters "
        "where table_name = 'platform_events' group by code",
    )
    planted = demo.events["files"]["platform_events-02.jsonl"]["rejected"]
    assert {row["code"]: row["letters"] for row in letters.to_pylist()} == planted
