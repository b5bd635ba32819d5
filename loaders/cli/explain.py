"""Explaining one decision."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from loaders import explanation
from loaders.cli.common import everywhere, say
from loaders.explanation import Explained
from loaders.home import open_duckdb_home


@click.command("explain")
@click.argument("decision")
@everywhere
def explain_decision(decision: str, home: Path | None, as_json: bool) -> None:
    """Say why DECISION was made: what moved its score, and which rules fired.

    DECISION is the id that its engine gave it. Who asks is in the audit log.
    """
    opened = open_duckdb_home(home, "queries of silver's int_fraud__contributions on BigQuery")
    found = explanation.explain(opened, decision)
    facts = {
        "decision": found.decision,
        "method": found.method,
        "top_drivers": found.top_drivers,
        "contributions": found.contributions,
        "rule_trace": found.rules,
    }
    say(as_json, facts, list(_lines(found)))


def _lines(found: Explained) -> Iterator[str]:
    said = found.decision
    scores = ", ".join(
        f"{name} {said[f'{name}_score']:g}"
        for name in ("final", "model", "rule")
        if said[f"{name}_score"] is not None
    )
    yield f"{said['decision']} at {said['decided_at']} UTC; scores: {scores}"
    yield f"model {said['model_version']} of {said['model_provider']}, rules {said['rule_version']}"
    yield f"transaction {said['transaction_key']}"
    yield f"person {said['subject_key'] or 'unknown'}"
    yield f"Top drivers, by {found.method}:" if found.method else "No contributions are known."
    for driver in found.top_drivers:
        yield f"  {driver['feature']}  {driver['contribution']:+g}"
    yield "Rules:" if found.rules else "No rules are known."
    for rule in found.rules:
        fired = "fired" if rule["has_fired"] else "did not fire"
        score = "" if rule["score"] is None else f", score {rule['score']:g}"
        matched = f"{rule['conditions_matched']} of {rule['conditions']} conditions matched"
        yield f"  {rule['rule_id']}  {fired}{score}, {matched}"
