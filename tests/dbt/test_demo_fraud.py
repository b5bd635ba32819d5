"""The marts of decisions say what follows from the demo's answer key, and find what is planted."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import duckdb
import pandas as pd
import pytest
from conftest import DEMO_END, Demo

from loaders.demo.decisions import SENT_COST

Mart = Callable[[str], pd.DataFrame]
TODAY = (DEMO_END - timedelta(days=1)).date()
SILENCE = 30  # days, after which what was approved is presumed to be no fraud


@pytest.fixture(scope="module")
def key(demo: Demo) -> dict[str, Any]:
    text = (demo.home.path / "demo" / "answer_key.json").read_text(encoding="utf-8")
    key = json.loads(text)
    return {**key["fraud_outcomes"], **key["fraud_decisions"]}


@pytest.fixture(scope="module")
def mart(demo: Demo) -> Mart:
    def read(name: str) -> pd.DataFrame:
        with duckdb.connect(str(demo.home.warehouse), read_only=True) as warehouse:
            return warehouse.execute(f"from {name}").df()

    return read


def known_of(key: dict[str, Any], day: date) -> dict[str, int]:
    """The counts of a day, by how old it is."""
    mix, age = key["day_mix"], (TODAY - day).days
    is_held_known = age >= key["known_after_days"]["held"]
    is_passed_known = age >= key["known_after_days"]["passed"]
    return {
        "true_positives": mix["held_fraud"] * is_held_known,
        "false_positives": mix["held_honest"] * is_held_known,
        "false_negatives": mix["passed_fraud"] * is_passed_known,
        "true_negatives": mix["passed_honest"] * (age >= SILENCE),
        "chargebacks": mix["passed_fraud"] * is_passed_known,
    }


@pytest.mark.parametrize(("window", "days"), [("24h", 1), ("7d", 7), ("30d", 30)])
def test_windows_are_sums_of_what_is_known(
    window: str, days: int, mart: Mart, key: dict[str, Any]
) -> None:
    rows = mart("gold.fraud_metrics").query("time_window == @window").set_index("ends_on")
    first = TODAY - timedelta(days=sum(key["models"].values()) - 1)
    told = {stamp.date(): row for stamp, row in rows.iterrows()}
    assert len(told) == (TODAY - first).days + 1
    for last, row in told.items():
        span = [last - timedelta(days=n) for n in range(days) if last - timedelta(days=n) >= first]
        known = pd.DataFrame([known_of(key, day) for day in span]).sum()
        assert row.decisions == key["a_day"] * len(span)
        assert row[known.index].astype(int).to_dict() == known.to_dict()
        held = known.true_positives + known.false_positives
        frauds = known.true_positives + known.false_negatives
        assert row.labelled == held + known.false_negatives + known.true_negatives
        assert row.unlabelled == row.decisions - row.labelled
        if held:
            assert row.precision_rate == pytest.approx(known.true_positives / held)
            assert row.recall_rate == pytest.approx(known.true_positives / frauds)
            assert row.false_positive_cost_minor == SENT_COST * known.false_positives
            assert row.average_false_positive_cost_minor == SENT_COST
        assert row.decisions_per_minute == pytest.approx(row.decisions / (1440 * days))
        assert row.chargeback_rate == pytest.approx(
            known.chargebacks / (len(span) * (key["a_day"] - sum(held_of(key))))
        )


def held_of(key: dict[str, Any]) -> tuple[int, int]:
    return key["day_mix"]["held_fraud"], key["day_mix"]["held_honest"]


def test_young_weeks_look_better_than_they_are(mart: Mart, key: dict[str, Any]) -> None:
    """No fraud that was let through is known of the last week, so all seem to be held."""
    weeks = mart("gold.fraud_metrics").query("time_window == '7d'").set_index("ends_on")
    old = weeks.loc[pd.Timestamp(TODAY - timedelta(days=SILENCE))]
    young = weeks.loc[pd.Timestamp(TODAY)]
    held, _ = held_of(key)
    assert old.recall_rate == pytest.approx(held / (held + key["day_mix"]["passed_fraud"]))
    assert young.recall_rate == 1
    assert young.unlabelled > young.labelled
    assert young.label_delay_hours == pytest.approx(24 * key["known_after_days"]["held"])


def test_hours_are_told_where_they_are_busy(mart: Mart, key: dict[str, Any]) -> None:
    hours = mart("gold.fraud_metrics").query("time_window == '1h'")
    assert set(hours.window_start.dt.hour) == set(range(9, 19))
    assert hours.decisions.sum() == key["decisions"]
    assert hours.false_positive_cost_minor.isna().all()


def test_the_slow_day_is_one_of_the_rules(mart: Mart, key: dict[str, Any]) -> None:
    days = mart("gold.fraud_metrics").query("time_window == '24h'").set_index("ends_on")
    slow = pd.Timestamp(key["slow_day"])
    others = days.drop(slow)
    assert days.loc[slow].rule_p50_ms > 3 * others.rule_p50_ms.max()
    assert days.loc[slow].total_p95_ms > others.total_p95_ms.max()
    assert days.loc[slow].model_p50_ms < 1.5 * others.model_p50_ms.median()


def test_a_model_takes_over_and_reviewers_release(mart: Mart, key: dict[str, Any]) -> None:
    days = mart("gold.model_performance_daily")
    by_model = days.groupby("model_version")["period_start"].agg(["min", "size"])
    assert by_model["size"].to_dict() == key["models"]
    assert str(by_model["min"].max().date()) == key["new_model_on"]
    _, honest = held_of(key)
    released = days[days.overrides > 0]
    assert sorted(str(day.date()) for day in released.period_start) == key["released_days"]
    assert (released.overridden_to_release == honest).all()
    assert (released.overrides == honest).all()
    assert released.override_rate.to_numpy() == pytest.approx(honest / key["a_day"])
    oldest = days.sort_values("period_start").iloc[0]
    wrong = honest + key["day_mix"]["passed_fraud"]
    assert oldest.accuracy_rate == pytest.approx(1 - wrong / key["a_day"])


def test_the_harsh_merchant_is_the_worst_and_no_other_stands_out(
    mart: Mart, key: dict[str, Any]
) -> None:
    """It is told by a pseudonym; there is one of each month."""
    cohorts = mart("gold.fraud_cohorts")
    merchants = cohorts[(cohorts.dimension == "merchant") & cohorts.precision_rate.notna()]
    for _, month in merchants.groupby("period_start"):
        worst = month[month.performer == "worst"]
        assert len(worst) == 1 and len(month) >= 5
        assert worst.precision_rate.item() < 0.5 * month.precision_rate.drop(worst.index).min()
        assert worst.is_significant.item()
        assert worst.precision_p_value.item() < 1e-6
        assert worst.precision_delta.item() < 0
    assert merchants.period_start.nunique() == 2
    quiet = cohorts[cohorts.dimension.isin(["channel", "geography"])]
    assert quiet.is_significant.notna().any()
    assert not quiet.is_significant.fillna(False).any()


def test_cohorts_are_split_by_seven_dimensions(mart: Mart, key: dict[str, Any]) -> None:
    cohorts = mart("gold.fraud_cohorts")
    assert cohorts.dimension.nunique() == 7
    assert (cohorts.transactions >= 100).all()
    for _, month in cohorts.groupby(["period_start", "dimension"]):
        assert month.decisions.sum() % key["a_day"] == 0
    devices = cohorts[cohorts.dimension == "device"]
    assert set(devices.groupby("period_start").size()) == {2}  # one is shared, of all others few
    assert set(cohorts[cohorts.dimension == "risk_band"].value) == {
        "low",
        "medium",
        "high",
        "critical",
    }
    named = cohorts[cohorts.dimension.isin(["merchant", "device"])]
    assert named.value_hash.str.startswith("v1:").sum() == len(named) - 2
    assert set(named.value.dropna()) == {"Other"}


def test_outcomes_of_nothing_are_quarantined(mart: Mart, key: dict[str, Any]) -> None:
    assert len(mart("silver.int_fraud__quarantined")) == key["orphans"]
