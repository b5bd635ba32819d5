"""What of a replay lands: overrides as an object or its text, and nothing else in their place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from landed import bronze_rows

from loaders.home import Home
from loaders.landing.batches import land_file

SENT = {"id": "r1", "name": "N", "status": "pending", "overrides": {"thresholds": {"review": 0.5}}}


def landed(home: Home, folder: Path, **fields: Any) -> list[dict[str, Any]]:
    file = folder / "sent.jsonl"
    file.write_text(json.dumps(SENT | fields) + "\n")
    land_file(home, "replay_scenarios", file)
    return bronze_rows(home, "replay_scenarios")


@pytest.mark.parametrize(
    ("field", "sent"),
    [
        ("timeWindow", {"start": "2026-03-01", "end": "2026-03-02"}),
        ("time_window_start", "2026-03-01T00:00:00Z"),
        ("overrides", '{"rules": []}'),
        ("results", None),
    ],
)
def test_a_replay_lands(field: str, sent: object, home: Home, tmp_path: Path) -> None:
    (row,) = landed(home, tmp_path, **{field: sent})
    assert row["scenario_id"] == "r1"


@pytest.mark.parametrize(
    ("field", "place", "sent"),
    [
        ("overrides", "overrides", [1]),
        ("overrides", "overrides", "drop table silver"),
        ("timeWindow", "time_window", "March"),
        ("results", "results", []),
    ],
)
def test_what_is_no_object_is_refused_with_its_field(
    field: str, place: str, sent: object, home: Home, tmp_path: Path
) -> None:
    assert landed(home, tmp_path, **{field: sent}) == []
    (letter,) = bronze_rows(home, "dead_letters")
    assert letter["code"] == "schema_violation"
    assert place in json.dumps(letter, default=str)
