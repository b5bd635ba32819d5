"""The marts of explanations say what the files of the demo say, counted a second time by pandas."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import duckdb
import pandas as pd
import pytest
from conftest import Demo

from loaders.demo.attributions import EVEN_RULE, FILE, HELD_RULE, QUIET_RULE, SENTENCE

Mart = Callable[[str], pd.DataFrame]
MINIMUM = 100


def lines(demo: Demo, name: str) -> list[dict[str, Any]]:
    text = (demo.home.path / "demo" / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def decisions(demo: Demo) -> pd.DataFrame:
    """Those of the first file and of the second one, each once."""
    rows = [
        {re.sub("([A-Z])", r"_\1", name).lower(): value for name, value in row.items()}
        for n in (1, 2)
        for row in lines(demo, f"fraud_decisions-0{n}.jsonl")
        if "customerName" not in row
    ]
    return pd.DataFrame(rows).drop_duplicates("id").assign(day=lambda r: r["timestamp"].str[:10])


@pytest.fixture(scope="module")
def explained(demo: Demo, decisions: pd.DataFrame) -> pd.DataFrame:
    sent = pd.DataFrame(lines(demo, FILE)).drop_duplicates("decision_id")
    return sent.merge(decisions[["id", "day"]], left_on="decision_id", right_on="id")


@pytest.fixture(scope="module")
def mart(demo: Demo) -> Mart:
    def read(name: str) -> pd.DataFrame:
        with duckdb.connect(str(demo.home.warehouse), read_only=True) as warehouse:
            found = warehouse.execute(f"from gold.{name}").df()
        return found.assign(day=found["period_start"].astype(str).str[:10])

    return read


def test_features_as_they_were_sent(
    mart: Mart, decisions: pd.DataFrame, explained: pd.DataFrame
) -> None:
    """By SHAP, and of days on which enough were not explained, by what they say themselves."""
    listed = explained.explode("contributions").reset_index(drop=True)
    sent = pd.json_normalize(listed["contributions"].tolist()).assign(day=listed["day"])
    sent = sent[sent["feature"] != SENTENCE].assign(method="shap")
    own = decisions[~decisions["id"].isin(explained["id"])]
    velocity = own["feature_attributions"].map(lambda told: told["velocity"])
    own = own.assign(feature="velocity", contribution=velocity, method="other")
    both = pd.concat([sent, own])[["day", "method", "feature", "contribution"]]
    days = both.groupby(["day", "method", "feature"])["contribution"]
    expected = days.agg(["size", "mean", lambda c: c.abs().mean(), lambda c: (c > 0).mean()])
    expected = expected[expected["size"] >= MINIMUM]
    found = mart("feature_attributions_daily").set_index(["day", "method", "feature"])
    assert len(expected) > 2 * 25
    assert set(found.index) == set(expected.index)
    told = found.loc[expected.index]
    assert (told["contributions"] == expected["size"]).all()
    assert (told["decisions"] == expected["size"]).all()
    for name, column in zip(
        ("mean_contribution", "mean_importance", "raising_rate"), expected.columns[1:], strict=True
    ):
        assert told[name].to_numpy() == pytest.approx(expected[column].to_numpy(), abs=1e-6)


def test_rules_as_they_fired(mart: Mart, explained: pd.DataFrame) -> None:
    """How often, how right in old weeks, and how often two at once."""
    listed = explained.explode("rule_trace").reset_index(drop=True)
    sent = pd.json_normalize(listed["rule_trace"].tolist()).assign(
        day=listed["day"], decision=listed["decision_id"]
    )
    together = sent[sent["fired"]].groupby("decision")["fired"].transform("size") > 1
    sent["both"] = together.reindex(sent.index, fill_value=False)
    days = sent.groupby(["day", "ruleId"])
    expected = days.agg({"fired": ["size", "sum"], "score": "mean", "both": "sum"})
    expected.columns = pd.Index(["evaluated", "fired", "score", "both"])
    expected = expected[expected["evaluated"] >= MINIMUM]
    found = mart("rule_performance_daily").set_index(["day", "rule_id"])
    assert set(found.index) == set(expected.index)
    told = found.loc[expected.index]
    assert set(told.index.get_level_values(1)) == {HELD_RULE, EVEN_RULE, QUIET_RULE}
    assert (told["evaluated"] == expected["evaluated"]).all()
    assert told["mean_score"].to_numpy() == pytest.approx(expected["score"].to_numpy(), abs=1e-6)
    for name, column in (("fired", "fired"), ("fired_with_others", "both")):
        is_told = told[name].notna()
        assert is_told.any()
        assert (told[name] == expected[column])[is_told].all()
    quiet = told.xs(QUIET_RULE, level=1)
    assert (quiet["fired"] == 0).all()
    assert quiet["precision_rate"].isna().all()
    held = told.xs(HELD_RULE, level=1)["precision_rate"].dropna()
    even = told.xs(EVEN_RULE, level=1)["precision_rate"].dropna()
    assert held.min() > even.max()
