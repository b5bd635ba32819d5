"""Gaps in the senders' numbers: what was sent and is not in bronze, counted with Python's sets."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from dbt_common.exceptions import DbtRuntimeError
from kept_validator import one_validator
from landed import ATTEMPT, assay

from loaders.dbt_home import Plugin
from loaders.gaps import read_gaps
from loaders.home import Home, init_home
from loaders.landing.batches import land_file

__all__ = ["one_validator"]  # a fixture


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return init_home(tmp_path / "home")[0]


def land(home: Home, numbers: dict[str, list[int]], name: str) -> None:
    rows = [
        ATTEMPT | {"event_id": f"{producer}-{n}", "producer": producer, "sequence": n}
        for producer, sequence in numbers.items()
        for n in sequence
    ]
    path = home.path / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    land_file(home, "attempts", path)


def test_what_is_missing_is_named(home: Home, dice: random.Random):
    """Numbers taken away at random, the rest in two files in any order, some of them twice."""
    sent = {producer: list(range(start, start + 400)) for producer, start in [("a", 0), ("b", 7)]}
    lost = {p: set(dice.sample(numbers[1:-1], 40)) for p, numbers in sent.items()}
    kept = {p: [n for n in numbers if n not in lost[p]] for p, numbers in sent.items()}
    for numbers in kept.values():
        dice.shuffle(numbers)
    land(home, {p: numbers[:250] for p, numbers in kept.items()}, "one")
    land(home, {p: numbers[200:] for p, numbers in kept.items()}, "two")
    gaps = read_gaps(home)
    found = {
        p: {n for gap in gaps if gap.producer == p for n in range(gap.first, gap.last + 1)}
        for p in sent
    }
    assert found == lost
    assert sum(gap.events for gap in gaps) == 80  # none overlaps another


def test_what_was_refused_is_no_gap(home: Home):
    """It came, and is in the dead letters; only what says no number is missed."""
    rows = [ATTEMPT | {"event_id": f"e{n}", "producer": "a", "sequence": n} for n in range(6)]
    for row in rows[1:3]:
        row["action"] = "fly"
    lines = [json.dumps(row) for row in rows]
    lines[3] = lines[3][:-1]
    (home.path / "sent").write_text("\n".join(lines) + "\n")
    assert land_file(home, "attempts", home.path / "sent").rejected == 3
    (gap,) = read_gaps(home)
    assert (gap.table_name, gap.producer, gap.first, gap.last) == ("attempts", "a", 3, 3)


def test_a_home_of_an_earlier_version_says_what_to_run(home: Home):
    """Bronze lacks what a contract has gained, until `assay init` completes it."""
    (schema,) = (home.bronze / "dead_letters").rglob("schema.parquet")
    older = pq.read_schema(schema)
    older = older.remove(older.get_field_index("producer"))
    pq.write_table(older.empty_table(), schema)
    said = f"{home.path} has no column dead_letters.producer yet. Run: assay init\n"
    assert assay("ledger", "--gaps", home=home).stderr == said
    with pytest.raises(DbtRuntimeError, match=said.strip()):
        Plugin("loaders.dbt_home", {"home": str(home.path)})
    assay("init", home=home)
    assert assay("ledger", "--gaps", home=home).returncode == 0


def test_the_command_shows_them(home: Home):
    land(home, {"a": [1, 2, 5, 9]}, "sent")
    result = assay("ledger", "--gaps", home=home)
    assert result.returncode == 0, result.stderr
    assert result.stdout == (
        "attempts  a  3 to 4, 2 missing\nattempts  a  6 to 8, 3 missing\n"
        "5 numbers missing in 2 gaps.\n"
    )


def test_senders_who_do_not_number_have_no_gaps(home: Home, tmp_path: Path):
    (tmp_path / "sent").write_text(json.dumps(ATTEMPT) + "\n")
    land_file(home, "attempts", tmp_path / "sent")
    assert assay("ledger", "--gaps", home=home).stdout == "0 numbers missing in 0 gaps.\n"
