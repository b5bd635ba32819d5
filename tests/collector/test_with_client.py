"""An application's events through the real client and the real collector, which is killed."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

from collecting import PATIENCE, Collector, assert_balanced, collecting, event, rows, token

from loaders.client import Emitter
from loaders.gaps import read_gaps
from loaders.home import Home

EVENTS = 300  # before the kill, while the collector is down, and after it is back


def emit(emitter: Emitter, numbers: range) -> None:
    for number in numbers:
        emitter.emit(event(f"e{number}"))


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_collector_that_is_killed_costs_its_callers_nothing(home: Home, tmp_path: Path) -> None:
    bearer = token(home)
    with collecting(home) as collector:
        emitter = _emitter(collector, bearer, tmp_path)
        emit(emitter, range(EVENTS))
        wait_until(lambda: emitter.stats()["sent"] > 0)
        collector.stop(signal.SIGKILL)
        emit(emitter, range(EVENTS, 2 * EVENTS))
        collector.start()
        emit(emitter, range(2 * EVENTS, 3 * EVENTS))
        emitter.close(PATIENCE)
        collector.drained()
    landed = rows(home, "attempts")
    assert {row["event_id"] for row in landed} == {f"e{n}" for n in range(3 * EVENTS)}
    assert {row["sequence"] for row in landed} == set(range(3 * EVENTS))
    assert read_gaps(home) == []
    assert_balanced(home)


def test_a_number_that_is_missing_is_named(home: Home, tmp_path: Path) -> None:
    """A planted loss: what the client could not send shows as a gap of its producer."""
    bearer = token(home)
    with collecting(home) as collector:
        emitter = _emitter(collector, bearer, tmp_path)
        emit(emitter, range(10))
        emitter.emit({"timestamp": object()})
        emit(emitter, range(10, 20))
        emitter.close(PATIENCE)
        collector.drained()
    (gap,) = read_gaps(home)
    assert (gap.table_name, gap.first, gap.last) == ("attempts", 10, 10)


def _emitter(collector: Collector, bearer: str, folder: Path) -> Emitter:
    return Emitter(collector.url(""), bearer, producer="signup", spool_dir=folder / "client")
