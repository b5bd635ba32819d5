"""No small number of steps in challenges follows from their marts and metrics, exactly.

What a day hides of a join its week may tell, and else its month; what no day publishes, the month
alone. An attacker who knows all published numbers, and which atoms each counts, adds and subtracts.
ASSAY_LONG=1 tries 120 tables of each step instead of 12.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

import pytest
from challenge_space import (
    FACT,
    FIXED_SEED,
    FRESH_SEED,
    MARTS,
    RESULTS,
    TABLES,
    Row,
    audit,
    build,
    random_steps,
)
from compiled import compile_models

PERFORMANCE, WEEKLY = MARTS


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    return compile_models(f"{FACT}+")


@pytest.fixture(scope="module")
def steps() -> list[Row]:
    return list(random_steps(FIXED_SEED))


def test_every_mart_of_the_fact_is_audited(models: dict[str, Any]) -> None:
    """Metrics and their calendar are of the labels of days: counts_of_metrics."""
    readers = {n for n, m in models.items() if f"model.assay.{FACT}" in m["depends_on"]["nodes"]}
    assert readers - {"metric_time_series", "int_metrics__hours"} == set(MARTS)


@pytest.mark.parametrize("seed", [FIXED_SEED, FRESH_SEED], ids=["fixed seed", "fresh seed"])
def test_nothing_small_follows(models: dict[str, Any], seed: int) -> None:
    print(f"seed {seed}")
    tables = audit(models, list(random_steps(seed)))
    small = sum(table.is_small(atoms) for table in tables for _, atoms in table.questions())
    disclosed = [table.disclosed() for table in tables]
    print(
        f"{len(tables)} tables, {sum(len(t.members) for t in tables)} atoms, "
        f"{sum(len(t.published) for t in tables)} published totals, {small} small numbers asked "
        f"for: {sum(map(bool, disclosed))} tables with one disclosed"
    )
    assert len(tables) == TABLES * len(RESULTS)
    assert small > 1000
    assert not any(disclosed)


def test_random_tables_reach_every_branch(models: dict[str, Any], steps: list[Row]) -> None:
    """Else the audit would prove little: outcomes are told first of a day, a week and a month."""
    labelled, (performance, weekly) = build(models, steps)
    told: Counter[str] = Counter()
    for row in labelled:
        labels = ("outcome", "week_outcome", "month_outcome")
        if row["step"] == "joined" and row["is_published"]:
            told[next((label for label in labels if row[label] != "Other"), "never")] += 1
        if not row["is_published"]:
            told["month alone" if row["is_in_month"] else "nowhere"] += 1
        if row["step"] == "won":
            told[f"place {row['month_rank'] != 'Other'}"] += 1
    print(dict(told))
    assert len(told) == 8
    assert min(told.values()) >= 5
    rated = Counter(r["period"] for r in performance if r["completion_rate"] is not None)
    assert min(rated[period] for period in ("day", "week", "month")) >= 5
    for column in ("views", "participants", "completed"):
        assert {row[column] is None for row in weekly} == {True, False}


LEAKS = {
    "a week tells every outcome": (FACT, "week_verdicts.verdict = 'alone'", "true"),
    "a month tells every outcome": (FACT, "month_verdicts.verdict = 'alone'", "true"),
    "a month tells every place": (FACT, "monthly_rank_verdicts.verdict = 'alone'", "true"),
    "a month tells every challenge": (FACT, "monthly_challenge_verdicts.verdict = 'alone'", "true"),
    "a week reaches over two months": (FACT, "as part_of_week", "as day, {week} as part_of_week"),
    "a week tells outcomes of Other": (WEEKLY, "tells_joins then completed", "true then completed"),
    "a week counts what it hides": (WEEKLY, "joins_not_told, 0) = 0", "joins_not_told, 0) >= 0"),
}
FROM_FACT = f'from "warehouse"."silver"."{FACT}"'
HALF_TRUTHS = {
    "a week is what is told of it": (WEEKLY, FROM_FACT, f"{FROM_FACT} where challenge != 'Other'"),
    "a rate is of what is told": (PERFORMANCE, "outcome = 'Other' then 1", "false then 1"),
}


def planted(models: dict[str, Any], model: str, right: str, wrong: str) -> dict[str, Any]:
    sql = models[model]["compiled_code"]
    assert right in sql
    return {**models, model: {**models[model], "compiled_code": sql.replace(right, wrong)}}


@pytest.mark.parametrize("fault", LEAKS)
def test_a_planted_leak_is_seen(fault: str, models: dict[str, Any], steps: list[Row]) -> None:
    model, right, wrong = LEAKS[fault]
    wrong = wrong.format(week="cast(date_trunc('week', occurred_at) as date)")
    tables = audit(planted(models, model, right, wrong), steps)
    leaking = sum(bool(table.disclosed()) for table in tables)
    print(f"{fault}: {leaking} of {len(tables)} tables leak")
    assert leaking > 0


@pytest.mark.parametrize("fault", HALF_TRUTHS)
def test_a_figure_of_a_part_is_seen(fault: str, models: dict[str, Any], steps: list[Row]) -> None:
    with pytest.raises(AssertionError, match="of a part"):
        audit(planted(models, *HALF_TRUTHS[fault]), steps)


def one_open_join_a_day() -> list[Row]:
    """Two days on each of which one join stays open, but for those of an hour of the first."""
    hours = [(5, 10, ["open"] * 12), *((d, 11, ["completed"] * 9 + ["open"]) for d in (5, 6))]
    return [
        {
            "event_id": f"h{day}-{hour}-{number}",
            "batch_id": "b",
            "table": 0,
            "user_key": f"p{day}-{hour}-{number}",
            "step": "joined",
            "challenge": "alpha",
            "rank": None,
            "outcome": outcome,
            "occurred_at": datetime(2026, 1, day, hour),
        }
        for day, hour, outcomes in hours
        for number, outcome in enumerate(outcomes)
    ]


def test_an_hour_does_not_split_a_day_that_hides_outcomes(models: dict[str, Any]) -> None:
    """The week tells 14 open joins; less the 12 of an hour they would be those of two people."""
    (table,) = audit(models, one_open_join_a_day())
    assert not table.disclosed()
    fault = planted(models, FACT, "when published_outcome != 'Other'", "when true")
    (table,) = audit(fault, one_open_join_a_day())
    assert table.disclosed()
