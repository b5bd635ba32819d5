"""The answer key of the demo's decisions, recomputed from the files alone."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from loaders.demo.decisions import write_decisions

END = datetime(2026, 6, 1, tzinfo=UTC)
EVENTS = 40_000


Made = tuple[Path, dict[str, Any], dict[str, Any]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The folder, and what is said of decisions and of outcomes."""
    folder = tmp_path_factory.mktemp("decisions")
    return folder, *write_decisions(folder, EVENTS, 7, END)


def accepted(folder: Path, key: dict[str, Any], name: str) -> pd.DataFrame:
    """What is to be accepted, each once, in snake_case: of one id the row that came first."""
    rows = []
    for file in key["files"]:
        for line in (folder / file).read_text(encoding="utf-8").splitlines():
            row = {re.sub("([A-Z])", r"_\1", k).lower(): v for k, v in json.loads(line).items()}
            rows += [row] if "customer_name" not in row else []
    sent = pd.DataFrame(rows)
    assert len(sent) == sum(file["accepted"] for file in key["files"].values())
    found = sent.drop_duplicates(name)
    assert len(sent) - len(found) == sum(key["duplicates"].values())
    return found


@pytest.fixture(scope="module")
def decisions(made: Made) -> pd.DataFrame:
    return accepted(made[0], made[1], "id").assign(day=lambda rows: rows["timestamp"].str[:10])


@pytest.fixture(scope="module")
def outcomes(made: Made) -> pd.DataFrame:
    return accepted(made[0], made[2], "outcome_id")


def test_how_many(made: Made, decisions: pd.DataFrame, outcomes: pd.DataFrame) -> None:
    _, key, of_outcomes = made
    assert (len(decisions), len(outcomes)) == (key["decisions"], of_outcomes["outcomes"])
    assert decisions["decision"].value_counts().to_dict() == key["decided"]
    assert set(decisions.groupby("day").size()) == {key["a_day"]}
    assert sum(key["day_mix"].values()) == key["a_day"]
    nowhere = ~outcomes["transaction_id"].isin(decisions["transaction_id"])
    assert nowhere.sum() == of_outcomes["orphans"]
    assert outcomes["recorded_at"].max() < END.isoformat()


def test_what_is_known_when(made: Made, decisions: pd.DataFrame, outcomes: pd.DataFrame) -> None:
    """Of every day that is old enough all frauds are known, each after its time."""
    key = made[1]
    both = decisions.merge(outcomes, on="transaction_id", suffixes=("", "_said"))
    late = pd.to_datetime(both["recorded_at"]) - pd.to_datetime(both["timestamp"])
    for name, is_held in (("held", True), ("passed", False)):
        days = late[(both["decision"] != "approved") == is_held].dt.days
        assert set(days) == {key["known_after_days"][name]}
    oldest = both[both["day"] == both["day"].min()]
    mix = oldest.groupby(["decision", "is_fraud_tx"]).size()
    assert mix.to_dict() == {
        ("approved", True): key["day_mix"]["passed_fraud"],
        ("declined", True): key["day_mix"]["held_fraud"],
        ("review", False): key["day_mix"]["held_honest"],
    }


def test_what_is_planted(made: Made, decisions: pd.DataFrame, outcomes: pd.DataFrame) -> None:
    key = made[1]
    both = decisions.merge(outcomes, on="transaction_id", suffixes=("", "_said"))
    held = both[both["decision"] != "approved"]
    right = held.groupby("merchant_id")["is_fraud_tx"].mean()
    assert right.idxmin() == key["harsh_merchant"]
    assert right.min() < 0.5 * right.drop(key["harsh_merchant"]).min()
    shared = decisions.groupby("device_id")["customer_id"].nunique()
    assert shared[shared > 10].index.to_list() == [key["shared_device"]]
    overridden = both.loc[both["overridden_decision"].notna(), "day"]
    assert sorted(set(overridden)) == key["released_days"]
    assert decisions.groupby("day")["rule_latency_ms"].median().idxmax() == key["slow_day"]
    began = decisions.groupby("model_version")["day"].agg(["min", "nunique"])
    assert began["nunique"].to_dict() == key["models"]
    assert began["min"].max() == key["new_model_on"]
    assert decisions["customer_id"].nunique() > 5 * key["a_day"]


def test_the_same_arguments_give_the_same_bytes(made: Made, tmp_path: Path) -> None:
    folder, *keys = made
    assert [*write_decisions(tmp_path, EVENTS, 7, END)] == keys
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (folder / path.name).read_bytes()
