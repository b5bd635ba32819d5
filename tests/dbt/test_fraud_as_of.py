"""What was known as of a day is what was shown on that day, also when more is known by now.

Random decisions, with labels that come late, are taken back, or never come. On each day the marts
are built of what had been sent by then; in the end they are built as of each of these days, of all
that was sent. ASSAY_LONG=1 goes through 60 days instead of 10; ASSAY_SEED repeats a run.
"""

from __future__ import annotations

import os
import random
from datetime import date, datetime, timedelta
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from compiled import compile_models, sandbox
from pandas.testing import assert_frame_equal

pytestmark = pytest.mark.slow

DAYS = 60 if os.environ.get("ASSAY_LONG") == "1" else 10
A_DAY, MATURITY = 90, 30
FIRST = date(2026, 3, 1)
NEVER = "1999-12-31"  # stands for the day in the compiled SQL
VIEW, FACT, MARTS = (
    "int_fraud__decisions",
    "int_fraud__published_decisions",
    ("fraud_metrics", "model_performance_daily"),
)
COMPUTED_AT = ["labelled_at", "updated_at"]

Row = dict[str, Any]
Sent = tuple[list[Row], list[Row]]


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    """As they are built, and the view as of a day."""
    found = compile_models(f"{VIEW} {FACT} {' '.join(MARTS)}")
    as_of = compile_models(VIEW, fraud_as_of=NEVER)[VIEW]
    assert NEVER in as_of["compiled_code"] and NEVER not in found[VIEW]["compiled_code"]
    return found | {"as_of": as_of}


def sent_by(dice: random.Random) -> Sent:
    """Decisions of all days, the first of them before those that are looked at, and outcomes."""
    decisions, outcomes = [], []
    for day in range(DAYS + MATURITY):
        share = dice.choice((0.2, 0.3, 0.5))
        for number in range(A_DAY):
            at = datetime.combine(FIRST, datetime.min.time()) + timedelta(
                days=day, hours=dice.choice((9, 10, 17)), seconds=dice.randrange(3600)
            )
            name = f"{day}-{number}"
            decision = dice.choices(("approved", "declined", "review"), (2, 1, 1))[0]
            decisions.append(
                {
                    "event_id": f"d{name}",
                    "batch_id": f"b{day}",
                    "transaction_key": f"t{name}",
                    "customer_key": f"c{number}",
                    "device_key": "phone",
                    "merchant_key": "m",
                    "decision": decision,
                    "final_score": 0.5,
                    "model_version": "v1" if number % 3 else "v2",
                    "rule_version": "r1",
                    "model_provider": "local",
                    "model_latency_ms": float(dice.randrange(90)),
                    "rule_latency_ms": None,
                    "total_latency_ms": float(dice.randrange(900)),
                    "merchant_category": dice.choice(("travel", None)),
                    "channel": "web",
                    "country": "DE",
                    "currency": "EUR",
                    "experiment_id": None,
                    "variant_id": None,
                    "is_fraud": None,
                    "is_chargeback": None,
                    "decided_at": at,
                    "ingested_at": at,
                }
            )
            is_fraud = dice.random() < share
            for told in range(dice.choice((0, 1, 1, 1, 2) if is_fraud else (0, 0, 1))):
                late = timedelta(days=day % 4 + 4 * told, seconds=dice.randrange(3600))
                outcomes.append(
                    {
                        "event_id": f"o{told}-{name}",
                        "batch_id": f"x{day}",
                        "transaction_key": f"t{name}",
                        "is_fraud": is_fraud if told == 0 else dice.random() < 0.5,
                        "is_chargeback": dice.choice((True, None)) if is_fraud else None,
                        "false_positive_cost_minor": dice.choice((None, 500)),
                        "overridden_decision": dice.choice((None, "approved", "review")),
                        "is_authorized": None,
                        "is_converted": dice.choice((True, False, None)),
                        "recorded_at": at + late,
                    }
                )
    return decisions, outcomes


def until(sent: Sent, day: date) -> Sent:
    decisions, outcomes = sent
    return (
        [row for row in decisions if row["decided_at"].date() <= day],
        [row for row in outcomes if row["recorded_at"].date() <= day],
    )


def open_warehouse(sent: Sent) -> duckdb.DuckDBPyConnection:
    database = sandbox()
    database.execute("attach ':memory:' as warehouse")
    database.execute("create schema warehouse.silver; create schema warehouse.gold")
    costs = [{"currency": "EUR", "merchant_category": "travel", "cost_minor": 60}]
    tables = {
        "stg_fraud__decisions": sent[0],
        "stg_fraud__outcomes": sent[1],
        "false_positive_costs": costs,
    }
    for name, rows in tables.items():
        database.register("given", pa.Table.from_pylist(rows))
        database.execute(f"create table warehouse.silver.{name} as from given")
    for column in ("is_fraud", "is_chargeback"):
        database.execute(
            f"alter table warehouse.silver.stg_fraud__decisions alter {column} type boolean"
        )
    database.execute(
        "alter table warehouse.silver.stg_fraud__decisions alter rule_latency_ms type double"
    )
    return database


def shown(
    database: duckdb.DuckDBPyConnection, models: dict[str, Any], view: str
) -> dict[str, pd.DataFrame]:
    """All rows of the marts, made of a view of the decisions, in the order of their keys."""
    name = models[VIEW]["relation_name"]
    database.execute(f"create or replace table {name} as {view}")
    for model in (FACT, *MARTS):
        node = models[model]
        database.execute(
            f"create or replace table {node['relation_name']} as {node['compiled_code']}"
        )
    return {
        mart: database.sql(f"from {models[mart]['relation_name']} order by all")
        .df()
        .drop(columns=COMPUTED_AT, errors="ignore")
        for mart in MARTS
    }


def assert_same(now: dict[str, pd.DataFrame], then: dict[str, pd.DataFrame]) -> None:
    """To 1e-12 of a mean: two builds add up in another order."""
    for mart in MARTS:
        assert_frame_equal(now[mart], then[mart], rtol=1e-12, obj=mart)


def last_days() -> list[date]:
    return [FIRST + timedelta(days=MATURITY + number) for number in range(DAYS)]


def test_each_day_is_shown_again_as_it_was(models: dict[str, Any], dice: random.Random) -> None:
    sent = sent_by(dice)
    as_of = models["as_of"]["compiled_code"]
    told = 0
    with open_warehouse(sent) as everything:
        for day in last_days():
            with open_warehouse(until(sent, day)) as known:
                then = shown(known, models, models[VIEW]["compiled_code"])
            assert_same(shown(everything, models, as_of.replace(NEVER, day.isoformat())), then)
            told += len(then["fraud_metrics"])
    print(f"{DAYS} days, {told} windows shown")
    assert told > 4 * DAYS * MATURITY


@pytest.mark.parametrize("column", ["recorded_at", "decided_at"])
def test_looking_ahead_is_seen(column: str, models: dict[str, Any], dice: random.Random) -> None:
    """As of a day in the middle, one of the two conditions on the day is not there."""
    sent = sent_by(dice)
    day = last_days()[0]
    as_of = models["as_of"]["compiled_code"].replace(NEVER, day.isoformat())
    condition = f"where try_cast({column} as date) <= date '{day}'"
    assert as_of.count(condition) == 1
    with open_warehouse(sent) as everything:
        right = shown(everything, models, as_of)
        ahead = shown(everything, models, as_of.replace(condition, ""))
    with pytest.raises(AssertionError):
        assert_same(ahead, right)
