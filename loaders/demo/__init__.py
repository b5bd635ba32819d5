"""Demo events with planted truths, and the answer key that says what must be found in them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypedDict

from loaders.demo.attempts import write_attempts
from loaders.demo.attributions import write_attributions
from loaders.demo.claims import write_claims, write_requests
from loaders.demo.decisions import DAYS as DECISION_DAYS
from loaders.demo.decisions import write_decisions
from loaders.demo.deposits import write_deposits
from loaders.demo.experiments import write_experiments
from loaders.demo.platform_events import write_platform_events
from loaders.demo.replays import write_replays

ANSWER_KEY = "answer_key.json"
MIN_EVENTS = 1_000  # fewer could not hold the planted truths


class DemoKey(TypedDict):
    """What was asked for, and per domain what was planted: the content of the answer key."""

    seed: int
    events: int
    end: str
    attempts: dict[str, Any]
    deposit_attempts: dict[str, Any]
    platform_events: dict[str, Any]
    claim_events: dict[str, Any]
    data_subject_requests: dict[str, Any]
    fraud_decisions: dict[str, Any]
    fraud_outcomes: dict[str, Any]
    fraud_attributions: dict[str, Any]
    experiments: dict[str, Any]
    replay_scenarios: dict[str, Any]


def write_demo(folder: Path, events: int, seed: int, end: datetime) -> DemoKey:
    """Write the demo files of every domain and their answer key into `folder`.

    Every event lies before `end`, a UTC midnight. The same arguments give the same bytes.
    """
    if events < MIN_EVENTS:
        raise ValueError(f"Demo data needs at least {MIN_EVENTS:,} events.")
    if end.tzinfo is None or end != end.astimezone(UTC).replace(
        hour=0, minute=0, second=0, microsecond=0
    ):
        raise ValueError("The end of demo data is a midnight in UTC.")
    folder.mkdir(parents=True, exist_ok=True)
    decisions, outcomes = write_decisions(folder, events, seed, end.astimezone(UTC))
    key = DemoKey(
        seed=seed,
        events=events,
        end=end.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        attempts=write_attempts(folder, events, seed, end.astimezone(UTC)),
        deposit_attempts=write_deposits(folder, events, seed, end.astimezone(UTC)),
        platform_events=write_platform_events(folder, events, seed, end.astimezone(UTC)),
        claim_events=write_claims(folder, events, seed, end.astimezone(UTC)),
        data_subject_requests=write_requests(folder, seed, end.astimezone(UTC)),
        fraud_decisions=decisions,
        fraud_outcomes=outcomes,
        fraud_attributions=write_attributions(folder),
        experiments=write_experiments(folder, end.astimezone(UTC), DECISION_DAYS),
        replay_scenarios=write_replays(folder, end.astimezone(UTC), DECISION_DAYS),
    )
    text = json.dumps(key, indent=2, ensure_ascii=False) + "\n"
    (folder / ANSWER_KEY).write_text(text, encoding="utf-8", newline="\n")
    return key
