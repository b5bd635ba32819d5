"""What waits in an emitter: in memory, in its spool, and over its own end."""

from __future__ import annotations

import os
import random
import threading
from pathlib import Path

import pytest
from playing import (
    assert_same_batch_same_key,
    assert_whole,
    attempt,
    emitting,
    files,
    numbered,
    playing,
    until,
)


def test_memory_is_bounded_and_what_is_dropped_is_a_gap(dice: random.Random):
    """Nobody listens, there is no spool: never more bytes than allowed, and every loss is known."""
    with playing() as collector:
        collector.stop()
        with emitting(collector, max_memory=50_000) as emitter:
            for number in range(2000):
                emitter.emit(attempt(number) | {"resp": "x" * dice.randrange(300)})
                assert emitter.stats()["waiting_bytes"] <= 50_000
            dropped = emitter.stats()["dropped"]
            assert 1000 < dropped < 2000
            collector.start()
            until(lambda: emitter.stats()["waiting_bytes"] == 0)
            emitter.emit(attempt())
            until(lambda: emitter.stats()["sent"] == 2001 - dropped)
        (numbers,) = numbered(collector.events).values()
        assert len(set(numbers)) == len(numbers) == 2001 - dropped
        assert numbers[-1] == 2000  # so the gaps are what was dropped


def test_what_memory_cannot_hold_is_in_the_spool(tmp_path: Path):
    with playing(always=503) as collector:
        with emitting(collector, spool_dir=tmp_path, max_memory=40_000) as emitter:
            for number in range(3000):
                emitter.emit(attempt(number))
                if number % 50 == 0:
                    until(lambda: emitter.stats()["waiting_bytes"] < 20_000)
            assert emitter.stats()["dropped"] == 0
            assert emitter.stats()["spooled"] > 2000
            collector.always = 202
            until(lambda: emitter.stats()["sent"] == 3000)
        assert_whole(collector.events, 3000)


def test_the_spool_is_bounded(tmp_path: Path):
    with playing(always=503) as collector:
        bounds = {"max_memory": 30_000, "max_spool": 60_000, "batch_events": 20}
        with emitting(collector, spool_dir=tmp_path, **bounds) as emitter:
            for number in range(3000):
                emitter.emit(attempt(number))
                if number % 100 == 0:
                    threading.Event().wait(0.01)
            until(lambda: emitter.stats()["dropped"])
            assert sum(f.stat().st_size for f in files(tmp_path)) <= 60_000
            collector.always = 202
            until(lambda: emitter.stats()["sent"] == 3000 - emitter.stats()["dropped"])
        (numbers,) = numbered(collector.events).values()
        assert len(numbers) == len(set(numbers)) == 3000 - emitter.stats()["dropped"]


def test_a_disk_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """While nothing can be written events wait in memory, and none is lost or sent as two."""
    with playing(always=503) as collector:
        with emitting(collector, spool_dir=tmp_path) as emitter:

            def full(_: int) -> None:
                raise OSError(28, "no space")

            with monkeypatch.context() as patch:
                patch.setattr(os, "fsync", full)
                for number in range(300):
                    emitter.emit(attempt(number))
                until(lambda: emitter.stats().get("spool_errors", 0) > 3)
            collector.always = 202
            until(lambda: emitter.stats()["sent"] == 300)
        assert_whole(collector.events, 300)


def test_a_spool_that_cannot_be_had(tmp_path: Path):
    (tmp_path / "file").touch()
    with playing() as collector, emitting(collector, spool_dir=tmp_path / "file") as emitter:
        emitter.emit(attempt())
        until(lambda: collector.events)


def test_close_leaves_the_rest_to_the_next(tmp_path: Path):
    with playing(always=503) as collector:
        with emitting(collector, spool_dir=tmp_path) as emitter:
            for number in range(1200):
                emitter.emit(attempt(number))
            emitter.close(0.5)
            emitter.emit(attempt())  # too late: dropped, without a number
            assert emitter.stats()["dropped"] == 1
        assert collector.events == []
        collector.always = 202
        with emitting(collector, spool_dir=tmp_path) as emitter:
            emitter.emit(attempt())
            until(lambda: len(collector.events) == 1201)
        assert_whole(collector.events, 1201)
        assert_same_batch_same_key(collector)
    assert files(tmp_path) == []


def test_close_sends_what_is_left():
    with playing() as collector:
        with emitting(collector, linger=0.5) as emitter:
            for number in range(700):
                emitter.emit(attempt(number))
            emitter.close(10)
        assert_whole(collector.events, 700)


def test_close_while_the_collector_hangs(tmp_path: Path):
    """The batch under way is kept as well. Its answer may have been a yes: the key is the same."""
    with playing(always="slow") as collector:
        with emitting(collector, spool_dir=tmp_path) as emitter:
            emitter.emit(attempt())
            until(lambda: collector.requests)
            emitter.close(0.01)
        collector.always = 202
        with emitting(collector, spool_dir=tmp_path) as emitter:
            until(lambda: emitter.stats()["duplicates"] == 1)
        assert_whole(collector.events, 1)
        assert_same_batch_same_key(collector)
