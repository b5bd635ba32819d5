"""What is planted in the demo is what gold says, and only that."""

from __future__ import annotations

from datetime import datetime

import duckdb
import pytest
from conftest import Demo

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
            "select code, count(*) from silver.int_access__duplicates group by 1"
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
