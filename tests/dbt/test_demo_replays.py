"""Each replay of the demo comes to what is planted, and what is wrong with one is said."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pandas as pd
import pytest
from conftest import Demo


@pytest.fixture(scope="module")
def key(demo: Demo) -> dict[str, Any]:
    text = (demo.home.path / "demo" / "answer_key.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)["replay_scenarios"]
    return found


def read(demo: Demo, query: str) -> pd.DataFrame:
    with duckdb.connect(str(demo.home.warehouse), read_only=True) as warehouse:
        return warehouse.execute(query).df()


@pytest.fixture(scope="module")
def results(demo: Demo) -> pd.DataFrame:
    return read(demo, "from gold.replay_results").set_index("scenario_id")


def test_every_fault_is_named_and_nothing_else(
    demo: Demo, key: dict[str, Any], results: pd.DataFrame
) -> None:
    replays = read(demo, "from silver.int_fraud__replays").set_index("scenario_id")
    faults = {name: planted.get("fault") for name, planted in key["replays"].items()}
    assert replays.fault.dropna().to_dict() == {name: said for name, said in faults.items() if said}
    assert set(replays.index) == set(faults)
    assert set(results.index) == {name for name, said in faults.items() if said is None}
    assert set(replays.status) == {"completed"}


def test_replays_hold_as_many_more_as_is_planted(
    key: dict[str, Any], results: pd.DataFrame
) -> None:
    for name, planted in key["replays"].items():
        if "changes_positives" in planted:
            row = results.loc[name]
            held = sum(row[f"newly_held_{what}"] for what in ("frauds", "honest", "unknown"))
            freed = sum(row[f"newly_approved_{what}"] for what in ("frauds", "honest", "unknown"))
            side = planted["changes_positives"]
            assert (held > 0, freed > 0) == (side > 0, side < 0), name
            assert row.false_negative_change * side <= 0
            assert row.recall_delta * side >= 0


def test_of_few_it_is_not_told_whether_they_were_frauds(
    key: dict[str, Any], results: pd.DataFrame
) -> None:
    few = {name for name, planted in key["replays"].items() if "changes_too_few" in planted}
    assert few == set(results[results.original_true_positives.isna()].index)
    assert results.loc[sorted(few)].f1_delta.isna().all()


def test_both_matrices_are_of_the_same_decisions(results: pd.DataFrame) -> None:
    parts = [
        f"{truth}_{side}s"
        for truth in ("true", "false", "unknown")
        for side in ("positive", "negative")
    ]
    told = results.dropna(subset="original_true_positives")
    for side in ("original", "replay"):
        total = sum(told[f"{side}_{part}"] for part in parts)
        assert len(told) and (total == told.decisions).all()
    assert (results.decisions_changed.dropna() <= results.decisions).all()


def test_changes_are_listed_apart_from_history(demo: Demo, results: pd.DataFrame) -> None:
    """Under names that silver does not know, and no more of them than have changed."""
    changes = read(demo, "from gold_restricted.replay_decision_changes")
    known = read(demo, "select transaction_key from silver.stg_fraud__decisions")
    assert not set(changes.transaction_hash) & set(known.transaction_key)
    assert (changes.original_decision != changes.replay_decision).all()
    listed = changes.groupby("scenario_id").size()
    assert len(listed) and (listed <= results.decisions_changed[listed.index]).all()
    assert set(changes[changes.scenario_id == "stricter"].score_change) <= {"none", "Other"}
