"""Taking turns: one process at a time writes the warehouse."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import duckdb

from loaders import bronze
from loaders.errors import AssayError
from loaders.gold.runs import record_killed
from loaders.home import Home

WAIT_SECONDS = 30.0


class TurnTaken(AssayError):
    """Another process has the home, or the warehouse, for longer than one would wait."""


@contextlib.contextmanager
def writing(home: Home, wait: float = WAIT_SECONDS, doing: str = "assay") -> Iterator[None]:
    """Have the home's warehouse alone, and everything that was landed visible.

    Landing takes no turn. Runs that were killed are recorded first. Raises TurnTaken, in one line
    that names the holder and what it is `doing`, when that takes longer than `wait` seconds.
    """
    bronze.recover(home)
    with _only_one(home, wait, doing):
        record_killed(home)
        _await_warehouse(home, wait)
        yield


@contextlib.contextmanager
def _only_one(home: Home, wait: float, doing: str) -> Iterator[None]:
    path = home.path / "refresh.lock"
    with path.open("a+") as file:
        # A dbt that we start has the turn too: it may live a little longer when we are killed.
        os.set_inheritable(file.fileno(), True)
        deadline = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    file.seek(0)
                    holder = file.read().strip() or "unknown"
                    raise TurnTaken(
                        f"Another process has the turn in this home: process {holder}. Try again "
                        "later, or wait longer."
                    ) from None
                time.sleep(min(0.2, max(0.0, deadline - time.monotonic())))
        file.seek(0)
        file.truncate()
        file.write(f"{os.getpid()}, {doing}, since {datetime.now(UTC):%F %T} UTC")
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
            if time.monotonic() >= deadline:
                raise TurnTaken(
                    f"{home.warehouse} is held by {who}. Close that connection, and try again."
                ) from None
            if not told:
                print(f"waiting for {who}, which has the warehouse open", file=sys.stderr)
                told = True
            time.sleep(min(0.5, max(0.0, deadline - time.monotonic())))
        else:
            return
