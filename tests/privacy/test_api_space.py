"""Days of a partner and hours of all partners, together, say nothing of few calls.

Calls of random tables are labelled, and every number of the two marts of calls is held against the
rows that it counts. ASSAY_LONG=1 tries 60 tables instead of 6; ASSAY_SEED repeats a run.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from compiled import compile_models, sandbox
from row_space import inseparable_sets

from loaders.home import Home

TABLES = 60 if os.environ.get("ASSAY_LONG") == "1" else 6
K, SAFE_ROWS = 10, 100
FACT, DAYS, HOURS = (
    *("int_claims__published_api_calls", "verification_metrics_daily", "api_usage_hourly"),
)
DAY = datetime(2026, 3, 2)

Row = dict[str, Any]
Ones = frozenset[int]


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    return compile_models(f"{DAYS} {HOURS} {FACT}")


def random_calls(dice: random.Random) -> list[Row]:
    """Calls of partners large and small, some hours and some answers of which are rare."""
    rows: list[Row] = []
    for partner, size in (
        ("p1", 400),
        ("p2", dice.choice((20, 200))),
        ("p3", dice.choice((4, 60))),
    ):
        for _ in range(size):
            status = dice.choices((200, 404, 503, None), (20, 3, 1, 1))[0]
            is_call = dice.random() < 0.8
            rows.append(
                {
                    "event_id": f"e{len(rows)}",
                    "batch_id": "b",
                    "partner_id": partner,
                    "api_endpoint": dice.choice(("/claims", "/proofs")),
                    "is_call": is_call,
                    "is_success": is_call and status == 200,
                    "http_status": status if is_call else None,
                    "status_class": (f"{status // 100}xx" if status else "unknown")
                    if is_call
                    else "none",
                    "verification_result": None if is_call else "verified",
                    "response_ms": 10.0,
                    "subject_key": f"u{dice.randrange(size)}",
                    "occurred_at": DAY + timedelta(hours=dice.choices((9, 10, 23), (9, 6, 1))[0]),
                }
            )
    return rows


def labelled(home: Home, models: dict[str, Any], calls: list[Row]) -> tuple[list[Row], list[Row]]:
    """The rows with the labels under which they are published, and the rows of the hourly mart."""
    with sandbox(home) as database:
        database.execute("attach ':memory:' as warehouse")
        for schema in ("silver", "gold"):
            database.execute(f"create schema warehouse.{schema}")
        database.register("given", pa.Table.from_pylist(calls))
        database.execute("create table warehouse.silver.int_claims__api_calls as from given")
        for name in (FACT, HOURS):
            node = models[name]
            database.execute(f"create table {node['relation_name']} as {node['compiled_code']}")
        fact, hours = (
            database.sql(f"from {models[name]['relation_name']}").to_arrow_table().to_pylist()
            for name in (FACT, HOURS)
        )
    return list(fact), list(hours)


def told(rows: list[Row], keys: tuple[str, ...]) -> Iterator[tuple[tuple[Any, ...], Ones]]:
    """Each cell, and the rows that its numbers count."""
    for cell in {tuple(row[key] for key in keys) for row in rows}:
        counted = [n for n, row in enumerate(rows) if tuple(row[key] for key in keys) == cell]
        yield cell, frozenset(rows[n]["number"] for n in counted)


def small(rows: list[Row], sets: list[Ones]) -> int:
    """How many sets that no number tells apart are of few people and few calls."""
    people = {row["number"]: row["subject_key"] for row in rows}
    return sum(
        len({people[one] for one in ones}) < K and len(ones) < SAFE_ROWS
        for ones in inseparable_sets(sets)
    )


def numbered(rows: list[Row]) -> list[Row]:
    return [row | {"number": number} for number, row in enumerate(rows)]


def test_days_and_hours_tell_nothing_small(
    home: Home, models: dict[str, Any], dice: random.Random
) -> None:
    """And hours are told at all. The twin, which tells each endpoint's hours as they are, leaks."""
    shown = leaks = 0
    for _ in range(TABLES):
        calls = random_calls(dice)
        fact, mart = labelled(home, models, calls)
        hour_of = {call["event_id"]: call["occurred_at"] for call in calls}
        rows = numbered([row for row in fact if row["is_published"]])
        days = [ones for _, ones in told(rows, ("called_on", "partner_id", "api_endpoint"))]
        in_hours = [r for r in rows if r["called_hour"] and r["status_class"] != "none"]
        hours = dict(told(in_hours, ("called_hour", "api_endpoint", "status_class")))
        counts = {
            (row["period_start"], row["api_endpoint"], row["status_class"]): row["events"]
            for row in mart
        }
        assert counts == {cell: len(ones) for cell, ones in hours.items()}
        assert small(rows, [*days, *hours.values()]) == 0
        shown += len(hours)
        naive = [row | {"hour": hour_of[row["event_id"]]} for row in rows]
        leaks += small(rows, [*days, *(o for _, o in told(naive, ("hour", "api_endpoint")))])
    print(f"{TABLES} tables, {shown} hours told; the twin tells {leaks} small sets")
    assert shown
    assert leaks
