"""Demo experiments on decisions: who is in which variant, and how each was set up.

What becomes of a decision is not changed: effects are planted by who is in a variant, so many of
the customers of each kind. A customer is always of one kind. Planted, and told by the key:

- a variant that wins by recall, and one beside it that breaches its guardrail;
- a variant that loses by precision;
- traffic that was split otherwise than it should be;
- an experiment in which nothing is different.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

FILE = "experiments-01.jsonl"
GOLDEN = 0.6180339887498949  # its multiples spread evenly between 0 and 1

Shares = tuple[float, ...]


@dataclass(frozen=True)
class Plan:
    """An experiment on the customers with an even or odd number, on days of the demo."""

    name: str
    parity: int
    days: range
    metric: str
    variants: tuple[str, ...]
    shares: dict[str, Shares]  # of each variant in the customers of a kind
    review_limit: float
    truth: dict[str, Any]


def _alike(*shares: float) -> dict[str, Shares]:
    return dict.fromkeys(("held_fraud", "held_honest", "passed_fraud", "passed_honest"), shares)


PLANS = (
    Plan(
        "velocity-rules",
        0,
        range(13),
        "recall",
        ("control", "candidate", "greedy"),
        {
            "held_fraud": (0.24, 0.38, 0.38),
            "passed_fraud": (0.54, 0.23, 0.23),
            "held_honest": (0.25, 0.25, 0.5),
            "passed_honest": (0.336, 0.351, 0.313),
        },
        0.1,
        {"winner": "candidate", "breached": "greedy"},
    ),
    Plan(
        "strict-threshold",
        1,
        range(13),
        "precision",
        ("control", "strict"),
        {**_alike(0.5, 0.5), "held_honest": (0.25, 0.75), "passed_honest": (0.5385, 0.4615)},
        0.5,
        {"loser": "strict"},
    ),
    Plan(
        "new-router",
        0,
        range(14, 27),
        "recall",
        ("control", "router"),
        _alike(0.62, 0.38),
        0.5,
        {"is_split_wrongly": True},
    ),
    Plan(
        "new-colours",
        1,
        range(14, 27),
        "precision",
        ("control", "colours"),
        _alike(0.5, 0.5),
        0.5,
        {"is_quiet": True},
    ),
)


def assignments(a_day: int, customers: int, kind: Callable[[int], str]) -> dict[int, list[str]]:
    """The variant of each customer in each of the plans, in their order; `-` where in none."""
    met: Counter[tuple[int, str]] = Counter()
    found = {}
    for customer in range(customers):
        of_kind = kind(customer % a_day)
        number = met[customer % 2, of_kind]
        met[customer % 2, of_kind] += 1
        place = (number + 0.5) * GOLDEN % 1
        found[customer] = [
            _variant(plan, of_kind, place) if plan.parity == customer % 2 else "-" for plan in PLANS
        ]
    return found


def experiment_of(day: int, variants: list[str]) -> dict[str, str]:
    """What a decision of a day says of the experiment that its customer is in."""
    for plan, variant in zip(PLANS, variants, strict=True):
        if variant != "-" and day in plan.days:
            return {"experiment_id": plan.name, "variant_id": variant}
    return {}


def write_experiments(folder: Path, end: datetime, days: int) -> dict[str, Any]:
    """Write the versions of all experiments, and return their part of the answer key."""
    start = end - timedelta(days=days)
    rows = [row for plan in PLANS for row in _versions(plan, start)]
    malformed = rows[0] | {"trafficSplit": "half and half"}
    text = "".join(json.dumps(row) + "\n" for row in [*rows, malformed])
    (folder / FILE).write_text(text, encoding="utf-8", newline="\n")
    return {
        "experiments": {plan.name: plan.truth | {"metric": plan.metric} for plan in PLANS},
        "versions": len(rows),
        "files": {
            FILE: {
                "received": len(rows) + 1,
                "accepted": len(rows),
                "rejected": {"schema_violation": 1},
            }
        },
    }


def _variant(plan: Plan, kind: str, place: float) -> str:
    total = 0.0
    for variant, share in zip(plan.variants, plan.shares[kind], strict=True):
        total += share
        if place < total:
            return variant
    return plan.variants[-1]


def _versions(plan: Plan, start: datetime) -> list[dict[str, Any]]:
    """A draft, and what became of it, in camelCase."""
    begins = start + timedelta(days=plan.days.start)
    ends = start + timedelta(days=plan.days.stop - 1)
    last = {
        "id": plan.name,
        "name": f"Demo: {plan.name}",
        "description": "Made up.",
        "status": "completed",
        "startDate": f"{begins:%Y-%m-%d}",
        "endDate": f"{ends:%Y-%m-%d}",
        "trafficSplit": {variant: 100 / len(plan.variants) for variant in plan.variants},
        "variants": [{"id": variant, "name": variant.title()} for variant in plan.variants],
        "successMetrics": [plan.metric],
        "guardrails": [
            {
                "metric": "manual_review_rate",
                "threshold": plan.review_limit,
                "direction": "above",
                "action": "stop_experiment",
            },
            {"metric": "latency_p95", "threshold": 5000, "direction": "above", "action": "alert"},
        ],
        "createdAt": f"{begins - timedelta(days=2):%Y-%m-%dT%H:%M:%SZ}",
        "createdBy": "analyst-1",
        "updatedAt": f"{ends + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}",
    }
    draft = last | {"status": "draft", "trafficSplit": {}, "updatedAt": last["createdAt"]}
    return [draft, last]
