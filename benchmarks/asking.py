"""Point queries on published gold, in process, in the shapes that an API asks for.

They are asked through the views that every reader has, over one connection that stays open, of the
days that the games tell of.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import duckdb
from figures import Row, Spread, at_most, number, percentile
from gaming import HOME
from measuring import Bench

from loaders.home import Home

TIMES, FIRST = 60, 3
GOAL_MS = 20


@dataclass(frozen=True, slots=True)
class Question:
    """A query of one mart, of the days since one."""

    what: str
    mart: str
    since: date
    sql: str


def section(bench: Bench) -> Iterator[Row]:
    """Rows of each shape."""
    home = Home(bench.folder / HOME / "home")
    with duckdb.connect(str(home.published_file), read_only=True) as gold:
        found = gold.execute("select max(ts) from gold.gaming_time_series").fetchone()
        until = found[0] if found and found[0] else datetime(2026, 1, 1)
        for question in questions(until):
            taken, rows = asked(gold, question.sql)
            yield Row(
                question.what,
                f"{rows:,} rows; p50 {number(percentile(taken, 50))} ms",
                Spread.of(percentile(taken, 95)),
                "ms, p95",
                goal=at_most(GOAL_MS),
            )


def asked(gold: duckdb.DuckDBPyConnection, sql: str, times: int = TIMES) -> tuple[list[float], int]:
    """Milliseconds of each time but the first, answers fetched, and how many rows there are."""
    taken, rows = [], 0
    for _ in range(FIRST + times):
        begun = time.perf_counter()
        rows = len(gold.execute(sql).fetchall())
        taken.append(1000 * (time.perf_counter() - begun))
    return taken[FIRST:], rows


def questions(until: datetime) -> list[Question]:
    """By requirement: S2-20 and 21, S2-23, S2-24, S2-32, S2-33."""
    series = [
        (
            f"timeseries {granularity}, {days} days",
            "gaming_time_series",
            days,
            f"""
            select ts, currency, sum(ggr_minor), sum(bets), sum(win_minor) / sum(stake_minor)
            from gold.gaming_time_series
            where granularity = '{granularity}' and brand = 'play' and ts >= date '$since'
            group by ts, currency
            order by ts, currency
            """,
        )
        for granularity, days in (("1m", 1), ("5m", 1), ("1h", 7), ("1d", 30))
    ]
    others = [
        (
            "slice: 50 games of 7 days by GGR",
            "gaming_cube_hourly",
            7,
            """
            select game_id, sum(ggr_minor) as value
            from gold.gaming_cube_hourly
            where brand = 'play' and period_start >= date '$since'
            group by game_id
            order by value desc
            limit 50
            """,
        ),
        (
            "funnel: steps of payments in 30 days",
            "payment_funnel_daily",
            30,
            """
            select step, step_name, sum(people)
            from gold.payment_funnel_daily
            where brand = 'play' and period_start >= date '$since'
            group by step, step_name
            order by step
            """,
        ),
        (
            "retention: a month of cohorts, days 1, 7, 14, 30",
            "retention_cohorts",
            31,
            """
            select cohort_date, cohort_kind, day, size, returned
            from gold.retention_cohorts
            where brand = 'play' and day in (1, 7, 14, 30) and cohort_date >= date '$since'
            order by cohort_date, cohort_kind, day
            """,
        ),
        (
            "LTV: cohorts by day, 90 days",
            "ltv_cohorts",
            90,
            """
            select cohort_date, day, ltv_minor
            from gold.ltv_cohorts
            where currency = 'EUR' and cohort_date >= date '$since'
            order by cohort_date, day
            """,
        ),
    ]
    made = []
    for what, mart, days, sql in [*series, *others]:
        since = until.date() - timedelta(days=days)
        made.append(Question(what, mart, since, sql.replace("$since", since.isoformat())))
    return made
