"""After an erasure no row of a replay stands for a decision on the person."""

from __future__ import annotations

import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from conftest import MODELS_ONLY, run_dbt
from test_pseudonyms import vault_key

from loaders.erasure import erase as erasure
from loaders.erasure import silver
from loaders.erasure.subject import Subject
from loaders.gold.publish import publish
from loaders.home import Home, init_home
from loaders.landing.batches import land_file

PEOPLE = 120
PERSON = Subject.of("customer_id", ["jane-0003"])
MART = "replay_decision_changes"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A decision on each of many people, every one another one in a replay, and published."""
    made = init_home(tmp_path / "home")[0]
    day = datetime.now(UTC) - timedelta(days=40)
    decisions = [
        {
            "event_id": f"decision-{n}",
            "transaction_id": f"t-{n}",
            "customer_id": f"jane-{n:04}",
            "timestamp": day.isoformat(),
            "decision": "approved",
            "model_score": 0.5,
            "final_score": 0.5,
            "model_version": "m1",
            "model_provider": "local",
            "channel": "web",
            "total_latency_ms": 12.5,
        }
        for n in range(PEOPLE)
    ]
    replay = {
        "id": "all-held",
        "name": "All are held",
        "status": "pending",
        "timeWindow": {"start": f"{day:%Y-%m-%d}", "end": f"{day + timedelta(days=1):%Y-%m-%d}"},
        "overrides": {"thresholds": {"decline": 0.4}},
    }
    for table, rows in (("fraud_decisions", decisions), ("replay_scenarios", [replay])):
        file = tmp_path / f"{table}.jsonl"
        file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        assert land_file(made, table, file).rejected == 0
    run_dbt(made, "build", "--select", f"+{MART}", *MODELS_ONLY)
    publish(made)
    return made


def transactions_in(home: Home) -> list[set[str]]:
    """Pseudonyms of transactions in the warehouse and in the release."""
    (file,) = home.restricted.rglob(f"releases/**/{MART}.parquet")
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        return [
            {
                pseudonym
                for (pseudonym,) in warehouse.execute(
                    f"select transaction_hash from {place}"
                ).fetchall()
            }
            for place in (f"gold_restricted.{MART}", f"'{file}'")
        ]


def pseudonym(home: Home) -> str:
    """What the transaction of the person is called there, by Python's hmac."""
    key, found = vault_key(home, 1), "t-3"
    for domain in ("fraud.transaction_id", f"restricted.{MART}"):
        message = f"{domain}\x1f{found}".encode()
        found = "v1:" + hmac.new(key, message, "sha256").hexdigest()
    return found


def test_rows_of_the_person_go_at_once(home: Home) -> None:
    before = transactions_in(home)
    (result,) = erasure.erase(home, PERSON)
    assert result.found == []
    for place, transactions in zip(before, transactions_in(home), strict=True):
        assert len(place) == PEOPLE
        assert place - transactions == {pseudonym(home)}


def test_an_erasure_that_knows_no_transactions_is_seen(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silver, "entities_of", lambda *_: set())
    before = transactions_in(home)
    erasure.erase(home, PERSON)
    assert transactions_in(home) == before
