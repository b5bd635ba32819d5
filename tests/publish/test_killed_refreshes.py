"""A refresh that is killed anywhere is completed by the next one, and every run says how it ended.

ASSAY_LONG=1 kills before each change of the home, and not only before every 17th, in more places
of the build, with dbt left alone too, and builds the marts of the platform too.
"""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from loaders.demo import write_demo

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("access_alone")]

DRIVER = Path(__file__).with_name("killed_refreshes.py")
EVENTS = 3_000
ENDS = {("succeeded", None), ("failed", "run_killed")}

Attempt = dict[str, Any]


@pytest.fixture(scope="module")
def attempts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Attempt]:
    """What there was after each attempt, by where it was killed."""
    folder = tmp_path_factory.mktemp("killed")
    write_demo(folder / "demo", EVENTS, 7, datetime(2026, 6, 1, tzinfo=UTC))
    lines = (folder / "demo" / "attempts-01.jsonl").read_text(encoding="utf-8").splitlines()
    for name, part in (("first", lines[::2]), ("rest", lines[1::2])):
        (folder / name).write_text("\n".join(part), encoding="utf-8")
    done = subprocess.run([sys.executable, DRIVER, folder], stdout=subprocess.PIPE, check=True)
    return {found["where"]: found for found in map(json.loads, done.stdout.splitlines())}


def killed(attempts: dict[str, Attempt]) -> list[Attempt]:
    """The attempts that were killed, all but the last, which found no step left."""
    found = [attempt for attempt in attempts.values() if attempt["ended"] == -9]
    assert len(found) > 4
    return found


def test_gold_is_that_of_an_undisturbed_run(attempts: dict[str, Attempt]):
    """Row for row, wherever it was killed, also where dbt was left alone; and run twice as once."""
    undisturbed = attempts["undisturbed"]
    assert undisturbed["rows"] > 50
    assert undisturbed["gold"] != attempts["first"]["gold"]
    assert attempts["twice"]["gold"] == undisturbed["gold"]
    for attempt in killed(attempts):
        assert attempt["again"] == 0, attempt["where"]
        assert attempt["gold"] == undisturbed["gold"], attempt["where"]


def test_every_run_that_began_says_how_it_ended(attempts: dict[str, Attempt]):
    """One row each: those before, the killed one, and both of the refresh that came next."""
    for attempt in killed(attempts):
        runs, where = attempt["runs"], (attempt["where"], attempt.get("step"))
        assert {(status, code) for _, status, code in runs} <= ENDS, where
        assert runs[:2] == [["build", "succeeded", None], ["publish", "succeeded", None]], where
        assert runs[-2:] == [["build", "succeeded", None], ["publish", "succeeded", None]], where
    assert attempts["attempts_hourly"]["runs"][2:-2] == [["build", "failed", "run_killed"]]
    stages = {tuple(run) for attempt in killed(attempts) for run in attempt["runs"]}
    assert stages >= {("publish", "failed", "run_killed"), ("build", "failed", "run_killed")}


def test_nothing_is_left_behind(attempts: dict[str, Attempt]):
    """No note, no half release, no half batch."""
    assert {where: attempt["left"] for where, attempt in attempts.items() if attempt["left"]} == {}
