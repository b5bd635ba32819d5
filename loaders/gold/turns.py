"""Taking turns: one process at a time writes the warehouse, and every stage leaves a record."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import sys
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import duckdb

from loaders import bronze
from loaders.errors import AssayError
from loaders.home import Home
from loaders.landing.batches import PIPELINE_VERSION

WAIT_SECONDS = 30.0


@contextlib.contextmanager
def writing(home: Home, wait: float = WAIT_SECONDS) -> Iterator[None]:
    """Have the home's warehouse alone, and everything that was landed visible.

    Raises AssayError in one line, which names the holder, when another process has it for longer
    than `wait` seconds.
    """
    bronze.recover(home)
    with _only_one(home, wait):
        _await_warehouse(home, wait)
        yield


@contextlib.contextmanager
def recorded(
    home: Home, stage: str, pipeline: tuple[str, str], **details: str
) -> Iterator[dict[str, Any]]:
    """Write the run of a stage to bronze, whether it succeeds or not.

    `pipeline` is its id and its name; what is put into the yielded dictionary is recorded too.
    """
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
            "pipeline_id": pipeline[0],
            "pipeline_name": pipeline[1],
            "stage": stage,
            "started_at": started_at,
            "finished_at": datetime.now(UTC),
            "details": json.dumps(details) if details else None,
            "ingested_at": started_at,
            "batch_id": run_id,
            "source_system": "assay",
            "pipeline_version": PIPELINE_VERSION,
            **run,
        }
        bronze.write_rows(home, "pipeline_runs", run_id, [row])


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
    """Wait until nobody else has the warehouse open. Makes none where there is none."""
    if not home.warehouse.exists():
        return
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
