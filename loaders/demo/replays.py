"""Demo replays of the demo's decisions, each with what must come of it.

Held decisions have scores from 0.6 on and all others lower ones, and by the reviews' scores frauds
are not told from honest ones. Planted, and told by the key: a threshold that is so little lower
that nobody may know who would be held, one that holds many more, scores that are scaled down so
that less is held, a rule that reviews what was entered online, and two that cannot be replayed.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

FILE = "replay_scenarios-01.jsonl"
FROM, DAYS = 8, 14

Overrides = dict[str, Any]

THRESHOLDS: Overrides = {"decline": 0.8, "review": 0.6}
RULE: Overrides = {
    "id": "online-entry",
    "action": "review",
    "all": [{"feature": "entry_mode", "operator": "=", "value": "online"}],
}
REPLAYS: dict[str, tuple[Overrides, dict[str, Any]]] = {
    "a-bit-stricter": ({"thresholds": THRESHOLDS | {"review": 0.59}}, {"changes_too_few": True}),
    "stricter": ({"thresholds": THRESHOLDS | {"review": 0.4}}, {"changes_positives": 1}),
    "lower-scores": (
        {"thresholds": THRESHOLDS, "score": {"scale": 0.75}},
        {"changes_positives": -1},
    ),
    "online-review": ({"rules": [RULE]}, {"changes_positives": 1}),
    "crossed": ({"thresholds": {"decline": 0.5, "review": 0.6}}, {"fault": "wrong_thresholds"}),
    "not-a-rule": (
        {"rules": [RULE | {"action": "explode"}]},
        {"fault": "wrong_rules"},
    ),
}


def write_replays(folder: Path, end: datetime, days: int) -> dict[str, Any]:
    """Write all scenarios, one of them twice, and return their part of the answer key."""
    start = end - timedelta(days=days)
    rows = [_scenario(name, overrides, start) for name, (overrides, _) in REPLAYS.items()]
    stricter = rows[1]
    draft = stricter | {"overrides": {}, "status": "pending", "completedAt": None}
    malformed = stricter | {"overrides": "0.4"}
    text = "".join(json.dumps(row) + "\n" for row in [draft, *rows, malformed])
    (folder / FILE).write_text(text, encoding="utf-8", newline="\n")
    accepted = len(rows) + 1
    return {
        "replays": {name: planted for name, (_, planted) in REPLAYS.items()},
        "versions": accepted,
        "files": {
            FILE: {
                "received": accepted + 1,
                "accepted": accepted,
                "rejected": {"schema_violation": 1},
            }
        },
    }


def _scenario(name: str, overrides: Overrides, start: datetime) -> dict[str, Any]:
    """One replay in camelCase."""
    begins, ends = start + timedelta(days=FROM), start + timedelta(days=FROM + DAYS)
    return {
        "id": name,
        "name": f"Demo: {name}",
        "status": "completed",
        "timeWindow": {"start": f"{begins:%Y-%m-%dT%H:%M:%SZ}", "end": f"{ends:%Y-%m-%d}"},
        "overrides": overrides,
        "createdAt": f"{ends:%Y-%m-%dT%H:%M:%SZ}",
        "createdBy": "analyst-1",
        "completedAt": f"{ends + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}",
    }
