"""What a round finds changed: the tables that something came into or went from, or more."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from loaders.gold.dbt_run import Running
from loaders.gold.refresh import _build, _chosen
from loaders.gold.touched import Inputs, last_hand
from loaders.gold.turns import writing
from loaders.home import Home
from loaders.landing.batches import land_file

NO_NAMES = ("--exclude", "test_name:no_pii_columns")


def later(path: Path) -> None:
    """As if it changed now, however coarse the clock of the file system."""
    changed = path.stat().st_mtime_ns + 1_000_000_000
    os.utime(path, ns=(changed, changed))


def land(home: Home, folder: Path) -> None:
    file = folder / "attempts.jsonl"
    attempt = {"timestamp": "2026-05-01T10:00:00Z", "action": "signup", "status": "success"}
    file.write_text(json.dumps(attempt | {"event_id": "e1"}), encoding="utf-8")
    land_file(home, "attempts", file)


def test_what_lands_is_touched(home: Home, tmp_path: Path):
    """A batch touches its table and the books of landing, and no other table."""
    before = Inputs.of(home)
    assert Inputs.of(home).touched_since(before) == []
    land(home, tmp_path)
    touched = Inputs.of(home).touched_since(before)
    assert touched is not None
    assert {"attempts", "landing_ledger"} <= set(touched)
    assert set(touched) <= {"attempts", "landing_ledger", "expectation_results", "dead_letters"}


def test_a_file_that_goes_touches_too(home: Home):
    """Merging and forgetting files change what a build reads."""
    partition = next((home.bronze / "attempts").glob("ingest_date=*"))
    (partition / "gone.parquet").touch()
    before = Inputs.of(home)
    (partition / "gone.parquet").unlink()
    later(partition)
    assert Inputs.of(home).touched_since(before) == ["attempts"]


def test_a_table_is_touched_by_its_line_in_the_ledger(home: Home, tmp_path: Path):
    """Its file may have been seen before: silver reads no more than the ledger has."""
    before = Inputs.of(home)
    land(home, tmp_path)
    seen = replace(Inputs.of(home), ledger=before.ledger)
    touched = Inputs.of(home).touched_since(seen)
    assert touched == ["attempts"]


def test_a_merged_ledger_touches_everything(home: Home, tmp_path: Path):
    """Its file has the lines of all tables."""
    land(home, tmp_path)
    before = Inputs.of(home)
    line = max(before.ledger, key=lambda file: file.stat().st_mtime_ns)
    seen = Inputs.of(home)
    line.rename(line.with_name("merged.parquet"))
    assert Inputs.of(home).touched_since(before) is None
    assert seen.touched_since(replace(before, ledger=before.ledger - {line})) is None


def test_more_than_tables_touches_everything(home: Home):
    """Another day, key or seed: nobody says what of silver is made of it."""
    now = Inputs.of(home)
    others = [
        replace(now, day=now.day - timedelta(days=1)),
        replace(now, vault=now.vault - 1),
        replace(now, seeds=now.seeds - 1),
    ]
    assert [now.touched_since(other) for other in others] == [None] * 3


def test_another_hand_is_seen(home: Home):
    """Whoever had the turn in between may have changed anything, and so may an open connection."""
    left = last_hand(home)
    with writing(home, doing="test"):
        pass
    assert last_hand(home) != left
    home.warehouse.touch()
    left = last_hand(home)
    assert last_hand(home) == left
    later(home.warehouse)
    assert last_hand(home) != left


@pytest.mark.parametrize(
    ("cadence", "touched", "chosen"),
    [
        (None, None, []),
        ("hourly", None, ["--selector", "hourly"]),
        (
            "hourly",
            ["attempts", "fx_rates"],
            [
                *NO_NAMES,
                "--select",
                "source:assay.bronze.attempts+,+tag:hourly+",
                "source:assay.bronze.fx_rates+,+tag:hourly+",
            ],
        ),
        (None, ["attempts"], [*NO_NAMES, "--select", "source:assay.bronze.attempts+"]),
        (
            None,
            ["landing_ledger"],
            [
                *NO_NAMES,
                "--select",
                "source:assay.bronze.landing_ledger+,path:models/silver/platform",
                "source:assay.bronze.landing_ledger+,path:models/gold/platform",
            ],
        ),
    ],
)
def test_what_is_touched_is_chosen(cadence, touched, chosen):
    """With what is made of it, within the cadence."""
    assert _chosen(cadence, touched) == chosen


@pytest.mark.parametrize("code", [0, 1])
def test_what_lands_meanwhile_is_built_before_anybody_sees_the_books(
    home: Home, tmp_path: Path, code: int
):
    """Whether or not the books told it as lost: a build of more follows, and what comes of that."""
    home.warehouse.touch()
    before = Inputs.of(home)
    (home.bronze / "fx_rates" / "new").mkdir()
    asked: list[list[str]] = []

    @contextlib.contextmanager
    def dbt(home: Home, arguments: list[str]) -> Iterator[Running]:
        asked.append([word for word in arguments if word.startswith("source:")])
        if len(asked) == 1:
            land(home, tmp_path)
        yield Running((), lambda: code if len(asked) == 1 else 0)

    _, touched = _build(home, None, dbt, before)
    assert touched is not None
    assert asked[0] == ["source:assay.bronze.fx_rates+"]
    assert {*asked[0], "source:assay.bronze.attempts+"} < {*asked[1]}
    assert {"attempts", "fx_rates", "landing_ledger"} <= {*touched}
    assert len(asked) == 2
