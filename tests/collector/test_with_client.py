"""An application's events through the real client and the real collector, which is killed."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from collecting import PATIENCE, Collector, assert_balanced, collecting, event, rows, token
from conftest import MODELS_ONLY, run_dbt

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


@pytest.mark.usefixtures("access_alone")
def test_what_a_producer_sent_is_in_the_loss_ledger(home: Home, tmp_path: Path) -> None:
    """From the numbers that clients give to the mart: all is accounted for, or its range named."""
    bearer = token(home)
    with collecting(home) as collector:
        whole = _emitter(collector, bearer, tmp_path / "whole")
        emit(whole, range(30))
        whole.emit(event("refused", action="fly"))
        emit(whole, range(30, 40))
        lossy = _emitter(collector, bearer, tmp_path / "lossy")
        emit(lossy, range(100, 120))
        for _ in range(3):
            lossy.emit({"timestamp": object()})
        emit(lossy, range(120, 130))
        for emitter in (whole, lossy):
            emitter.close(PATIENCE)
        for _ in range(2):
            assert collector.post([event("again")], bearer).status_code == 202
        collector.drained()
    run_dbt(home, "build", "--select", "+loss_ledger", *MODELS_ONLY)
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        found = warehouse.execute(
            """
            select
                producer, sum(received), sum(accepted), sum(rejected), sum(duplicates),
                sum(bronze), sum(silver), sum(quarantined), max(gap_ranges), sum(missing)
            from gold.loss_ledger where table_name = 'attempts' and balanced group by producer
            """
        ).fetchall()
    assert {row[0]: row[1:] for row in found} == {
        whole.producer: (41, 40, 1, 0, 40, 40, 0, None, 0),
        lossy.producer: (30, 30, 0, 0, 30, 30, 0, "20-22", 3),
        "unnumbered": (2, 1, 0, 1, 1, 1, 0, None, 0),
    }


def _emitter(collector: Collector, bearer: str, folder: Path) -> Emitter:
    return Emitter(collector.url(""), bearer, producer="signup", spool_dir=folder / "client")
