"""Claims one by one are what pandas makes of the demo's files, row by row.

The pseudonym by which a row is found is made here too, by HMACs of its own.
"""

from __future__ import annotations

import duckdb
import pandas as pd
import pytest
from conftest import Demo
from second_claim_rows import rows_of
from second_claims import partner_hash

EVENTS = {
    "claim_submitted": lambda rows: rows["level"] > 0,
    "claim_verified": lambda rows: rows["result"].notna(),
    "fraud_detected": lambda rows: rows["is_flagged"],
    "proof_generated": lambda rows: rows["proven"],
}
LABELS = {
    "claim_type": "kind",
    "claim_amount_bucket": "bucket",
    "currency": "currency",
    "region": "region",
    "time_of_day": "band",
    "day_of_week": "weekday",
    "gen_level": "level",
}


@pytest.fixture(scope="module")
def rows(demo: Demo) -> pd.DataFrame:
    """Claims that may be told, by the key that silver has of them."""
    told = rows_of(demo.home.path / "demo")
    assert 0.5 < told["is_told"].mean() < 1
    told = told[told["is_told"]]
    keys = [
        partner_hash(demo.home.vault, f"{partner}\x1f{claim}", "claims.claim_id")
        for claim, partner in told["name"].items()
    ]
    return told.assign(key=keys)


def mart(demo: Demo, name: str) -> pd.DataFrame:
    with duckdb.connect(str(demo.home.warehouse), read_only=True) as warehouse:
        return warehouse.execute(f"from gold_restricted.{name}").df()


def hashed(demo: Demo, values: pd.Series, domain: str) -> pd.Series:
    found = {value: partner_hash(demo.home.vault, value, domain) for value in values.unique()}
    return values.map(found)


def agree(found: pd.DataFrame, expected: pd.DataFrame, index: list[str]) -> None:
    found, expected = (
        frame.set_index(index).sort_index().astype(object)
        for frame in (found[expected.columns], expected)
    )
    assert len(expected) > 1_000
    different = (found != expected) & (found.notna() | expected.notna())
    assert list(found.index) == list(expected.index)
    assert different.sum().to_dict() == dict.fromkeys(found.columns, 0)


def test_events(demo: Demo, rows: pd.DataFrame) -> None:
    domain = "restricted.claim_events"
    base = pd.DataFrame(
        {name: rows[of] for name, of in LABELS.items()}
        | {
            "claim_id_hash": hashed(demo, rows["key"], domain),
            "partner_id_hash": hashed(demo, rows["partner"], f"{domain}.partner_id"),
            "claim_period": rows["told"],
            "claim_date": rows["start"],
            "age_band": rows["age"],
            "claim_fraud_score": rows["score"],
            "processing_time": rows["time"],
        }
    )
    events = [
        base[happened(rows)].assign(
            event_type=name,
            verification_result=rows["result"] if name == "claim_verified" else None,
        )
        for name, happened in EVENTS.items()
    ]
    agree(mart(demo, "claim_events"), pd.concat(events), ["claim_id_hash", "event_type"])


def test_examples(demo: Demo, rows: pd.DataFrame) -> None:
    expected = pd.DataFrame(
        {name: rows[of] for name, of in LABELS.items()}
        | {
            "example_id": hashed(demo, rows["key"], "restricted.fraud_training_set"),
            "claim_month": rows["month"],
            "partner_fraud_rate_7d": rows["rate_7"],
            "partner_fraud_rate_30d": rows["rate_30"],
            "is_fraud": rows["is_fraud"],
        }
    )
    agree(mart(demo, "fraud_training_set"), expected, ["example_id"])
    assert expected["is_fraud"].isna().any(), "some are not judged yet"
