"""Decisions and outcomes land in either spelling, and without their customer's name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from landed import bronze_rows
from samples import MARK, as_lines

from loaders.contracts import contract_of
from loaders.home import Home
from loaders.landing.batches import LandingResult, land_file

DECIDED = {
    "id": "d1",
    "transaction_id": "t1",
    "timestamp": "2026-05-01T10:00:00Z",
    "decision": "declined",
    "model_score": 0.9,
    "final_score": 0.8,
    "model_version": "m1",
    "model_provider": "local",
    "channel": "web",
    "total_latency_ms": 12.5,
}
FOUND = {"outcome_id": "o1", "transaction_id": "t1", "recorded_at": "2026-05-03T10:00:00Z"}


def land(home: Home, table: str, *events: dict[str, Any]) -> LandingResult:
    path = home.path / "sent.jsonl"
    path.write_bytes(as_lines(list(events)))
    return land_file(home, table, path)


def test_a_decision_lands_in_either_spelling(home: Home) -> None:
    features = {"amount": 12.5, "country": "DE"}
    camel = {
        "id": "d2",
        "transactionId": "t2",
        "investigationId": "i2",
        "timestamp": "2026-05-01T10:00:00Z",
        "decision": "approved",
        "modelScore": 0,
        "ruleScore": 1,
        "finalScore": 0.5,
        "modelVersion": "m1",
        "ruleVersion": "r1",
        "modelProvider": "openai",
        "merchantId": "shop",
        "deviceId": "phone",
        "ipCountry": "DE",
        "channel": "api",
        "modelLatencyMs": 3,
        "totalLatencyMs": 4,
        "isFraudTx": False,
        "chargebackDate": "2026-05-02",
        "experimentId": "e1",
        "features": features,
        "featureAttributions": {"amount": -0.25},
        "amountMinor": 1250,
        "traceId": "x",
    }
    assert land(home, "fraud_decisions", DECIDED, camel).accepted == 2
    first, row = bronze_rows(home, "fraud_decisions")
    assert first["event_id"] == "d1"
    sent = ("event_id", "model_score", "rule_score", "is_fraud_tx", "amount_minor", "model_version")
    assert [row[name] for name in sent] == ["d2", 0, 1, False, 1250, "m1"]
    assert str(row["chargeback_date"]) == "2026-05-02"
    assert json.loads(row["features"]) == features
    assert json.loads(row["additional_data"]) == {"traceId": "x"}


def test_an_outcome_says_what_it_knows_and_no_more(home: Home) -> None:
    camel = {
        "outcomeId": "o2",
        "transactionId": "t1",
        "recordedAt": "2026-05-04T10:00:00Z",
        "falsePositiveCostMinor": 0,
        "overriddenDecision": "approved",
    }
    assert land(home, "fraud_outcomes", FOUND | {"is_fraud_tx": True}, camel).accepted == 2
    first, row = bronze_rows(home, "fraud_outcomes")
    names = ("event_id", "is_fraud_tx", "false_positive_cost_minor", "overridden_decision")
    assert [first[name] for name in names] == ["o1", True, None, None]
    assert [row[name] for name in names] == ["o2", None, 0, "approved"]


@pytest.mark.parametrize(
    ("table", "changes", "code", "pointer"),
    [
        ("fraud_decisions", {"transaction_id": " "}, "envelope_violation", "/transaction_id"),
        ("fraud_decisions", {"decision": "maybe"}, "schema_violation", "/decision"),
        ("fraud_decisions", {"model_provider": "other"}, "schema_violation", "/model_provider"),
        ("fraud_decisions", {"channel": "fax"}, "schema_violation", "/channel"),
        ("fraud_decisions", {"final_score": 1.01}, "schema_violation", "/final_score"),
        ("fraud_decisions", {"rule_score": MARK}, "schema_violation", "/rule_score"),
        ("fraud_decisions", {"total_latency_ms": -1}, "schema_violation", "/total_latency_ms"),
        ("fraud_decisions", {"region": "us-east1"}, "residency_violation", "/region"),
        ("fraud_outcomes", {"recorded_at": None}, "envelope_violation", "/recorded_at"),
        (
            "fraud_outcomes",
            {"false_positive_cost_minor": -1},
            "schema_violation",
            "/false_positive_cost_minor",
        ),
        (
            "fraud_outcomes",
            {"overridden_decision": "maybe"},
            "schema_violation",
            "/overridden_decision",
        ),
    ],
)
def test_what_does_not_fit_is_refused(
    home: Home, table: str, changes: dict[str, Any], code: str, pointer: str
) -> None:
    sent = DECIDED if table == "fraud_decisions" else FOUND
    assert land(home, table, sent | changes).accepted == 0
    (letter,) = bronze_rows(home, "dead_letters")
    assert (letter["code"], letter["pointer"]) == (code, pointer)
    assert MARK not in json.dumps({k: str(v) for k, v in letter.items() if k != "raw"})


@pytest.mark.parametrize("table", ["fraud_decisions", "fraud_outcomes"])
@pytest.mark.parametrize("name", ["customer_name", "customerEmail", "name", "email"])
def test_the_customer_never_lands(home: Home, table: str, name: str) -> None:
    sent = DECIDED if table == "fraud_decisions" else FOUND
    assert land(home, table, sent | {name: MARK}).accepted == 0
    (letter,) = bronze_rows(home, "dead_letters")
    assert (letter["code"], letter["raw"]) == ("pii_forbidden", None)


def test_whom_the_tables_are_about() -> None:
    assert contract_of("fraud_decisions").subject == ("customer_id", "device_id")
    assert contract_of("fraud_outcomes").subject == ("customer_id", "transaction_id")
