"""Demo events of a claims ledger: sixteen weeks of partners of three industries.

Planted, each with its figures in the answer key:

- a ring: in one week, frauds of one kind, amount and state come through one partner;
- a model that flags too often in one state, where there is no more fraud than elsewhere;
- a partner whose calls of the API fail five times as often as those of all others;
- a shop that sends the claims of a day in its last hour, so that hours of the API are told;
- rows delivered twice, unchanged, and rows with the customer's name, which are refused.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

WEEKS = 16
CLAIM_SHARE = 0.15  # claims per event of `attempts`
CUSTOMER_SHARE = 0.8  # customers per claim

# Industry: how many partners, how large the first of them is, what is claimed and how often. One
# shop is large enough to be told of by the day.
INDUSTRIES: dict[str, tuple[int, float, dict[str, float]]] = {
    "insurance": (14, 3, {"auto": 0.65, "home": 0.35}),
    "healthcare": (13, 3, {"treatment": 0.7, "medication": 0.3}),
    "retail": (3, 9, {"warranty": 1.0}),
}
AMOUNTS = {"auto": 3_000, "home": 6_500, "treatment": 1_800, "medication": 400, "warranty": 250}
STATES = {"DE": ("BY", "NW", "BE"), "FR": ("IDF", "ARA")}
STATE_SHARES = (0.7, 0.2, 0.1)

FRAUD_SHARE, FLAGGED_FRAUD, FLAGGED_HONEST = 0.08, 0.8, 0.04
BIASED_STATE, FLAGGED_THERE = "fr-ara", 0.35
RING_PARTNER, RING_TYPE, RING_AMOUNT, RING_SHARE, RING_WEEK = "partner-01", "auto", 7_500, 0.02, 9
FAILING_PARTNER, FAILING_SHARE, USUAL_SHARE = "partner-02", 0.25, 0.05
NIGHTLY_PARTNER, NIGHTLY_HOUR = "partner-28", 23
VERIFIED_SHARE, PROVEN_SHARE = 0.9, 0.7
PROOFS, CURRENCY, REGION = ("receipt", "photo"), "EUR", "eu-west1"
REQUESTS, REQUEST_STATES = 40, ("received", "in_progress", "completed")

FILES = ("claim_events-01.jsonl", "claim_events-02.jsonl")
REQUESTS_FILE = "data_subject_requests-01.jsonl"
CUT, EXACT_SHARE, REFUSED = 0.7, 0.005, 5
PRODUCER = "demo-ledger-1"

Event = dict[str, Any]


@dataclass
class Months:
    """What becomes of the claims of each month, taken down while they are written."""

    claims: Counter[str] = field(default_factory=Counter)
    verified: Counter[str] = field(default_factory=Counter)
    flagged: Counter[str] = field(default_factory=Counter)
    fraud: Counter[str] = field(default_factory=Counter)

    def figures(self) -> dict[str, dict[str, int]]:
        """By month."""
        return {
            month: {name: getattr(self, name)[month] for name in vars(self)}
            for month in sorted(self.claims)
        }


@dataclass(frozen=True)
class Partner:
    """A partner, whose customers live in one country."""

    name: str
    kinds: dict[str, float]
    country: str
    weight: float


def _partners() -> list[Partner]:
    """The partners of the seed, in its order; the first of an industry are the largest."""
    found: list[Partner] = []
    for count, largest, kinds in INDUSTRIES.values():
        for rank in range(count):
            weight = 1 / (1 + 0.1 * rank) if rank else largest
            country = "FR" if rank % 3 == 2 else "DE"
            found.append(Partner(f"partner-{len(found) + 1:02}", kinds, country, weight))
    return found


PARTNERS = _partners()
WEIGHTS = np.array([partner.weight for partner in PARTNERS])


def write_claims(folder: Path, events: int, seed: int, end: datetime) -> dict[str, Any]:
    """Write the demo files of `claim_events`, and return their part of the answer key."""
    rng = np.random.Generator(np.random.PCG64([seed, 3]))
    start = end - timedelta(weeks=WEEKS)
    months = Months()
    claims = round(events * CLAIM_SHARE)
    told: list[Event] = []
    for number in range(claims):
        told += _claim(rng, number, claims, start, end, months)
    in_order = sorted(told, key=lambda row: (row["timestamp"], row["claim_id"], row["event_type"]))
    sent = [
        row | {"event_id": f"{PRODUCER}-{number}", "producer": PRODUCER, "sequence": number}
        for number, row in enumerate(in_order, 1)
    ]
    ring = {row["claim_id"] for row in sent if row["claim_id"].startswith("ring-")}
    return {
        "distinct_events": len(sent),
        "types": dict(sorted(Counter(row["event_type"] for row in sent).items())),
        "claims": claims,
        "months": months.figures(),
        "ring": {
            "partner": RING_PARTNER,
            "claim_type": RING_TYPE,
            "week": (start + timedelta(weeks=RING_WEEK)).date().isoformat(),
            "claims": len(ring),
        },
        "biased_region": BIASED_STATE,
        "failing_partner": FAILING_PARTNER,
        "nightly": {"partner": NIGHTLY_PARTNER, "hour": NIGHTLY_HOUR},
        "sequences": {PRODUCER: [1, len(sent)]},
        **_write_files(rng, folder, sent),
    }


def _claim(
    rng: np.random.Generator,
    number: int,
    claims: int,
    start: datetime,
    end: datetime,
    months: Months,
) -> list[Event]:
    """All that the ledger says of one claim before `end`."""
    partner = PARTNERS[rng.choice(len(PARTNERS), p=WEIGHTS / WEIGHTS.sum())]
    kind = str(rng.choice(list(partner.kinds), p=list(partner.kinds.values())))
    states = STATES[partner.country]
    shares = np.array(STATE_SHARES[: len(states)])
    state = states[rng.choice(len(states), p=shares / shares.sum())]
    at = start + timedelta(seconds=int(rng.integers(0, WEEKS * 7 * 86_400)))
    amount = round(float(AMOUNTS[kind] * rng.lognormal(0, 0.5)), 2)
    is_fraud = bool(rng.random() < FRAUD_SHARE)
    is_ring = number < claims * RING_SHARE
    if is_ring:
        partner, kind, is_fraud = PARTNERS[0], RING_TYPE, True
        state, amount = STATES[partner.country][0], RING_AMOUNT + number / 100
        at = start + timedelta(weeks=RING_WEEK, seconds=int(rng.integers(0, 7 * 86_400)))
    region = f"{partner.country}-{state}".lower()
    honest = FLAGGED_THERE if region == BIASED_STATE else FLAGGED_HONEST
    flagged_at = at + timedelta(minutes=1)
    is_flagged = bool(rng.random() < (FLAGGED_FRAUD if is_fraud else honest)) and flagged_at < end
    verified_at = at + timedelta(seconds=int(rng.integers(600, 2 * 86_400)))
    is_decided = bool(rng.random() < VERIFIED_SHARE) and verified_at < end
    common: Event = {
        "partner_id": partner.name,
        "claim_id": f"{'ring' if is_ring else 'claim'}-{number}",
        "region": REGION,
    }
    submitted: Event = {
        "event_type": "claim_submitted",
        "timestamp": _time(at),
        "customer_id": _customer(rng, number, claims, is_ring),
        "customer_birth_year": int(rng.integers(1935, 2008)),
        "claim_type": kind,
        "claim_amount": amount,
        "currency": CURRENCY,
        "location": {
            "street": f"Street {number}",
            "city": f"City {state}",
            "state": state,
            "country": partner.country,
            "postal_code": f"{10_000 + number}",
        },
        "processing_time_ms": round(float(rng.lognormal(6, 0.4)), 1),
        "fraud_score": round(float(rng.beta(8, 3) if is_flagged else rng.beta(2, 8)), 4),
    }
    found = [submitted, _call(rng, at, partner, number)]
    if is_flagged:
        found.append({"event_type": "fraud_detected", "timestamp": _time(flagged_at)})
    if is_decided:
        found += _decision(rng, number, verified_at, is_fraud)
    month = f"{at:%Y-%m}"
    months.claims[month] += 1
    months.verified[month] += is_decided and not is_fraud
    months.flagged[month] += is_flagged
    months.fraud[month] += is_decided and is_fraud
    return [common | event for event in found if event["timestamp"] < _time(end)]


def _customer(rng: np.random.Generator, number: int, claims: int, is_ring: bool) -> str:
    """The customers of the ring are others each, and nobody else."""
    if is_ring:
        return f"ring-customer-{number}"
    return f"customer-{rng.integers(0, round(claims * CUSTOMER_SHARE))}"


def _call(rng: np.random.Generator, at: datetime, partner: Partner, number: int) -> Event:
    """The call of the API by which a claim came in."""
    failing = FAILING_SHARE if partner.name == FAILING_PARTNER else USUAL_SHARE
    endpoint = "/v1/claims" if number % 3 else f"/v1/claims/{1_000_000 + number}/documents"
    called_at = at.replace(hour=NIGHTLY_HOUR) if partner.name == NIGHTLY_PARTNER else at
    return {
        "event_type": "api_call",
        "timestamp": _time(called_at),
        "api_endpoint": endpoint,
        "http_status": 503 if rng.random() < failing else 201,
        "processing_time_ms": round(float(rng.lognormal(4, 0.5)), 1),
    }


def _decision(rng: np.random.Generator, number: int, at: datetime, is_fraud: bool) -> list[Event]:
    """What was found out of a claim, and the proof of it."""
    verified: Event = {
        "event_type": "claim_verified",
        "timestamp": _time(at),
        "verification_result": "rejected" if is_fraud else "verified",
        "is_fraud": is_fraud,
        "processing_time_ms": round(float(rng.lognormal(7, 0.4)), 1),
    }
    if rng.random() >= PROVEN_SHARE:
        return [verified]
    proof = {"proof_id": f"proof-{number}", "proof_type": PROOFS[number % 2]}
    return [verified, {"event_type": "proof_generated", "timestamp": _time(at), **proof}]


def _write_files(rng: np.random.Generator, folder: Path, sent: list[Event]) -> dict[str, Any]:
    """Deliver in two files; the second is in camelCase, and repeats some rows of the first."""
    cut = round(len(sent) * CUT)
    again = sorted(rng.choice(cut, round(len(sent) * EXACT_SHARE), replace=False))
    refused = [
        sent[0] | {"event_id": f"refused-{n}", "customer_name": "Somebody"} for n in range(REFUSED)
    ]
    second = [*sent[cut:], *(sent[number] for number in again), *refused]
    _write(folder / FILES[0], sent[:cut])
    _write(folder / FILES[1], [{_camel(k): v for k, v in row.items()} for row in second])
    return {
        "files": {
            FILES[0]: {"received": cut, "accepted": cut, "rejected": {}},
            FILES[1]: {
                "received": len(second),
                "accepted": len(second) - REFUSED,
                "rejected": {"pii_forbidden": REFUSED},
            },
        },
        "duplicates": {"exact": len(again)},
    }


def write_requests(folder: Path, seed: int, end: datetime) -> dict[str, Any]:
    """Write the demo file of `data_subject_requests`, and return its part of the answer key."""
    rng = np.random.Generator(np.random.PCG64([seed, 4]))
    rows: list[Event] = []
    last: Counter[str] = Counter()
    for number in range(REQUESTS):
        opened = end - timedelta(days=int(rng.integers(15, 110)), hours=int(rng.integers(0, 24)))
        states = REQUEST_STATES[: int(rng.integers(1, len(REQUEST_STATES) + 1))]
        last[states[-1]] += 1
        for days, status in enumerate(states):
            at = _time(opened + timedelta(days=days * 5))
            rows.append(
                {
                    "request_id": f"dsr-{number}",
                    "kind": "erasure" if number % 3 else "access",
                    "status": status,
                    "updated_at": at,
                    "regulation": "gdpr",
                    "due_at": _time(opened + timedelta(days=30)),
                }
                | ({"completed_at": at} if status == "completed" else {})
            )
    _write(folder / REQUESTS_FILE, rows)
    return {"requests": REQUESTS, "statuses": dict(sorted(last.items())), "rows": len(rows)}


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _write(path: Path, rows: list[Event]) -> None:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8", newline="\n")
