"""Silver of the demo's games says to the minor unit what was taken down while they were written."""

from __future__ import annotations

import shutil
from collections import Counter
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import Demo, run_dbt

from loaders.home import Home
from loaders.landing.batches import land_file

Sums = dict[tuple[str, str, str], dict[str, int]]

# The figures of a brand, currency and day, by the fact that they are of.
FIGURES = {
    "int_gaming__bets": (
        "state = 'settled'",
        "settled_at",
        {
            "bets": "count(*)",
            "players": "count(distinct user_key)",
            **{
                f"{base}{name}_minor": f"sum({base}{name}_minor)"
                for base in ("", "base_")
                for name in ("stake", "win", "jackpot_contribution", "commission")
            },
        },
    ),
    "int_gaming__bonuses": (
        "true",
        "occurred_at",
        {
            f"{base}bonus_{step}_minor": f"sum({base}amount_minor) filter (step = '{step}')"
            for base in ("", "base_")
            for step in ("issued", "consumed")
        },
    ),
    "int_gaming__payments": (
        "is_captured",
        "occurred_at",
        {
            f"{base}{step}_minor": f"sum({base}{step}_minor)"
            for base in ("", "base_")
            for step in ("captured", "refunded")
        },
    ),
    "int_gaming__deposits": (
        "movement = 'withdrawal'",
        "occurred_at",
        {"withdrawn_minor": "-sum(net_minor)", "base_withdrawn_minor": "-sum(base_net_minor)"},
    ),
}


@pytest.fixture(scope="module")
def warehouse(demo: Demo) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str(demo.home.warehouse), read_only=True)


@pytest.fixture(scope="module")
def key(demo: Demo) -> dict[str, Any]:
    return dict(demo.events["games"])


def in_silver(warehouse: duckdb.DuckDBPyConnection) -> Sums:
    """All figures of the facts, by brand, currency and day."""
    found: Sums = {}
    for fact, (condition, moment, figures) in FIGURES.items():
        rows = warehouse.execute(
            f"select brand, currency, cast({moment} as date), {', '.join(figures.values())} "
            f"from silver.{fact} where {condition} group by all"
        ).fetchall()
        for brand, currency, day, *values in rows:
            cell = found.setdefault((brand, currency, day.isoformat()), {})
            cell |= dict(zip(figures, (int(value or 0) for value in values), strict=True))
    return found


def in_key(key: dict[str, Any]) -> Sums:
    return {
        (brand, currency, day): figures
        for brand, currencies in key["sums"].items()
        for currency, days in currencies.items()
        for day, figures in days.items()
    }


def test_sums_are_exact(key: dict[str, Any], warehouse: duckdb.DuckDBPyConnection) -> None:
    """Per brand, currency and day, in minor units and in euro cents."""
    expected, found = in_key(key), in_silver(warehouse)
    assert expected.keys() == found.keys()
    for cell, figures in expected.items():
        names = figures.keys() | found[cell].keys()
        assert {n: found[cell].get(n, 0) for n in names} == {n: figures.get(n, 0) for n in names}
    assert {currency for _, currency, _ in expected} == {"EUR", "TRY", "JPY", "KWD"}
    assert all(figures["players"] >= 10 for figures in expected.values()), "cells would be hidden"


@pytest.mark.parametrize(
    ("what", "fact", "column"),
    [
        ("bets", "int_gaming__bets", "state"),
        ("payments", "int_gaming__payments", "status"),
        ("quarantined", "int_gaming__quarantined", "code"),
    ],
)
def test_everything_is_somewhere(
    key: dict[str, Any], warehouse: duckdb.DuckDBPyConnection, what: str, fact: str, column: str
) -> None:
    counts = warehouse.execute(f"select {column}, count(*) from silver.{fact} group by 1")
    assert dict(counts.fetchall()) == key[what]


def test_money_is_counted_once(key: dict[str, Any], warehouse: duckdb.DuckDBPyConnection) -> None:
    """Net deposits are what was captured, less refunds and withdrawals, and no credit twice."""
    expected: Counter[str] = Counter()
    for (_, currency, _), figures in in_key(key).items():
        expected[currency] += figures.get("captured_minor", 0)
        expected[currency] -= figures.get("refunded_minor", 0) + figures.get("withdrawn_minor", 0)
    net = warehouse.execute(
        "select currency, cast(sum(net_minor) as int64) from silver.int_gaming__deposits group by 1"
    )
    assert dict(net.fetchall()) == expected


def test_active_people(key: dict[str, Any], warehouse: duckdb.DuckDBPyConnection) -> None:
    rows = warehouse.execute(
        "select brand, active_on, count(distinct user_key) "
        "from silver.int_gaming__activity group by all"
    ).fetchall()
    assert {(brand, day.isoformat()): people for brand, day, people in rows} == {
        (brand, day): people
        for brand, days in key["active"].items()
        for day, people in days.items()
    }


def test_cohorts(key: dict[str, Any], warehouse: duckdb.DuckDBPyConnection) -> None:
    """On the days of the brands' time zones, one of which has summer time."""
    rows = warehouse.execute(
        "select cohort_kind, brand, cohort_date, count(*) from silver.int_gaming__cohorts "
        "where brand != 'unknown' group by all"
    ).fetchall()
    assert {(kind, brand, day.isoformat()): members for kind, brand, day, members in rows} == {
        (kind, brand, day): members
        for kind, brands in key["cohorts"].items()
        for brand, days in brands.items()
        for day, members in days.items()
    }


def test_a_rate_that_lands_late_brings_its_bets_in(demo: Demo, tmp_path: Path) -> None:
    """To the cent, at the rate that landed first; another one for the day changes nothing."""
    assert demo.events["games"]["quarantined"]["fx_rate_missing"] > 50
    home = Home(tmp_path / "home")
    skip = shutil.ignore_patterns("demo", "target", "logs", "published*")
    shutil.copytree(demo.home.path, home.path, ignore=skip)
    first = min(day for _, _, day in in_key(demo.events["games"]))
    for number, rate in enumerate(("3.0149", "2")):
        file = tmp_path / f"rates-{number}.csv"
        file.write_text(f"date,currency,rate\n{first},KWD,{rate}\n", encoding="utf-8")
        land_file(home, "fx_rates", file)
    # The view names the home; the tables are as of a build.
    built = ("int_gaming__fx_rates", "int_gaming__valued_bets", "int_gaming__quarantined")
    run_dbt(home, "run", "--select", *built)
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        left = warehouse.execute("select distinct code from silver.int_gaming__quarantined")
        assert left.fetchall() == [("currency_unknown",)]
        bets = warehouse.execute(
            "select stake_minor, base_stake_minor from silver.int_gaming__bets "
            "where currency = 'KWD' and state = 'settled' and cast(settled_at as date) = ?",
            [date.fromisoformat(first)],
        ).fetchall()
    assert len(bets) > 10
    for stake, in_euro in bets:
        cents = Decimal(stake) / 1000 * Decimal("3.0149") * 100
        assert in_euro == cents.quantize(Decimal(1), ROUND_HALF_UP)
