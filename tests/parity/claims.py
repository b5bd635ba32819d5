"""Claim events and requests on which the engines would differ, were it not for the macros.

Half units and half milliseconds, addresses that are no object, kinds and paths that are no words,
events of one claim at one moment, requests whose states land out of order.
"""

from __future__ import annotations

import random
from datetime import datetime
from typing import Any

PEOPLE, CLAIMS = 60, 150
TYPES = ["claim_submitted"] * 4 + ["claim_verified"] * 3 + ["fraud_detected", "proof_generated"]
PARTNERS = ["p1"] * 12 + ["P 1", "P1", "p2", "ß"]
# Most of a claim hangs on its number, so that cells have people enough.
KINDS = ["auto"] * 8 + ["Auto", "home", "4711 1234", "İ", None]
AMOUNTS = [10, 999.99, 1000, 0.005, 1.115, -1, 10**12, None]
CURRENCIES = ["EUR"] * 8 + ["eur ", "JPY", "KWD", "XXX", "ß", None]
LOCATIONS: list[Any] = [
    *[{"street": "1 Main St", "city": "München", "state": "BY", "country": "DE"}] * 8,
    {"city": "Köln", "state": "N W", "country": "de", "postalCode": "1"},
    {"city": {"name": "x"}, "state": ["y"], "country": "XX"},
    '{"state": "by", "country": "DE"}',
    "no json",
    None,
]
ENDPOINTS = ["/v1/claims"] * 4 + ["/V1/claims/12345/x?y=1", "/claims/a@b.c", "ß", None]
RESULTS = ["verified"] * 3 + ["Rejected", "unclear", None]
STATES = ["received", "In Progress", "completed", "4711 1234"]


def claim_event(rng: random.Random) -> dict[str, Any]:
    """All but the event's id, number and time."""
    number = rng.randrange(CLAIMS)
    is_call = rng.random() < 0.2
    of_claim = random.Random(number)
    return {
        "event_type": "api_call" if is_call else rng.choice(TYPES),
        "partnerId": of_claim.choice(PARTNERS),
        "claim_id": None if is_call and rng.random() < 0.3 else f"c{number}",
        "customer_id": rng.choice([f"u{number % PEOPLE}"] * 4 + [f" u{number % PEOPLE} ", None]),
        "customerBirthYear": rng.choice([1931, 1941, 1942, 2008, None]),
        "claim_type": rng.choice([of_claim.choice(KINDS)] * 5 + [None]),
        "claim_amount": rng.choice([of_claim.choice(AMOUNTS)] * 3 + [None]),
        "currency": of_claim.choice(CURRENCIES),
        "location": rng.choice([of_claim.choice(LOCATIONS)] * 3 + [None]),
        "processingTimeMs": rng.choice([12.5, 13.5, 0.5, 20, None]),
        "fraud_score": rng.choice([0.125, 0.5, 1, None]),
        "verification_result": rng.choice(RESULTS),
        "isFraud": rng.choice([True, False, None, None]),
        "proof_id": rng.choice([f"z{number}", None]),
        "api_endpoint": rng.choice(ENDPOINTS) if is_call else None,
        "httpStatus": rng.choice([200, 399, 400, 503, None]) if is_call else None,
        "region": rng.choice(["EU", " eu-west1", "elsewhere", None]),
    }


def requests(rng: random.Random, day: datetime, refused: int) -> list[dict[str, Any]]:
    """States of twenty requests, some told twice at one moment, and lines that lack a field."""
    told = [
        {
            "requestId": f"r{rng.randrange(20)}",
            "kind": rng.choice(["Erasure", "access", "ß"]),
            "status": rng.choice(STATES),
            "updated_at": f"{day:%Y-%m-%d}T1{rng.randrange(3)}:00:00Z",
            "dueAt": f"{day:%Y-%m-%d}T11:30:00+02:00",
            "completedAt": rng.choice([None, f"{day:%Y-%m-%d}T12:00:00Z"]),
        }
        for _ in range(40)
    ]
    return told + [{"request_id": "r"}] * (refused - 1)
