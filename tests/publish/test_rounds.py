"""`assay refresh --every`: a line a round, whatever becomes of it, and an end in order.

A round after a good one builds what has changed.

ASSAY_LONG=1 has a round whose build is red, too.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest
from conftest import dbt_environment

from loaders.gold.publish import current_release
from loaders.home import Home, bronze_reader
from loaders.landing.batches import land_file

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("access_alone")]

BIN = Path(sys.executable).parent
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ round (\d+) hourly: (.+)\n")
MART = "gold.attempts_daily"
LONG = os.environ.get("ASSAY_LONG") == "1"
CODES = {"turn_taken", "run_killed"} | ({"build_failed"} if LONG else set())
# Of a round in the midst of which the warehouse was taken away.
MAYBE = {None, "build_failed", "publish_failed"}


@pytest.fixture
def landed(home: Home, tmp_path: Path) -> Home:
    """A home with attempts of twenty people, and none of the marts."""
    land(home, tmp_path / "first", range(20))
    return home


def land(home: Home, file: Path, numbers: range) -> None:
    attempt = {"timestamp": "2026-05-01T10:00:00Z", "action": "signup", "status": "success"}
    rows = [{**attempt, "event_id": f"e{n}", "email": f"p{n}@mail.example"} for n in numbers]
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    land_file(home, "attempts", file)


def start(home: Home, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [BIN / "assay", "refresh", *arguments, "--home", home.path],
        env={**os.environ, **dbt_environment(home.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def held(home: Home) -> duckdb.DuckDBPyConnection:
    """The warehouse, as soon as nobody else has it."""
    for _ in range(3_000):
        with contextlib.suppress(duckdb.IOException):
            return duckdb.connect(str(home.warehouse))
        time.sleep(0.02)
    raise AssertionError("the rounds never let go of the warehouse")


def change(home: Home, statement: str) -> None:
    with held(home) as warehouse:
        warehouse.execute(statement)


def await_a_round(home: Home) -> None:
    """Wait until a stage of a round has begun."""
    while not list(home.path.glob("runs/*.json")):
        time.sleep(0.01)


def kill_a_round(home: Home) -> None:
    """Kill -9 the round that is on, as soon as it has begun to build."""
    await_a_round(home)
    holder = (home.path / "refresh.lock").read_text(encoding="utf-8")
    os.kill(int(holder.split(",")[0]), signal.SIGKILL)


def said(lines: Iterator[str], wanted: str) -> None:
    """Read lines up to the first that says it. Each is a line of a round."""
    for line in lines:
        found = LINE.fullmatch(line)
        assert found, line
        if found.group(2).startswith(wanted):
            return
    raise AssertionError(f"no round said {wanted}")


def test_rounds_go_on_past_a_failure_and_end_in_order(
    landed: Home, tmp_path: Path, dice: random.Random
):
    """A killed round, one without the warehouse, new events twice; then, in a round, the end."""
    with start(landed, "hourly", "--every", "1s", "--no-wait") as process:
        assert process.stdout
        kill_a_round(landed)
        assert re.fullmatch(r"\S+ round 1: ended with -9\n", process.stdout.readline())
        said(process.stdout, "published")
        with held(landed):
            said(process.stdout, f"{landed.warehouse} is held by process")
            before = current_release(landed)
            if not LONG:
                land(landed, tmp_path / "more", range(20, 50))
        if LONG:
            change(landed, f"update {MART} set attempts = 3, subjects = 3")
            said(process.stdout, "dbt build failed: k_anonymous_attempts_daily")
            change(landed, f"update {MART} set attempts = 20, subjects = 20")
            land(landed, tmp_path / "more", range(20, 50))
            said(process.stdout, "published")
        for _ in range(2):  # one may have begun before
            said(process.stdout, "published")
        land(landed, tmp_path / "last", range(50, 60))
        for _ in range(2):
            said(process.stdout, "published")
        await_a_round(landed)
        time.sleep(dice.uniform(0, 2))
        process.send_signal(signal.SIGTERM)
        rest, errors = process.communicate(timeout=400)
    assert process.returncode == 0
    assert all(LINE.fullmatch(line) for line in rest.splitlines(keepends=True))
    assert "mail.example" not in rest + errors
    release = current_release(landed)
    assert before is not None
    assert release is not None
    assert before.release_id < release.release_id
    with duckdb.connect(str(landed.published_file), read_only=True) as reader:
        assert reader.execute(f"select attempts from {MART}").fetchall() == [(60,)]
    check_runs(landed)


def check_runs(home: Home) -> None:
    """Every run says how it ended and its cadence, and none began before another one's end."""
    with bronze_reader(home) as bronze:
        runs = bronze.execute(
            "select status, error_code, started_at, finished_at, details "
            "from bronze.pipeline_runs order by started_at"
        ).fetchall()
    assert CODES <= {code for _, code, *_ in runs} <= CODES | MAYBE
    ended = [(begun, end) for _, _, begun, end, _ in runs if end]  # a killed one ended unseen
    assert all(end <= begun for (_, end), (begun, _) in pairwise(ended))
    details = [json.loads(run[4]) for run in runs]
    assert {of["cadence"] for of in details} == {"hourly"}
    builds = [
        of
        for (status, *_), of in zip(runs, details, strict=True)
        if "nodes" in of and status == "succeeded"
    ]
    whole = min(of["nodes"] for of in builds if "touched" not in of)
    parts = [of for of in builds if "touched" in of]
    assert any("attempts" in of["touched"] for of in parts)
    assert all(of["nodes"] < whole for of in parts)
    quiet = [of["nodes"] for of in parts if "attempts" not in of["touched"]]
    assert quiet
    assert max(quiet) < whole / 3
    assert list((home.path / "runs").iterdir()) == []
