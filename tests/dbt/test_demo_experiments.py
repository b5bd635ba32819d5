"""Each fault that is planted in the demo's experiments is found, and the quiet one stays quiet."""

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
    found: dict[str, Any] = json.loads(text)["experiments"]
    return found


def read(demo: Demo, query: str) -> pd.DataFrame:
    with duckdb.connect(str(demo.home.warehouse), read_only=True) as warehouse:
        return warehouse.execute(query).df()


@pytest.fixture(scope="module")
def primary(demo: Demo) -> pd.DataFrame:
    """The metric that decides, of each variant."""
    return read(demo, "from gold.experiment_results where is_primary order by all")


def test_every_experiment_is_told_by_its_latest_version(
    demo: Demo, key: dict[str, Any], primary: pd.DataFrame
) -> None:
    versions = read(demo, "from silver.stg_fraud__experiment_versions")
    assert len(versions) == key["versions"]
    assert set(versions[versions.valid_to.isna()].status) == {"completed"}
    assert (versions[versions.version_number == 1].status == "draft").all()
    metrics = primary.groupby("experiment_id").metric.unique().map(list)
    assert metrics.to_dict() == {
        name: [planted["metric"]] for name, planted in key["experiments"].items()
    }
    assert primary.groupby("experiment_id").is_control.sum().eq(1).all()


def test_what_is_planted_is_found(key: dict[str, Any], primary: pd.DataFrame) -> None:
    """And nothing else: all other variants have no effect, or less of one."""
    for name, planted in key["experiments"].items():
        arms = primary[(primary.experiment_id == name)].set_index("variant_id")
        tested = arms[~arms.is_control]
        assert arms.has_ratio_mismatch.all() == planted.get("is_split_wrongly", False)
        assert set(arms.winner.dropna()) == ({planted["winner"]} if "winner" in planted else set())
        if "winner" in planted:
            winner = arms.loc[planted["winner"]]
            assert (winner.conclusion, winner.recommendation) == ("better", "promote")
            assert winner.relative_lift_low > 0 and winner.recall_change == winner.absolute_lift
        if "breached" in planted:
            breached = arms.loc[planted["breached"]]
            assert breached.conclusion == "guardrail_violated"
            assert breached.recommendation == "reject" and breached.absolute_lift > 0
        if "loser" in planted:
            loser = arms.loc[planted["loser"]]
            assert (loser.conclusion, loser.recommendation) == ("worse", "reject")
            assert loser.relative_lift_high < 0 and loser.cost_savings_minor < 0
        if "is_split_wrongly" in planted:
            assert set(tested.conclusion) == {"sample_ratio_mismatch"}
        if "is_quiet" in planted:
            assert set(tested.conclusion) == {"undecided"}
            assert not tested.is_significant.any()


def test_the_quiet_experiment_is_quiet_in_every_metric(demo: Demo, key: dict[str, Any]) -> None:
    quiet = next(name for name, planted in key["experiments"].items() if "is_quiet" in planted)
    rows = read(demo, f"from gold.experiment_results where experiment_id = '{quiet}'")
    tested = rows.dropna(subset=["absolute_p_value"])
    assert set(tested.metric) >= {"precision", "recall", "approval_rate", "false_positive_cost"}
    assert not tested.is_significant.any()
    assert rows[rows.metric == "latency_p95"].metric_value.notna().all()
    # The demo says nothing of these.
    unheard = rows[rows.metric.isin(["conversion_rate", "auth_success_rate"])]
    assert len(unheard) == 4 and unheard.metric_value.isna().all()


def test_one_guardrail_is_violated(demo: Demo, key: dict[str, Any]) -> None:
    guarded = read(demo, "from gold.experiment_guardrails")
    violated = guarded[guarded.status == "violated"]
    wanted = [
        (name, planted["breached"], "manual_review_rate")
        for name, planted in key["experiments"].items()
        if "breached" in planted
    ]
    found = violated[["experiment_id", "variant_id", "metric"]].itertuples(index=False)
    assert [tuple(row) for row in found] == wanted
    assert violated.p_value.item() < 0.05
    assert set(guarded.status) - {"violated"} <= {"ok", "warning"}
