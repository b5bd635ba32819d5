"""The answer key of the demo's claims, recomputed from the files alone."""

from __future__ import annotations

import csv
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import PROJECT

from loaders.demo.claims import write_claims, write_requests

END = datetime(2026, 6, 1, tzinfo=UTC)
EVENTS = 20_000


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("claims")
    return folder, write_claims(folder, EVENTS, 7, END)


@pytest.fixture(scope="module")
def events(made: tuple[Path, dict[str, Any]]) -> pd.DataFrame:
    """What is to be accepted, each event once, in snake_case."""
    rows = []
    for name in made[1]["files"]:
        for line in (made[0] / name).read_text(encoding="utf-8").splitlines():
            row = {re.sub("([A-Z])", r"_\1", k).lower(): v for k, v in json.loads(line).items()}
            rows += [row] if "customer_name" not in row else []
    sent = pd.DataFrame(rows)
    assert len(sent) == sum(file["accepted"] for file in made[1]["files"].values())
    assert sent["event_id"].duplicated().sum() == made[1]["duplicates"]["exact"]
    return sent.drop_duplicates("event_id")


def test_events_and_claims(made: tuple[Path, dict[str, Any]], events: pd.DataFrame) -> None:
    key = made[1]
    assert len(events) == key["distinct_events"] == key["sequences"]["demo-ledger-1"][1]
    assert events["event_type"].value_counts().to_dict() == key["types"]
    assert events["claim_id"].nunique() == key["claims"] == EVENTS * 0.15
    assert pd.to_datetime(events["timestamp"]).max() < END


def test_months(made: tuple[Path, dict[str, Any]], events: pd.DataFrame) -> None:
    """By the month in which a claim was submitted."""
    of_type = {kind: set(rows["claim_id"]) for kind, rows in events.groupby("event_type")}
    submitted = events[events["event_type"] == "claim_submitted"]
    decided = events[events["event_type"] == "claim_verified"].set_index("claim_id")["is_fraud"]
    fraud = submitted["claim_id"].map(decided)
    months = submitted.assign(
        month=submitted["timestamp"].str[:7],
        verified=fraud.eq(False),
        fraud=fraud.eq(True),
        flagged=submitted["claim_id"].isin(of_type["fraud_detected"]),
    ).groupby("month")
    found = months[["verified", "flagged", "fraud"]].sum().assign(claims=months.size())
    assert found.to_dict("index") == made[1]["months"]


def test_partners_are_those_of_the_seed(events: pd.DataFrame) -> None:
    """Skewed: the largest has several times the claims of the smallest."""
    with (PROJECT / "seeds" / "partners.csv").open(encoding="utf-8", newline="") as seed:
        industry = {row["partner_id"]: row["industry"] for row in csv.DictReader(seed)}
    sizes = events.groupby("partner_id")["claim_id"].nunique()
    assert set(sizes.index) == set(industry)
    assert sizes.groupby(industry).size().ge(3).all()
    assert sizes.max() > 4 * sizes.min()


def test_what_is_planted_is_there(made: tuple[Path, dict[str, Any]], events: pd.DataFrame) -> None:
    key = made[1]
    ring = events[events["claim_id"].str.startswith("ring-")]
    first = datetime.fromisoformat(key["ring"]["week"]).replace(tzinfo=UTC)
    days = pd.to_datetime(ring.loc[ring["event_type"] == "claim_submitted", "timestamp"])
    assert len(days) == key["ring"]["claims"] == 60
    assert days.between(first, first + timedelta(days=7)).all()
    assert set(ring["partner_id"]) == {key["ring"]["partner"]}
    calls = events[events["event_type"] == "api_call"]
    failed = (calls["http_status"] >= 400).groupby(calls["partner_id"]).mean()
    assert failed.idxmax() == key["failing_partner"]
    hours = pd.to_datetime(calls["timestamp"]).dt.hour
    at_night = calls["partner_id"] == key["nightly"]["partner"]
    assert set(hours[at_night]) == {key["nightly"]["hour"]}
    assert hours[~at_night].nunique() == 24
    submitted = events[events["event_type"] == "claim_submitted"]
    flagged = set(events.loc[events["event_type"] == "fraud_detected", "claim_id"])
    regions = submitted["location"].map(lambda at: f"{at['country']}-{at['state']}".lower())
    rates = submitted["claim_id"].isin(flagged).groupby(regions).mean()
    assert rates.idxmax() == key["biased_region"]


def test_requests(tmp_path: Path) -> None:
    key = write_requests(tmp_path, 7, END)
    text = (tmp_path / "data_subject_requests-01.jsonl").read_text(encoding="utf-8")
    rows = pd.DataFrame(map(json.loads, text.splitlines()))
    assert len(rows) == key["rows"]
    last = rows.sort_values("updated_at").groupby("request_id").last()
    assert len(last) == key["requests"]
    assert last["status"].value_counts().to_dict() == key["statuses"]
