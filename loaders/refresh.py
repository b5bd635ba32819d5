"""Refresh gold: one at a time, build, publish, record."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from loaders import bronze
from loaders.errors import AssayError
from loaders.home import Home
from loaders.landing import PIPELINE_VERSION
from loaders.progress import progress
from loaders.project import PROJECT
from loaders.publish import Release, publish

WAIT_SECONDS = 30.0

_FAILED = {"error", "fail", "runtime error"}


def refresh(home: Home, selector: str | None = None, wait: float = WAIT_SECONDS) -> Release:
    """Build what `selector` names (all, where it names nothing), publish it, record both.

    Safe to repeat: a run that failed leaves what readers see as it was. Raises AssayError in one
    line when another process holds the home for longer than `wait` seconds, or a node failed.
    """
    bronze.recover(home)
    with _only_one(home, wait):
        _await_warehouse(home, wait)
        with _recorded(home, "build") as run:
            run["rows_out"] = build(home, selector)
        with _recorded(home, "publish") as run:
            release = publish(home)
            run["rows_out"] = sum(release.rows.values())
    return release


def build(home: Home, selector: str | None = None) -> int:
    """Run `dbt build` with progress, and say how many nodes ran.

    Raises AssayError, which names the nodes, if one failed.
    """
    command = [str(Path(sys.executable).with_name("dbt")), "build", "--log-format", "json"]
    command += ["--selector", selector] if selector else []
    environment = {**os.environ, "ASSAY_HOME": str(home.path.resolve())}
    failed: list[str] = []
    done = 0
    with (
        subprocess.Popen(  # noqa: S603 - our own interpreter's dbt
            command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True
        ) as process,
        contextlib.ExitStack() as stack,
    ):
        advance = None
        for line in process.stdout or ():
            event = _event(line)
            total = event.get("total")
            if advance is None and total:
                advance = stack.enter_context(progress("dbt build", float(total)))
            if event.get("status") and advance:
                done += 1
                advance(1)
                if str(event["status"]).lower() in _FAILED:
                    failed.append(str(event["node"]))
    if process.returncode != 0:
        what = ", ".join(failed[:5]) or "the project could not be read"
        raise AssayError(f"dbt build failed: {what}. See logs/dbt.log; readers keep the last gold.")
    return done


def _event(line: str) -> dict[str, Any]:
    """The few facts of a dbt log line that are shown. Texts of dbt may quote values: not these."""
    try:
        data = json.loads(line).get("data", {})
    except json.JSONDecodeError:
        return {}
    node = data.get("node_info", {})
    is_result = data.get("execution_time") is not None and data.get("status") is not None
    return {
        "total": data.get("total"),
        "status": data.get("status") if is_result else None,
        "node": node.get("node_name"),
    }


@contextlib.contextmanager
def _only_one(home: Home, wait: float) -> Iterator[None]:
    path = home.path / "refresh.lock"
    with path.open("a+") as file:
        deadline = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    file.seek(0)
                    holder = file.read().strip() or "unknown"
                    raise AssayError(
                        f"Another refresh runs in this home (process {holder}). Try again later."
                    ) from None
                time.sleep(0.2)
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield


def _await_warehouse(home: Home, wait: float) -> None:
    """Wait until nobody else has the warehouse open."""
    deadline, told = time.monotonic() + wait, False
    while True:
        try:
            duckdb.connect(str(home.warehouse)).close()
        except duckdb.IOException as error:
            holder = re.search(r"PID (\d+)", str(error))
            who = f"process {holder.group(1)}" if holder else "another process"
            if time.monotonic() > deadline:
                raise AssayError(
                    f"{home.warehouse} is held by {who}. Close that connection, and try again."
                ) from None
            if not told:
                print(f"waiting for {who}, which has the warehouse open", file=sys.stderr)
                told = True
            time.sleep(0.5)
        else:
            return


@contextlib.contextmanager
def _recorded(home: Home, stage: str) -> Iterator[dict[str, Any]]:
    """Write the run of a stage to bronze, whether it succeeds or not."""
    started_at = datetime.now(UTC)
    run: dict[str, Any] = {"status": "succeeded", "error_code": None, "rows_out": None}
    try:
        yield run
    except AssayError:
        run |= {"status": "failed", "error_code": f"{stage}_failed"}
        raise
    finally:
        run_id = uuid.uuid4().hex
        row = {
            "run_id": run_id,
            "pipeline_id": "refresh",
            "pipeline_name": "Refresh of gold",
            "stage": stage,
            "started_at": started_at,
            "finished_at": datetime.now(UTC),
            "ingested_at": started_at,
            "batch_id": run_id,
            "source_system": "assay",
            "pipeline_version": PIPELINE_VERSION,
            **run,
        }
        bronze.write_rows(home, "pipeline_runs", run_id, [row])
