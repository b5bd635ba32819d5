"""The files in which events wait: torn tails, places, bounds; and twins that break each guard."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playing import attempt, emitting, playing, until

from loaders.client import spool as spools
from loaders.client.batch import Batch
from loaders.client.spool import Place, Spool, SpoolFull

BOUNDS = (100_000, 10_000, 100)  # of a spool: bytes, and bytes and events of a batch
HOLDER = """
import sys
from pathlib import Path
from loaders.client.spool import Place, Spool
place = Place(Path({folder!r}))
Spool(place.path, *{bounds}).append([b'{{"from": "the other"}}\\n'])
print(place.path, flush=True)
sys.stdin.read()
"""


def lines(count: int) -> list[bytes]:
    return [json.dumps({"number": number}).encode() + b"\n" for number in range(count)]


def test_a_torn_tail_is_left_out(tmp_path: Path):
    """Wherever a crash cut the last line: what is whole is one batch under one key, always."""
    whole, last = lines(3), b'{"number": 3, "more": {"a": [1]}}\n'
    batch = Batch(b"".join(whole), 3)
    for cut in range(len(last)):
        place = tmp_path / str(cut)
        place.mkdir()
        (place / "00000007.jsonl").write_bytes(b"".join(whole) + last[:cut])
        spool = Spool(place, *BOUNDS)
        found = spool.first()
        assert found
        assert (found.body, found.key, found.events) == (batch.body, batch.key, 3), cut
        assert spool.torn == (cut > 0)
        spool.append([b'{"number": 4}\n'])  # never behind what is torn
        spool.remove(place / "00000007.jsonl")
        found = spool.first()
        assert found
        assert found.body == b'{"number": 4}\n'


@contextmanager
def holding(folder: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Another process that has a place with an event in it, and the place."""
    code = HOLDER.format(folder=str(folder), bounds=BOUNDS)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        yield process, Path(process.stdout.readline().strip())


def test_a_place_is_one_process_s_alone(tmp_path: Path):
    """Nobody gets it or takes from it while its process lives; whoever comes next, after that."""
    with holding(tmp_path) as (process, theirs):
        mine = Place(tmp_path)
        assert mine.path != theirs
        mine.adopt()
        assert Spool(mine.path, *BOUNDS).first() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        mine.adopt()
        found = Spool(mine.path, *BOUNDS).first()
        assert found
        assert found.body == b'{"from": "the other"}\n'
        mine.release()


def test_the_spool_holds_no_more_than_it_may(tmp_path: Path, dice: random.Random):
    """However it is filled; what was refused left nothing behind, and what was taken is there."""
    spool = Spool(tmp_path, 5_000, 1_000, 10)
    kept = b""
    for _ in range(300):
        some = lines(dice.randrange(1, 12))
        if dice.random() < 0.2 and (first := spool.first()) and first.path:
            assert kept.startswith(first.body)
            kept = kept.removeprefix(first.body)
            spool.remove(first.path)
        try:
            spool.append(some)
        except SpoolFull:
            assert spool.bytes + len(b"".join(some)) > 5_000
        else:
            kept += b"".join(some)
        on_disk = sum(file.stat().st_size for file in tmp_path.glob("*.jsonl"))
        assert spool.bytes == on_disk == len(kept) <= 5_000


@pytest.mark.parametrize("asked", ["1000000", "Fri, 01 Jan 2100 00:00:00 GMT"])
def test_retry_after_is_an_hour_at_most(asked: str):
    """Also where the clock of one side is years behind."""
    away = (503, {"Retry-After": asked}, b"{}")
    with playing(script=[away]) as collector, emitting(collector) as emitter:
        outbox = emitter.start()
        emitter.emit(attempt())
        until(lambda: emitter.stats()["retries"])
        assert 3_500 < outbox._next_try - time.monotonic() <= 3_600


# Twins with a fault: the tests above must see it


def test_a_twin_that_sends_torn_lines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(spools, "_is_event", lambda _: True)
    with pytest.raises(AssertionError):
        test_a_torn_tail_is_left_out(tmp_path)


def test_a_twin_that_does_not_lock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(
        spools, "_lock", lambda folder: os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
    )
    with pytest.raises(AssertionError):
        test_a_place_is_one_process_s_alone(tmp_path)


def test_a_twin_whose_spool_knows_no_bound(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, dice: random.Random
):
    def reserve(spool: Spool, size: int) -> None:
        spool.bytes += size

    monkeypatch.setattr(Spool, "_reserve", reserve)
    with pytest.raises(AssertionError):
        test_the_spool_holds_no_more_than_it_may(tmp_path, dice)


def test_a_twin_whose_spool_leaks_its_room(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, dice: random.Random
):
    """A file that is gone and still counted: in the end nothing is taken any more."""

    def remove(spool: Spool, path: Path) -> None:
        spool.waiting.remove(path)
        path.unlink()

    monkeypatch.setattr(Spool, "remove", remove)
    with pytest.raises(AssertionError):
        test_the_spool_holds_no_more_than_it_may(tmp_path, dice)
