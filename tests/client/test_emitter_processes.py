"""Emitters in processes that are killed, forked, or share a folder."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
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

from loaders.client.numbering import KeptNumbers

VICTIM = """
import sys
sys.path[:0] = [{here!r}]
from playing import QUICK, TOKEN, attempt
from loaders.client import Emitter
emitter = Emitter({url!r}, TOKEN, spool_dir={folder!r}, batch_events=50, **QUICK)
number = 0
while True:
    emitter.emit(attempt(number))
    number += 1
    if number % 40 == 0:
        stats = emitter.stats()
        print(stats["emitted"], stats["spooled"], flush=True)
        import time; time.sleep(0.002)
"""


def victim(url: str, folder: Path) -> subprocess.Popen[str]:
    """A process that emits until it is killed, and says how many it emitted and spooled."""
    code = VICTIM.format(here=str(Path(__file__).parent), url=url, folder=str(folder))
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def test_killed_processes(tmp_path: Path, dice: random.Random):
    """What was fsynced is sent by the next process, which goes on with numbers never used."""
    told_emitted = told_spooled = 0
    with playing(always=503) as collector:
        for _ in range(5):
            with victim(collector.url, tmp_path) as process:
                assert process.stdout
                wanted, line = dice.randrange(1, 400), ""
                while int((line or "0 0").split()[1]) < wanted:
                    line = process.stdout.readline()
                process.send_signal(signal.SIGKILL)
                last = ([line, *process.stdout.read().splitlines()])[-1].split()
            told_emitted += int(last[0])
            told_spooled += int(last[1])
        last_file = files(tmp_path)[-1]
        with last_file.open("ab") as file:  # as a crash in the middle of a write leaves it
            file.write(b'{"producer": "torn')
        collector.always = 202
        with emitting(collector, spool_dir=tmp_path) as emitter:
            emitter.emit(attempt())
            until(lambda: emitter.stats()["spool_bytes"] == 0 and emitter.stats()["sent"])
            until(lambda: emitter.stats()["waiting_bytes"] == 0)
            assert emitter.stats()["torn"] >= 1
        ((_, numbers),) = numbered(collector.events).items()
        assert len(numbers) == len(set(numbers)), "a number was used twice"
        assert len(numbers) > told_spooled
        assert max(numbers) >= told_emitted, "numbers of the killed were used again"
        assert_same_batch_same_key(collector)


def test_after_the_machine_went_down_the_producer_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The count on disk may be an old one then. After a close it is not."""
    numbers = KeptNumbers("app", tmp_path)
    assert [numbers.take() for _ in range(3)] == [0, 1, 2]
    numbers.close()
    monkeypatch.setattr("loaders.client.numbering._boot_id", lambda: "another")
    again = KeptNumbers("app", tmp_path)
    assert (again.producer, again.take()) == (numbers.producer, 3)
    monkeypatch.setattr("loaders.client.numbering._boot_id", lambda: "a third")
    anew = KeptNumbers("app", tmp_path)
    assert anew.producer != numbers.producer
    assert anew.take() == 0


def test_processes_share_a_spool_folder(tmp_path: Path):
    """Each has a place of its own; who comes later sends what those left that are gone."""
    with playing(always=503) as collector:
        with (
            emitting(collector, spool_dir=tmp_path) as one,
            emitting(collector, spool_dir=tmp_path) as two,
        ):
            for number in range(30):
                one.emit(attempt(number))
                two.emit(attempt(number))
            assert one.producer != two.producer
        collector.always = 202
        with emitting(collector, spool_dir=tmp_path):
            until(lambda: len(collector.events) == 60)
        assert_whole(collector.events, 60, producers=2)
    assert files(tmp_path) == []


@pytest.mark.parametrize("has_spool", [False, True])
def test_forks(has_spool: bool, tmp_path: Path):
    """A child numbers for itself, and sends nothing of its parent's."""
    with playing() as collector:
        folder = tmp_path if has_spool else None
        with emitting(collector, spool_dir=folder, linger=0.05) as emitter:
            children = []
            for child in range(3):
                emitter.emit(attempt())
                pid = os.fork()
                if pid == 0:
                    for number in range(20 + child):
                        emitter.emit(attempt(number))
                    emitter.close(5)
                    os._exit(0)
                children.append(pid)
            assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0, 0]
            emitter.emit(attempt())
            until(lambda: len(collector.events) == 20 + 21 + 22 + 4)
        numbers = numbered(collector.events)
        assert all(len(set(found)) == len(found) for found in numbers.values())
        if has_spool:  # a child may go on where one before it stopped
            assert all(found == list(range(len(found))) for found in numbers.values())
        else:
            assert_whole(collector.events, 67, producers=4)
