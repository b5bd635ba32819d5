"""Demo decisions on transactions, and what became of them: six weeks, every day of the same mix.

Planted, each with its figures in the answer key:

- frauds that were let through are known after two weeks, those that were held after two days, so
  that the newest weeks look better than they are;
- a merchant at which most of what is held is honest, and a new version of the model;
- a week in which reviewers let through all that was sent to them, and a day of slow rules;
- rows delivered twice, unchanged and changed, outcomes of nothing, and rows with the customer's
  name, which are refused.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from loaders.demo.experiments import assignments, experiment_of
from loaders.demo.features import Features

DAYS = 42
DECISION_SHARE = 0.2  # decisions per event of `attempts`
BUSY_HOURS = range(9, 19)
CUSTOMER_DAYS = 10  # of decisions, after which a customer comes again

# What each hundred decisions of a day are.
HELD_FRAUDS, HELD_HONEST, PASSED_FRAUDS = 15, 10, 10
HELD_KNOWN, PASSED_KNOWN = timedelta(days=2), timedelta(days=14)

MERCHANTS, HARSH_MERCHANT = 5, "merchant-harsh"
HARSH_OF = {"held_fraud": 0.08, "held_honest": 0.5, "passed_fraud": 0.15, "passed_honest": 0.2}
KIOSK, KIOSK_SHARE = "kiosk-1", 0.12
CHANNELS = ("web", "web", "web", "web", "mobile", "mobile", "api")
MODELS, NEW_MODEL_DAY = ("fraud-net-1.4", "fraud-net-2.0"), 28
RULES, NEW_RULES_DAY = ("r7", "r8"), 21
RELEASED_DAYS = range(30, 37)
SLOW_DAY, SLOWNESS = 33, 6.0
SENT_COST, CURRENCY, REGION = 2_500, "EUR", "eu-west1"

FILES = ("fraud_decisions-01.jsonl", "fraud_decisions-02.jsonl")
OUTCOMES = ("fraud_outcomes-01.jsonl", "fraud_outcomes-02.jsonl")
CUT, EXACT_SHARE, CONFLICTS, REFUSED, ORPHANS = 0.7, 0.005, 3, 5, 4
PRODUCERS = ("demo-fraud-1", "demo-desk-1")

Event = dict[str, Any]


def write_decisions(
    folder: Path, events: int, seed: int, end: datetime
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Write the demo files of decisions and outcomes, and return their parts of the answer key."""
    rng = np.random.Generator(np.random.PCG64([seed, 5]))
    features = Features(seed)
    start, a_day = end - timedelta(days=DAYS), round(events * DECISION_SHARE / DAYS)
    kinds = [_kind(number) for number in range(a_day)]
    variants = assignments(a_day, a_day * CUSTOMER_DAYS, _kind)
    decisions, outcomes = [], []
    for day in range(DAYS):
        for number, kind in enumerate(kinds):
            decision = _decision(rng, day, number, a_day, kind, start)
            decision["features"] |= features.of(day, number)
            customer = _customer(day, number, a_day)
            decisions.append(decision | experiment_of(day, variants[customer]))
            outcome = _outcome(decision, day, kind)
            if outcome and outcome["recorded_at"] < _time(end):
                outcomes.append(outcome)
    decisions.sort(key=lambda row: (row["timestamp"], row["id"]))
    outcomes.sort(key=lambda row: (row["recorded_at"], row["outcome_id"]))
    orphans = [
        {"outcome_id": f"orphan-{n}", "transaction_id": f"nowhere-{n}"}
        | {"recorded_at": _time(end - timedelta(days=1)), "is_fraud_tx": True}
        for n in range(ORPHANS)
    ]
    outcomes += orphans
    counted = Counter(kinds)
    of_decisions = {
        "decisions": len(decisions),
        "a_day": a_day,
        "day_mix": dict(sorted(counted.items())),
        "decided": dict(sorted(Counter(row["decision"] for row in decisions).items())),
        "known_after_days": {"held": HELD_KNOWN.days, "passed": PASSED_KNOWN.days},
        "harsh_merchant": HARSH_MERCHANT,
        "shared_device": KIOSK,
        "models": {MODELS[0]: NEW_MODEL_DAY, MODELS[1]: DAYS - NEW_MODEL_DAY},
        "new_model_on": _day(start, NEW_MODEL_DAY),
        "released_days": [_day(start, day) for day in RELEASED_DAYS],
        "slow_day": _day(start, SLOW_DAY),
        "features": features.planted([_day(start, day) for day in range(DAYS)]),
        **_write_files(rng, folder, FILES, decisions, PRODUCERS[0]),
    }
    of_outcomes = {
        "outcomes": len(outcomes),
        "orphans": ORPHANS,
        **_write_files(rng, folder, OUTCOMES, outcomes, PRODUCERS[1]),
    }
    return of_decisions, of_outcomes


def _kind(number: int) -> str:
    """Spread over the day, so that every hour has some of each."""
    place = number * 37 % 100
    if place < HELD_FRAUDS:
        return "held_fraud"
    if place < HELD_FRAUDS + HELD_HONEST:
        return "held_honest"
    if place < HELD_FRAUDS + HELD_HONEST + PASSED_FRAUDS:
        return "passed_fraud"
    return "passed_honest"


def _customer(day: int, number: int, a_day: int) -> int:
    return (day * a_day + number) % (a_day * CUSTOMER_DAYS)


def _decision(
    rng: np.random.Generator, day: int, number: int, a_day: int, kind: str, start: datetime
) -> Event:
    """One decision. Who makes it has an id of its own for everything."""
    name = f"{day}-{number}"
    customer = _customer(day, number, a_day)
    hour = BUSY_HOURS[number % len(BUSY_HOURS)]
    at = start + timedelta(days=day, hours=hour, seconds=int(rng.integers(0, 3_600)))
    is_held = kind.startswith("held")
    score = round(float(rng.uniform(0.6, 1) if is_held else rng.uniform(0, 0.6)), 4)
    rule_ms = float(rng.lognormal(2, 0.3)) * (SLOWNESS if day == SLOW_DAY else 1)
    model_ms = float(rng.lognormal(3.5, 0.3))
    is_harsh = rng.random() < HARSH_OF[kind]
    at_kiosk = rng.random() < KIOSK_SHARE
    return {
        "id": f"decision-{name}",
        "transaction_id": f"transaction-{name}",
        "timestamp": _time(at),
        "decision": {"held_fraud": "declined", "held_honest": "review"}.get(kind, "approved"),
        "model_score": score,
        "rule_score": round(score * 0.9, 4),
        "final_score": score,
        "model_version": MODELS[day >= NEW_MODEL_DAY],
        "rule_version": RULES[day >= NEW_RULES_DAY],
        "model_provider": "local",
        "merchant_id": HARSH_MERCHANT if is_harsh else f"merchant-{rng.integers(0, MERCHANTS)}",
        "merchant_category": ("travel", "grocery", "games")[number % 3],
        "channel": CHANNELS[int(rng.integers(0, len(CHANNELS)))],
        "device_id": KIOSK if at_kiosk else f"device-{customer}",
        "ip_country": ("DE", "DE", "DE", "FR", "FR", "NL")[int(rng.integers(0, 6))],
        "region": REGION,
        "model_latency_ms": round(model_ms, 1),
        "rule_latency_ms": round(rule_ms, 1),
        "total_latency_ms": round(model_ms + rule_ms + 2, 1),
        "customer_id": f"payer-{customer}",
        "amount_minor": int(rng.lognormal(8, 0.7)),
        "currency": CURRENCY,
        "features": {"amount_percentile": round(float(rng.random()), 3), "is_new": number % 2},
        "feature_attributions": {"velocity": 0.125 if is_held else -0.125},
    }


def _outcome(decision: Event, day: int, kind: str) -> Event | None:
    """What is found out of a transaction, if anything ever is."""
    if kind == "passed_honest":
        return None
    name = decision["transaction_id"]
    is_fraud, was_held = kind.endswith("fraud"), kind.startswith("held")
    at = datetime.fromisoformat(decision["timestamp"]) + (HELD_KNOWN if was_held else PASSED_KNOWN)
    found: Event = {
        "outcome_id": f"outcome-{name}",
        "transaction_id": name,
        "recorded_at": _time(at),
        "customer_id": decision["customer_id"],
        "is_fraud_tx": is_fraud,
        "region": REGION,
    }
    if is_fraud:
        found["fraud_type"] = "stolen_card"
    if kind == "passed_fraud":
        found |= {"chargeback_occurred": True, "chargeback_date": f"{at:%Y-%m-%d}"}
    if kind == "held_honest":
        found["false_positive_cost_minor"] = SENT_COST
        if day in RELEASED_DAYS:
            found |= {"overridden_decision": "approved", "overridden_by": "reviewer-1"}
    return found


def _write_files(
    rng: np.random.Generator,
    folder: Path,
    names: tuple[str, str],
    rows: list[Event],
    producer: str,
) -> dict[str, Any]:
    """Deliver in two files; the second is in camelCase, and repeats some rows of the first."""
    sent = [row | {"producer": producer, "sequence": n} for n, row in enumerate(rows, 1)]
    cut = round(len(sent) * CUT)
    again = rng.choice(cut, round(len(sent) * EXACT_SHARE) + CONFLICTS, replace=False)
    exact = [sent[number] for number in again[CONFLICTS:]]
    changed = [sent[number] | {"transaction_id": f"other-{number}"} for number in again[:CONFLICTS]]
    refused = [sent[0] | {"customer_name": "Somebody"} for _ in range(REFUSED)]
    second = [*sent[cut:], *exact, *changed, *refused]
    _write(folder / names[0], sent[:cut])
    _write(folder / names[1], [{_camel(k): v for k, v in row.items()} for row in second])
    return {
        "files": {
            names[0]: {"received": cut, "accepted": cut, "rejected": {}},
            names[1]: {
                "received": len(second),
                "accepted": len(second) - REFUSED,
                "rejected": {"pii_forbidden": REFUSED},
            },
        },
        "duplicates": {"exact": len(exact), "conflict": CONFLICTS},
        "sequences": {producer: [1, len(sent)]},
    }


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


def _day(start: datetime, number: int) -> str:
    return (start + timedelta(days=number)).date().isoformat()


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _write(path: Path, rows: list[Event]) -> None:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8", newline="\n")
