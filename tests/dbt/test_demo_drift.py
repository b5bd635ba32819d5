"""`feature_drift` finds what is planted in the features of the demo, and little else."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import duckdb
import pandas as pd
import pytest
from conftest import DEMO_END, Demo

FIRST_TOLD = 14  # days of the demo's six weeks, after which there is a reference
LOW_BY_CHANCE = 0.1  # of quiet days at 190 decisions each, at the most


@pytest.fixture(scope="module")
def key(demo: Demo) -> dict[str, Any]:
    text = (demo.home.path / "demo" / "answer_key.json").read_text(encoding="utf-8")
    decisions: dict[str, Any] = json.loads(text)["fraud_decisions"]
    return decisions


@pytest.fixture(scope="module")
def drift(demo: Demo) -> pd.DataFrame:
    with duckdb.connect(str(demo.home.warehouse), read_only=True) as warehouse:
        rows = warehouse.execute("from gold.feature_drift").df()
    return rows.assign(day=rows.period_start.dt.date.astype(str))


def planted(drift: pd.DataFrame, found: dict[str, Any]) -> pd.Series:
    """The row of the feature on the day of a fault."""
    [(_, row)] = drift[(drift.feature == found["feature"]) & (drift.day == found["day"])].iterrows()
    return row


def fault_days(key: dict[str, Any]) -> set[tuple[str, str]]:
    """Features and days on which values are others than usual."""
    faults = dict(key["features"])
    drifting = faults.pop("drift")
    return {(drifting["feature"], day) for day in drifting["days"]} | {
        (fault["feature"], fault["day"]) for fault in faults.values() if isinstance(fault, dict)
    }


def test_every_feature_has_every_day(drift: pd.DataFrame, key: dict[str, Any]) -> None:
    days = key["decisions"] // key["a_day"]
    assert set(drift.groupby("feature").size()) == {days}
    assert drift.feature.nunique() == 6
    assert set(drift.decisions) == {key["a_day"]}


def test_a_drifting_feature_is_found_on_each_of_its_days(
    drift: pd.DataFrame, key: dict[str, Any]
) -> None:
    found = key["features"]["drift"]
    rows = drift[(drift.feature == found["feature"]) & drift.day.isin(found["days"])]
    assert len(rows) == len(found["days"])
    assert set(rows.drift_severity) == {"high"}


def test_a_spike_of_nulls_is_found(drift: pd.DataFrame, key: dict[str, Any]) -> None:
    row = planted(drift, key["features"]["null_spike"])
    assert row.null_rate_spike and row.null_rate > 0.4
    assert row.drift_severity == "high"


def test_a_rare_word_is_listed_where_k_people_have_it(
    drift: pd.DataFrame, key: dict[str, Any]
) -> None:
    found = key["features"]["rare"]
    row = planted(drift, found)
    assert row.rare_values == found["listed"]
    assert row.rare_value_count == 2
    assert row.unseen_decisions == -(-key["a_day"] // key["features"]["every"])
    assert not drift.rare_values.fillna("").str.contains(found["counted"]).any()
    assert drift.rare_values.notna().sum() == 1


@pytest.mark.parametrize("code", ["type_violation", "range_violation"])
def test_what_breaks_the_schema_is_counted(
    drift: pd.DataFrame, key: dict[str, Any], code: str
) -> None:
    row = planted(drift, key["features"][code])
    assert row.schema_violations == code
    assert not row.schema_conformant
    assert row[f"{code}s"] == -(-key["a_day"] // key["features"]["every"])
    assert (drift[f"{code}s"] > 0).sum() == 1


def test_quiet_features_stay_quiet(drift: pd.DataFrame, key: dict[str, Any], tell: Any) -> None:
    """A few of them are low by chance; none is more, and none is not as its schema says."""
    first = DEMO_END - timedelta(days=key["decisions"] // key["a_day"] - FIRST_TOLD)
    told = drift[drift.period_start >= pd.Timestamp(first.replace(tzinfo=None))]
    at_fault = pd.Series(
        [pair in fault_days(key) for pair in zip(told.feature, told.day, strict=True)], told.index
    )
    quiet = told[~at_fault]
    alarms = quiet[quiet.drift_detected.astype(bool)]
    spikes = quiet[quiet.null_rate_spike.astype(bool)]
    tell(f"{len(alarms)} of {len(quiet)} quiet days are low, {len(spikes)} have a spike of nulls")
    assert quiet.psi.notna().all()
    assert set(alarms.drift_severity) <= {"low"}
    assert len(alarms) <= LOW_BY_CHANCE * len(quiet)
    assert len(spikes) <= 2
    assert quiet.schema_conformant.astype(bool).all()


def test_nothing_is_said_without_a_reference(drift: pd.DataFrame) -> None:
    young = drift[drift.period_start < drift.period_start.min() + timedelta(days=FIRST_TOLD)]
    for column in ("psi", "kl_divergence", "null_rate_spike", "drift_severity", "rare_value_count"):
        assert young[column].isna().all()
    assert young.null_rate.notna().all()


def test_labels_come_late(drift: pd.DataFrame, key: dict[str, Any]) -> None:
    """A mean of those that are known, and of many people how late the last come."""
    known, days = key["known_after_days"], drift.groupby("day").first()
    mix = key["day_mix"]
    held, passed = mix["held_fraud"] + mix["held_honest"], mix["passed_fraud"]
    mean = 24 * (held * known["held"] + passed * known["passed"]) / (held + passed)
    assert days.label_delay_hours.iloc[0] == pytest.approx(mean)
    assert days.label_delay_p95_hours.iloc[0] == 24 * known["passed"]
    assert days.label_delay_hours.iloc[-3] == 24 * known["held"]
    assert days.label_delay_p95_hours.isna().iloc[-3]
