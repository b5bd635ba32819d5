"""The answer key of the demo's events of the product, recomputed from the files alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from loaders.demo import write_demo

END = datetime(2026, 6, 1, tzinfo=UTC)
CHALLENGES, GAMES, LATE = (
    "platform_events-01.jsonl",
    "platform_events-02.jsonl",
    "platform_events-03-late.jsonl",
)


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("demo")
    write_demo(made, 20_000, 7, END)
    return made


@pytest.fixture(scope="module")
def key(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "answer_key.json").read_text())["platform_events"])


@pytest.fixture(scope="module")
def challenges(folder: Path) -> pd.DataFrame:
    """What the challenge platform sent, in time and late, a column per field."""
    sent = pd.DataFrame(read(folder / CHALLENGES) + read(folder / LATE))
    moments = pd.to_datetime(sent["timestamp"], utc=True)
    fields = pd.json_normalize(sent["metadata"].tolist())
    return sent.assign(at=moments, day=moments.dt.date).join(fields)


@pytest.fixture(scope="module")
def games(folder: Path) -> pd.DataFrame:
    """What the game servers sent and is to be accepted, each event once."""
    sent = pd.DataFrame(read(folder / GAMES))
    sent = sent[~sent["event_id"].str.startswith("refused")]
    return sent.drop_duplicates("event_id")


def test_files_hold_what_the_key_says(
    folder: Path, key: dict[str, Any], challenges: pd.DataFrame, games: pd.DataFrame
) -> None:
    for name, books in key["files"].items():
        assert len(read(folder / name)) == books["received"]
        assert books["accepted"] + sum(books["rejected"].values()) == books["received"]
    accepted = sum(books["accepted"] for books in key["files"].values())
    assert challenges["id"].is_unique
    assert len(challenges) + len(games) == key["distinct_events"]
    assert accepted - key["distinct_events"] == key["duplicates"]["exact"] > 0
    types = pd.concat([challenges["type"], games["event_type"]])
    assert types.value_counts().to_dict() == key["types"]


def test_no_number_of_a_producer_is_left_out(
    key: dict[str, Any], challenges: pd.DataFrame, games: pd.DataFrame
) -> None:
    sent = pd.concat([challenges, games])
    for producer, rows in sent.groupby("producer"):
        first, last = key["sequences"][producer]
        assert sorted(rows["sequence"]) == list(range(first, last + 1))


def test_late_rows_are_days_late(folder: Path) -> None:
    moments = pd.to_datetime(pd.DataFrame(read(folder / LATE))["timestamp"], utc=True)
    assert moments.max() < END - timedelta(days=2)
    assert len(moments) > 50


def test_entries_by_what_became_of_them(key: dict[str, Any], challenges: pd.DataFrame) -> None:
    entries = challenges[challenges["type"].str.startswith("submission.")]
    steps = entries["type"].str.removeprefix("submission.")
    spelled = entries["category"].str.lower().str.replace(" ", "_")
    assert entries.groupby([steps, spelled]).size().to_dict() == {
        (step, category): number
        for step, of_step in key["submissions"].items()
        for category, number in of_step.items()
    }
    created = set(entries.loc[steps == "created", "submissionId"])
    assert set(entries["submissionId"]) == created
    decided = steps[steps != "created"]
    assert (decided == "rejected").mean() == pytest.approx(0.3, abs=0.05)


def test_stakes(key: dict[str, Any], games: pd.DataFrame) -> None:
    bets = pd.DataFrame(games.loc[games["event_type"] == "bet.placed", "payload"].tolist())
    assert bets.groupby("currency")["stake_minor"].sum().to_dict() == key["stakes"]


def test_what_is_planted_stands_out(key: dict[str, Any], challenges: pd.DataFrame) -> None:
    """Each of the days by itself: far from the median of all days, on its side of it."""
    rewards = challenges[
        (challenges["type"] == "wallet.credit") & (challenges["reason"] == "reward")
    ]
    own = challenges[challenges["type"].isin({"account.login", "account.registered"})]
    by_day = {
        "spike": challenges[challenges["type"] == "submission.created"].groupby("day").size(),
        "drop": own.groupby("day")["userId"].nunique(),
        "burst": rewards.groupby("day")["amountMinor"].sum(),
        "wave": challenges[challenges["type"] == "badge.awarded"].groupby("day").size(),
    }
    assert set(by_day) == set(key["planted"])
    for what, figures in by_day.items():
        day = figures.idxmin() if what == "drop" else figures.idxmax()
        assert day.isoformat() == key["planted"][what]
        others = figures.drop(day)
        if what == "drop":
            assert figures[day] < 0.6 * others.median()
        else:
            assert figures[day] > 2 * others.median()
            assert figures[day] > 1.5 * others.max()
