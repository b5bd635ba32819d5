"""Trends agree with numpy and scipy, find what is planted, and are seldom wrong."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from compiled import compile_models, sandbox
from trend_series import (
    MONDAY,
    WINDOW,
    Judgement,
    Series,
    judged,
    quiet_counts,
    quiet_rates,
    quiet_times,
)

LONG = os.environ.get("ASSAY_LONG") == "1"
COMPARED = 2000 if LONG else 200  # of a series, the last so many periods
CATALOGUE = re.compile(r"catalogue as \(.*?\n\),", re.DOTALL)
SCHEMA = pa.schema(
    {
        "name": pa.string(),
        "category": pa.string(),
        "period": pa.string(),
        "period_start": pa.timestamp("us"),
        "value": pa.float64(),
        "subjects": pa.int64(),
        "is_complete": pa.bool_(),
        "updated_at": pa.timestamp("us"),
    }
)  # fmt: skip
TREND = "window_points, z_score, slope, pattern"


@pytest.fixture(scope="module")
def sql() -> str:
    """The model as it is compiled for a first build, with a catalogue of the test's own."""
    compiled = compile_models("metric_trends")["metric_trends"]["compiled_code"]
    replaced, found = CATALOGUE.subn("catalogue as (select * from own_catalogue),", compiled)
    assert found == 1
    return replaced


def trends(sql: str, many: list[Series], columns: str = TREND) -> dict[str, list[tuple[Any, ...]]]:
    """What the model says of each series, period by period."""
    with sandbox() as connection:
        rows = pa.Table.from_pylist([row for series in many for row in series.rows()], SCHEMA)
        catalogue = pa.Table.from_pylist(
            [
                {
                    "name": series.name,
                    "direction": "up_is_good",
                    "is_additive": series.is_additive,
                    "spike": series.spike,
                }
                for series in many
            ]
        )
        connection.register("rows_of_metrics", rows)
        connection.register("own_catalogue", catalogue)
        connection.execute("attach ':memory:' as warehouse; create schema warehouse.gold")
        connection.execute("create table warehouse.gold.metrics as select * from rows_of_metrics")
        connection.execute(f"create table trends as {sql}")
        return {
            series.name: connection.execute(
                f"select {columns} from trends where name = ? order by period_start", [series.name]
            ).fetchall()
            for series in many
        }


def strange_series(dice: random.Random) -> list[Series]:
    """Series with nulls, ties, zeros, constants, leaps and falls, in every period."""
    rng = np.random.default_rng(dice.randrange(2**32))
    made = []
    for period, periods in {"hour": 168 * 19, "day": 7 * 30, "week": 60, "month": 40}.items():
        for kind in ("counts", "few", "constant", "zeros", "rates", "rising", "falling"):
            values = {
                "counts": lambda n: rng.poisson(40, n).astype(float),
                "few": lambda n: rng.choice([0.0, 0.0, 0.0, 10.0, 11.0], n),
                "constant": lambda n: np.where(rng.random(n) < 0.02, 9.0, 5.0),
                "zeros": lambda n: np.where(rng.random(n) < 0.01, 100.0, 0.0),
                "rates": lambda n: rng.binomial(20, 0.9, n) / 20,
                "rising": lambda n: 1000 + np.cumsum(rng.normal(3, 5, n)),
                "falling": lambda n: 20_000 - np.cumsum(rng.normal(9, 15, n)),
            }[kind](periods)
            values[rng.random(periods) < 0.05] = np.nan
            values[rng.random(periods) < 0.02] *= 4
            values[rng.random(periods) < 0.02] *= 0.1
            subjects = rng.integers(20, 90, periods).astype(float)
            made.append(Series(f"{kind} {period}", period, values, subjects, kind != "rates"))
    return made


def is_same(found: tuple[Any, ...], expected: Judgement) -> bool:
    points, z_score, slope, pattern = found
    return (points, pattern) == (expected.window_points, expected.pattern) and all(
        ours == theirs if ours is None or theirs is None else abs(ours - theirs) < 1e-9
        for ours, theirs in ((z_score, expected.z_score), (slope, expected.slope))
    )


def differing(found: dict[str, list[tuple[Any, ...]]], many: list[Series]) -> int:
    """How many of the last periods are judged otherwise by numpy and scipy."""
    return sum(
        not is_same(one, other)
        for series in many
        for one, other in zip(found[series.name][-COMPARED:], expected(series), strict=True)
    )


@cache
def expected(series: Series) -> list[Judgement]:
    return judged(series, min(COMPARED, len(series.values)))


def test_every_trend_is_that_of_scipy(
    sql: str, dice: random.Random, tell: Callable[[str], None]
) -> None:
    many = strange_series(dice)
    found = trends(sql, many)
    assert differing(found, many) == 0
    patterns = [pattern for rows in found.values() for *_, pattern in rows[-COMPARED:]]
    counts = {str(pattern): patterns.count(pattern) for pattern in set(patterns)}
    assert set(counts) == {"None", "flat", "spike", "drop", "up", "down"}
    tell(f"{len(patterns)} trends agree: {counts}")


@cache
def of_a_fixed_seed() -> list[Series]:
    return [series for series in strange_series(random.Random(7)) if series.period == "day"]


FAULTS = {
    "another constant": ("0.6745", "1.0"),
    "a window that is too long": (f"past.place + {WINDOW}", f"past.place + {WINDOW + 1}"),
    "the median of a slope's sign": ("quantile_cont(slope, 0.5)", "quantile_cont(slope, 0.4)"),
    "no season": ("when 'day' then extract(dayofweek from period_start)", "when 'day' then 0"),
    "no step beside deviations of 0": ("spreads.mean_deviation > 0", "false"),
    "no span beside the window": ("spreads.highest + (spreads.highest", "spreads.highest + 0 * (0"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_model_is_seen(fault: str, sql: str) -> None:
    right, wrong = FAULTS[fault]
    assert right in sql
    many = of_a_fixed_seed()
    assert differing(trends(sql.replace(right, wrong), many), many) > 0


def quiet_series(rng: np.random.Generator, weeks: dict[str, int]) -> list[Series]:
    """Counts, rates and response times of businesses of all sizes on which nothing happens."""
    made = []
    for (period, span), a_day, scatter in product(
        weeks.items(), (30, 300, 3000, 30_000), (0.0, 0.05, 0.1)
    ):
        counts = quiet_counts(rng, period, span, a_day, scatter)
        kinds = {
            "count": counts,
            "rate": quiet_rates(rng, counts, 0.8),
            "small rate": quiet_rates(rng, counts, 0.05),
            "time": quiet_times(rng, counts),
        }
        for kind, values in kinds.items():
            name = f"{kind} {a_day} {scatter} {period}"
            made.append(Series(name, period, values, counts, kind == "count"))
    return made


def test_false_alarms_are_rare(sql: str, dice: random.Random, tell: Callable[[str], None]) -> None:
    """At most one in 1,000 periods that are held against a window, however small the business."""
    rng = np.random.default_rng(dice.randrange(2**32))
    weeks = {"hour": 20, "day": 70, "week": 200} if LONG else {"hour": 17, "day": 28, "week": 40}
    many = quiet_series(rng, weeks)
    rows = [row for rows in trends(sql, many).values() for row in rows]
    held = [(z, pattern) for points, z, _, pattern in rows if points and points >= 12]
    alarms = sum(pattern in ("spike", "drop") for _, pattern in held)
    trending = sum(pattern in ("up", "down") for _, pattern in held)
    plain = sum(abs(z or 0) >= 3.5 for z, _ in held)
    per_thousand = [1000 * n / len(held) for n in (alarms, trending, plain)]
    said = "{} quiet periods: {:.2f} alarms, {:.2f} trends, {:.1f} by the z-score alone in 1,000"
    tell(said.format(len(held), *per_thousand))
    assert len(held) > 10_000
    assert per_thousand[0] <= 1
    assert per_thousand[1] <= 1
    assert per_thousand[2] > 10  # else the conditions beside the score would not be needed


def planted(rng: np.random.Generator, what: str) -> Series:
    """Twenty-four weeks of about 3,000 a day, and something on the last day or all along."""
    values = quiet_counts(rng, "day", 24, 3000, 0.05)
    weeks = np.arange(len(values)) // 7
    match what:
        case "spike" | "burst":
            values[-1] *= 2
        case "drop":
            values[-1] *= 0.3
        case "up":
            values *= 1.03**weeks
        case "down":
            values *= 0.97**weeks
    return Series(what, "day", values, values, spike="burst" if what == "burst" else "spike")


@pytest.mark.parametrize("what", ["spike", "burst", "drop", "up", "down"])
def test_what_is_planted_is_found(what: str, sql: str, dice: random.Random) -> None:
    """Every time, whatever the noise; a burst is the spike of a metric that says so."""
    rng = np.random.default_rng(dice.randrange(2**32))
    verdict = "bad" if what in ("drop", "down") else "good"
    for _ in range(10):
        (*_, last) = trends(sql, [planted(rng, what)], "pattern, verdict")[what]
        assert last == (what, verdict)


def test_changes_are_against_the_period_before_and_a_week_before(sql: str) -> None:
    values = np.array([0.0, 10, 20, 30, 40, 50, 60, 5, 15, np.nan, 15])
    series = Series("changes", "day", values, np.full(len(values), 90.0))
    columns = "value_change, value_change_percent, season_change, season_change_percent"
    found = trends(sql, [series], columns)["changes"]
    assert found[0] == (None, None, None, None)
    assert found[1] == (10, None, None, None)  # the day before was 0
    assert found[2] == (10, 100, None, None)
    assert found[7] == (-55, pytest.approx(-55 / 60 * 100), 5, None)
    assert found[8] == (10, 200, 5, 50)
    assert found[9] == (None, None, None, None)
    assert found[10] == (None, None, -15, -50)


def test_a_week_has_no_season(sql: str) -> None:
    series = Series("weeks", "week", np.array([10.0, 20.0]), np.array([90.0, 90.0]))
    columns = "period_start, value_change, season_change"
    assert trends(sql, [series], columns)["weeks"] == [
        (MONDAY, None, None),
        (MONDAY.replace(day=8), 10, None),
    ]
