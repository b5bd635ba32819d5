"""Demo explanations of decisions, made of the decisions that were written.

Planted, each with its figures in the answer key:

- of three of four decisions an explanation by SHAP, in which one feature raises the score of what
  was held alone and another one of none;
- a rule that fires on just what was held, one that fires on the even ones, and one that never does;
- the other decisions explain themselves, by a feature of their own;
- explanations of nothing, one with a sentence for a feature, and some delivered twice.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from loaders.demo.decisions import FILES as DECISIONS

FILE = "fraud_attributions-01.jsonl"
RAISING, LOWERING = "amount_percentile", "is_known"
HELD_RULE, EVEN_RULE, QUIET_RULE = "risky-score", "even-number", "never-seen"
SENTENCE = "the customer called on monday"
RAISED, LOWERED, PASSED = 0.25, -0.125, -0.0625
ORPHANS, REPEATED = 3, 20

Event = dict[str, Any]


def write_attributions(folder: Path) -> dict[str, Any]:
    """Write the demo file of explanations beside the decisions; its part of the answer key."""
    first = (folder / DECISIONS[0]).read_text(encoding="utf-8").splitlines()
    explained = [json.loads(line) for number, line in enumerate(first) if number % 4]
    sent = [_explanation(decision, number) for number, decision in enumerate(explained)]
    sent += [{"decision_id": f"nothing-{n}", "method": "lime"} for n in range(ORPHANS)]
    rows = [*sent, *sent[:REPEATED]]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / FILE).write_text(text, encoding="utf-8", newline="\n")
    held = sum(decision["decision"] != "approved" for decision in explained)
    return {
        "explained": len(explained),
        "held": held,
        "orphans": ORPHANS,
        "files": {FILE: {"received": len(rows), "accepted": len(rows), "rejected": {}}},
        "duplicates": {"exact": REPEATED, "conflict": 0},
        "contributions": {"raised": RAISED, "lowered": LOWERED, "passed": PASSED},
        "rules": {"held": HELD_RULE, "even": EVEN_RULE, "quiet": QUIET_RULE},
    }


def _explanation(decision: Event, number: int) -> Event:
    is_held = decision["decision"] != "approved"
    contributions = [
        _contribution(RAISING, decision["features"][RAISING], RAISED if is_held else PASSED),
        _contribution(LOWERING, 1, LOWERED),
    ]
    if number == 0:
        contributions.append(_contribution(SENTENCE, 1, 1.0))
    return {
        "decision_id": decision["id"],
        "method": "shap",
        "customer_id": decision["customer_id"],
        "contributions": contributions,
        "top_drivers": [{"feature": c["feature"], "contribution": 1} for c in contributions[:1]],
        "rule_trace": [
            _rule(HELD_RULE, is_held, 2),
            _rule(EVEN_RULE, number % 2 == 0, 1),
            _rule(QUIET_RULE, False, 1),
        ],
        "computed_at": decision["timestamp"],
        "region": decision["region"],
    }


def _contribution(feature: str, value: float, contribution: float) -> Event:
    return {
        "feature": feature,
        "value": value,
        "contribution": contribution,
        "importance": abs(contribution),
    }


def _rule(name: str, has_fired: bool, conditions: int) -> Event:
    """A rule whose conditions all match where it fires, and none where it does not."""
    looked_at = [
        {"feature": "final_score", "operator": ">=", "value": n / 4, "matched": has_fired}
        for n in range(conditions)
    ]
    return {
        "ruleId": name,
        "ruleName": f"Rule {name}",
        "fired": has_fired,
        "score": 0.75 if has_fired else 0.25,
        "conditions": looked_at,
    }
