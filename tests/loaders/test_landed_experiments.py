"""What of an experiment lands: JSON as an object or as its text, and nothing else in its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from landed import bronze_rows

from loaders.home import Home
from loaders.landing.batches import land_file

SENT = {"id": "e1", "name": "N", "status": "running", "startDate": "2026-05-01"}


def landed(home: Home, folder: Path, **fields: Any) -> list[dict[str, Any]]:
    file = folder / "sent.jsonl"
    file.write_text(json.dumps(SENT | fields) + "\n")
    land_file(home, "experiments", file)
    return bronze_rows(home, "experiments")


@pytest.mark.parametrize(
    ("field", "sent"),
    [
        ("trafficSplit", {"a": 50}),
        ("traffic_split", '{"a": 50}'),
        ("variants", [{"id": "a"}]),
        ("guardrails", "[]"),
        ("successMetrics", None),
    ],
)
def test_json_lands_as_it_is_or_as_text(
    field: str, sent: object, home: Home, tmp_path: Path
) -> None:
    (row,) = landed(home, tmp_path, **{field: sent})
    assert row["experiment_id"] == "e1"


@pytest.mark.parametrize(
    ("field", "place", "sent"),
    [
        ("trafficSplit", "traffic_split", [50, 50]),
        ("trafficSplit", "traffic_split", "half and half"),
        ("variants", "variants", {"id": "a"}),
        ("guardrails", "guardrails", "[{"),
        ("successMetrics", "success_metrics", "recall"),
    ],
)
def test_what_is_no_such_json_is_refused_with_its_field(
    field: str, place: str, sent: object, home: Home, tmp_path: Path
) -> None:
    assert landed(home, tmp_path, **{field: sent}) == []
    (letter,) = bronze_rows(home, "dead_letters")
    assert letter["code"] == "schema_violation"
    assert place in json.dumps(letter, default=str)
