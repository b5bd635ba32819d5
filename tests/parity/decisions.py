"""Decisions and outcomes on which the engines would differ, were it not for the macros.

Scores on the edges of bands, half milliseconds, versions that are no names, currencies without a
cost, outcomes of one moment that contradict each other, and outcomes of nothing.
"""

from __future__ import annotations

import json
import random
from typing import Any

NUMBERS: list[Any] = [0.25, -0.125, "0.5", 1e-1, "high", None, True, {"a": 1}]
NAMES = ["amount"] * 4 + [" Amount ", "b.c", "seen on monday", "İ", "", None]
OWN: list[Any] = [{"velocity": 0.125, "b.c": -1}, {"velocity": "x", "no name": 1}, "[1]", None]

PEOPLE, TRANSACTIONS = 200, 900
DECISIONS = ["approved"] * 4 + ["declined", "review"]
SCORES = [0, 0.29999999999999999, 0.3, 0.6, 0.8, 1]
MODELS = ["net-1"] * 8 + [" Net-1 ", "net-2", "net 3", "İ", "x123456789"]
RULES = ["r1"] * 6 + ["R2", "", None]
MERCHANTS = ["m1"] * 4 + ["m2", " m1 ", "ß", None]
CATEGORIES = ["travel", "Travel ", "4711 1234", None]
COUNTRIES = ["DE"] * 6 + ["de ", "ß", "XX", None]
CURRENCIES = ["EUR"] * 8 + ["eur ", "JPY", "Euro", None]
FEATURES = [
    {"amount": 1.5, "mode": "Chip"},
    '{"amount": 1}',
    {"amount": 0.1, "mode": "İ", "is_new": True},
    {"amount": "1.5", "mode": ["chip"], "Jo Doe": 1, "ß": 2},
    None,
]
VARIANTS = ["control", "low-2"]
LATENCIES = [12.5, 13.5, 0.5, 20, 1e-9]


def decision(rng: random.Random, number: int) -> dict[str, Any]:
    """All but the event's id, number and time."""
    of = random.Random(number)
    return {
        "transactionId": f"t{number % TRANSACTIONS}",
        "decision": of.choice(DECISIONS),
        "model_score": rng.choice(SCORES),
        "finalScore": of.choice(SCORES),
        "model_version": of.choice(MODELS),
        "ruleVersion": of.choice(RULES),
        "model_provider": rng.choice(["local", "openai"]),
        "merchant_id": of.choice(MERCHANTS),
        "merchant_category": of.choice(CATEGORIES),
        "channel": of.choice(["web", "web", "mobile", "api"]),
        "device_id": rng.choice(["kiosk", f"phone-{number}", None]),
        "ip_country": of.choice(COUNTRIES),
        "model_latency_ms": rng.choice([*LATENCIES, None]),
        "rule_latency_ms": rng.choice([*LATENCIES, None]),
        "total_latency_ms": rng.choice(LATENCIES),
        "is_fraud_tx": rng.choice([True, False, *[None] * 18]),
        "chargebackOccurred": rng.choice([True, *[None] * 18]),
        "customer_id": rng.choice([f"u{number % PEOPLE}"] * 6 + [f" u{number % PEOPLE} ", None]),
        "amount_minor": rng.choice([0, 999, 10**12]),
        "currency": of.choice(CURRENCIES),
        "feature_attributions": rng.choice(OWN),
        "features": rng.choice(FEATURES),
        "experiment_id": of.choice(["fees"] * 9 + [" Fees ", "a fee", None]),
        "variantId": rng.choice([VARIANTS[number % PEOPLE % 2]] * 9 + [" Control ", "İ", None]),
        "region": rng.choice(["EU", " eu-west1", "elsewhere", None]),
    }


def outcome(rng: random.Random) -> dict[str, Any]:
    """The same of an outcome, of a decided transaction nearly always."""
    number = rng.randrange(TRANSACTIONS + 9)
    return {
        "transaction_id": f"t{number}",
        "isFraudTx": rng.choice([True, True, False, False, None]),
        "chargeback_occurred": rng.choice([True, False, None]),
        "falsePositiveCostMinor": rng.choice([0, 7, None]),
        "overridden_decision": rng.choice([*DECISIONS, None]),
        "customer_id": rng.choice([f"u{number % PEOPLE}", None]),
        "region": rng.choice(["EU", None]),
    }


def attribution(rng: random.Random) -> dict[str, Any]:
    """The same of an explanation: names that are none, numbers as texts, what is no list."""
    contributions = [
        {"feature": name, "value": rng.choice(NUMBERS), "contribution": rng.choice(NUMBERS)}
        for name in rng.sample(NAMES, 4)
    ]
    rules = [
        {
            rng.choice(["ruleId", "rule_id"]): rng.choice(["r1", "R2", "r 3", None]),
            "fired": rng.choice([True, False, "true", None]),
            "score": rng.choice(NUMBERS),
            "conditions": rng.choice([[{"matched": True}, {"matched": False}, 7], [], {"a": 1}]),
        }
        for _ in range(3)
    ]
    return {
        "method": rng.choice(["shap"] * 4 + ["lime"]),
        "contributions": rng.choice([contributions] * 8 + [{"amount": 1}, "[", None]),
        "ruleTrace": rng.choice([rules] * 8 + [{}, None]),
    }


def experiments(rng: random.Random) -> list[dict[str, Any]]:
    """Versions of two experiments: shares that are no numbers, guardrails that are none."""
    fees = {
        "id": "fees",
        "name": "Fees",
        "status": "running",
        "startDate": "2026-05-01T00:00:00+02:00",
        "variants": [{"id": "control"}, {"variantId": " Low-2 "}, {"id": "no name"}, "x"],
        "successMetrics": rng.choice([["precision"], ["no metric"], [], None]),
        "guardrails": [
            {"metric": "latency_p95", "threshold": 13.5, "direction": "above", "action": "alert"},
            {"metric": "Manual_Review_Rate", "threshold": "0.1", "direction": "above"}
            | {"action": "pause_variant"},
            {"metric": "ß", "threshold": None},
        ],
    }
    splits = [{"control": 50, "low-2": "50"}, {"Control ": 1, "low-2": 2, "x y": "İ"}, None]
    return [
        fees | {"trafficSplit": rng.choice(splits), "updatedAt": f"2026-05-0{day}T10:00:00Z"}
        for day in (2, 3)
    ] + [fees | {"id": "empty", "status": "draft"}, fees | {"id": "nobody", "variants": None}]


def replays(rng: random.Random) -> list[dict[str, Any]]:
    """Versions of replays: rules on numbers and texts, and each way to be wrong."""
    window = {"start": "2026-01-01", "end": "2027-01-01T00:00:00+02:00"}
    base = {"name": "R", "status": "running", "timeWindow": window}
    rules = [
        {"id": "R-1", "action": "Decline", "any": [{"feature": "amount", "operator": ">="}]},
        {
            "id": "mode",
            "action": "review",
            "all": [
                {"feature": "Amount", "operator": rng.choice(["<", ">=", "!="]), "value": 12.5},
                {"feature": "device", "operator": "!=", "value": " İ ß"},
            ],
        },
        {
            "id": "none",
            "action": "approve",
            "any": [
                {"feature": "amount", "operator": "missing"},
                {"feature": "amount", "operator": "=", "value": "7"},
            ],
        },
    ]
    cutoffs = {"decline": 0.7, "review": "0.4"}
    sent: dict[str, dict[str, Any]] = {
        "cutoffs": {"thresholds": cutoffs, "score": {"scale": rng.choice([0.5, 1.5])}},
        "rules": {"rules": rules[1:], "ruleVersion": "r1"},
        "all": {"thresholds": cutoffs, "rules": rules[1:], "score": {"offset": 0.25}},
        "no-value": {"rules": rules},
        "no-list": {"rules": {"id": "r"}},
        "crossed": {"thresholds": {"decline": 0.1, "review": 0.2}},
        "unknown": {"threshold": 1},
        "version": {"rules": rules[1:], "modelVersion": "no version at all"},
        "empty": {},
    }
    rows = [base | {"id": name, "overrides": overrides} for name, overrides in sent.items()]
    return [
        *rows,
        rows[0] | {"timeWindow": {"start": "soon"}, "id": "timeless"},
        rows[0] | {"overrides": json.dumps(sent["all"]), "updatedAt": "2026-05-01T00:00:00Z"},
    ]
