"""`assay refresh`: one at a time, publishes green builds only, records every run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest
from conftest import dbt_environment
from forked_refresh import forked

from loaders.errors import AssayError
from loaders.gold.publish import current_release
from loaders.gold.refresh import refresh
from loaders.home import Home, bronze_reader
from loaders.landing.batches import land_file

pytestmark = pytest.mark.usefixtures("access_alone")

ASSAY = Path(sys.executable).with_name("assay")
ATTEMPT = {"timestamp": "2026-05-01T10:00:00Z", "action": "signup", "status": "success"}


@pytest.fixture
def landed(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home with twenty attempts of twenty people, not built yet."""
    for name, value in dbt_environment(home.path).items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "attempts.jsonl"
    rows = [{**ATTEMPT, "event_id": f"e{i}", "email": f"p{i}@mail.example"} for i in range(20)]
    file.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    land_file(home, "attempts", file)
    return home


def runs(home: Home) -> list[tuple[str, str, str | None]]:
    """Stage, status and error of every recorded run, oldest first."""
    with bronze_reader(home) as bronze:
        return bronze.execute(
            "select stage, status, error_code from bronze.pipeline_runs order by started_at"
        ).fetchall()


def test_green_builds_are_published_and_all_are_recorded(landed: Home):
    """Gold is there for readers, and both stages are in bronze."""
    release = refresh(landed, dbt=forked)
    assert release.rows["attempts_daily"] == 1
    assert runs(landed) == [("build", "succeeded", None), ("publish", "succeeded", None)]
    with duckdb.connect(str(landed.published_file), read_only=True) as reader:
        assert reader.execute("select attempts, subjects from gold.attempts_daily").fetchall() == [
            (20, 20)
        ]

    # A failed build is recorded and not published: readers keep the last green gold, the command
    # names the node, and no value is shown.
    before = current_release(landed)
    with duckdb.connect(str(landed.warehouse)) as warehouse:
        warehouse.execute("update gold.attempts_daily set attempts = 3, subjects = 3")
    result = subprocess.run(
        [ASSAY, "refresh"], env=os.environ, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert "dbt build failed: k_anonymous_attempts_daily" in result.stderr
    assert "mail.example" not in result.stdout + result.stderr
    assert current_release(landed) == before
    assert runs(landed)[-1] == ("build", "failed", "build_failed")


def test_a_held_warehouse_is_waited_for_then_named(landed: Home):
    """An analyst's open connection fails the refresh in one line that says who holds it."""
    hold = (
        "import duckdb, sys, time; c = duckdb.connect(sys.argv[1]); "
        "print(1, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(landed.warehouse)], stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        begun = time.monotonic()
        with pytest.raises(AssayError, match=f"held by process {holder.pid}"):
            refresh(landed, wait=1)
        assert time.monotonic() - begun >= 1
        holder.kill()


def test_two_refreshes_never_overlap(landed: Home):
    """The second one waits, and says which process it waited for when it gives up."""
    lock = landed.path / "refresh.lock"
    hold = (
        "import fcntl, os, sys, time; f = open(sys.argv[1], 'a+'); fcntl.flock(f, fcntl.LOCK_EX); "
        "f.truncate(0); f.write(str(os.getpid())); f.flush(); print(1, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(lock)], stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(AssayError, match=f"process {holder.pid}"):
            refresh(landed, wait=1)
        holder.kill()
