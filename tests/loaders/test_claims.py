"""Claim events land with their address, without their customer, and about a claim."""

from __future__ import annotations

import json
from typing import Any

import pytest
from kept_validator import one_validator
from landed import bronze_rows
from samples import MARK, as_lines

from loaders.contracts import contract_of
from loaders.home import Home
from loaders.landing.batches import LandingResult, land_file

__all__ = ["one_validator"]  # a fixture

SUBMITTED = {
    "event_id": "e1",
    "event_type": "claim_submitted",
    "timestamp": "2026-05-01T10:00:00Z",
    "partner_id": "p1",
    "claim_id": "c1",
}


def land(home: Home, *events: dict[str, Any]) -> LandingResult:
    path = home.path / "sent.jsonl"
    path.write_bytes(as_lines(list(events)))
    return land_file(home, "claim_events", path)


def test_either_spelling_lands_with_the_whole_address(home: Home) -> None:
    address = {"street": "1 Main St", "city": "Albany", "state": "NY", "postalCode": "12207"}
    camel = {
        "eventId": "e2",
        "eventType": "claim_verified",
        "timestamp": "2026-05-01T10:00:00Z",
        "partnerId": "p1",
        "claimId": "c1",
        "claimAmount": 1234.56,
        "customerBirthYear": 1970,
        "fraudScore": 0.25,
        "isFraud": False,
        "processingTimeMs": 12.5,
        "verificationResult": "verified",
        "location": address,
        "httpStatus": 200,
        "sourceSystem": "ledger",
    }
    assert land(home, SUBMITTED, camel).accepted == 2
    _, row = bronze_rows(home, "claim_events")
    sent = ("claim_amount", "customer_birth_year", "fraud_score", "is_fraud", "processing_time_ms")
    assert [row[name] for name in sent] == [1234.56, 1970, 0.25, False, 12.5]
    assert json.loads(row["location"]) == address
    assert json.loads(row["additional_data"]) == {"sourceSystem": "ledger"}


CALL = {**SUBMITTED, "event_type": "api_call", "claim_id": None}


def test_only_a_call_is_about_no_claim(home: Home) -> None:
    assert land(home, CALL, CALL | {"event_id": "e2", "claim_id": " "}).accepted == 2


@pytest.mark.parametrize(
    ("changes", "code", "pointer"),
    [
        ({"claim_id": None}, "envelope_violation", "/claim_id"),
        ({"claim_id": "  "}, "envelope_violation", "/claim_id"),
        ({"partner_id": None}, "envelope_violation", "/partner_id"),
        ({"event_type": "claim_withdrawn"}, "schema_violation", "/event_type"),
        ({"claim_amount": MARK}, "schema_violation", "/claim_amount"),
        ({"customer_birth_year": 1899}, "schema_violation", "/customer_birth_year"),
        ({"http_status": 99}, "schema_violation", "/http_status"),
        ({"region": "us-east1"}, "residency_violation", "/region"),
    ],
)
def test_what_does_not_fit_is_refused(
    home: Home, changes: dict[str, Any], code: str, pointer: str
) -> None:
    assert land(home, SUBMITTED | changes).accepted == 0
    (letter,) = bronze_rows(home, "dead_letters")
    assert (letter["code"], letter["pointer"]) == (code, pointer)


@pytest.mark.parametrize(
    "name",
    ["customer_name", "customerEmail", "claim_description", "name", "email", "description"],
)
def test_the_customer_never_lands(home: Home, name: str) -> None:
    """Not in the table, not in a dead letter, in no file of the home but the one that was sent."""
    assert land(home, SUBMITTED | {name: MARK}, SUBMITTED | {"event_id": "e2"}).accepted == 1
    (letter,) = bronze_rows(home, "dead_letters")
    assert (letter["code"], letter["raw"], letter["event_id"]) == ("pii_forbidden", None, "e1")
    (home.path / "sent.jsonl").unlink()
    for file in home.path.rglob("*"):
        assert not file.is_file() or MARK.encode() not in file.read_bytes()


def test_the_subject_is_the_customer_then_the_claim() -> None:
    contract = contract_of("claim_events")
    assert contract.subject == ("customer_id", "claim_id")
    assert contract.column("location").privacy == "direct_identifier"
    assert {c.name for c in contract.columns if c.privacy == "never"} == {
        "customer_name",
        "customer_email",
        "claim_description",
    }
