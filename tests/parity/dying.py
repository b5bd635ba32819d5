"""Batches on their way by stream, in processes that die: at each step, or at any moment.

    python dying.py steps HOME EVERY SEED     one batch for every n-th step, killed there
    python dying.py moments HOME KILLS SEED   batch after batch, killed KILLS times at random

A step is the beginning or the end of whatever changes the home or asks the service. After a death
another process goes on, and may die as well; the last one leaves nothing waiting. Prints the
batches that must be there by then, one per line.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from streaming import batch, waiting

from loaders import bronze
from loaders.home import Home
from loaders.sinks.bigquery import book, stream, writer

_STEPS: list[tuple[Any, str]] = [
    (book, "durable_rename"),
    (book.Book, "write"),
    (writer.Writer, "begin"),
    (writer.Writer, "end"),
    (writer._Connection, "_acknowledged"),
    (stream, "fsync_folder"),
    (Path, "unlink"),
    (shutil, "rmtree"),
]


class Death(BaseException):
    """The end of a process, for those who want to live on and look."""


@contextlib.contextmanager
def dying(at: int, die: Callable[[], Any]) -> Iterator[list[str]]:
    """Die at the n-th step of a block. Yields the steps that were taken, as they are."""
    taken: list[str] = []
    on_its_way = False

    def step(name: str) -> None:
        if on_its_way and (not at or len(taken) < at):
            taken.append(name)
            if len(taken) == at:
                die()

    def watched(owner: Any, name: str) -> Callable[..., Any]:
        real = getattr(owner, name)

        def act(*arguments: Any, **options: Any) -> Any:
            step(f"before {name}")
            result = real(*arguments, **options)
            step(f"after {name}")
            return result

        return act

    publish = stream.Streams.publish

    def published(self: stream.Streams, committed: Path) -> None:
        nonlocal on_its_way
        on_its_way = True
        try:
            publish(self, committed)
        finally:
            on_its_way = False

    with pytest.MonkeyPatch.context() as patch:
        for owner, name in _STEPS:
            patch.setattr(owner, name, watched(owner, name))
        patch.setattr(stream.Streams, "publish", published)
        yield taken


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _in_child(work: Callable[[], int]) -> int:
    """Do something in a process of its own. Returns what it ended with."""
    child = os.fork()
    if child == 0:
        os._exit(work())
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def steps(home: Home, every: int, seed: int) -> None:
    """Die at every n-th step, and half of the time again while another tries to finish."""
    dice = random.Random(seed)
    for number in count(dice.randrange(every) + 1, every):
        name = f"s{number}"

        def send(name: str = name, at: int = number) -> int:
            with dying(at, _kill) as taken:
                batch(home, name)
            return 0 if len(taken) < at else 1

        ended = _in_child(send)
        print(name, flush=True)
        if ended == 0:
            return
        assert ended == -signal.SIGKILL
        while waiting(home):
            at = dice.choice((0, dice.randrange(1, 30)))
            assert _in_child(lambda at=at: _recovered(home, at)) in (0, -signal.SIGKILL)


def _recovered(home: Home, at: int) -> int:
    with dying(at, _kill):
        bronze.recover(home)
    return 0


def moments(home: Home, kills: int, seed: int) -> None:
    """Die whenever: soon after the start, or soon after a batch was sent."""
    dice = random.Random(seed)
    done = home.path / "done"
    for life in range(kills):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            bronze.recover(home)
            for number in range(1000):
                batch(home, f"m{life}-{number}")
                with done.open("a") as file:
                    file.write(f"m{life}-{number}\n")
                os.write(writing, b".")
        if life == 0 or dice.random() < 0.7:
            os.read(reading, 1)
        time.sleep(dice.uniform(0, 0.1))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reading)
        os.close(writing)
    assert _in_child(lambda: _recovered(home, 0)) == 0
    print(done.read_text(), end="", flush=True)


if __name__ == "__main__":
    kinds = {"steps": steps, "moments": moments}
    kinds[sys.argv[1]](Home(Path(sys.argv[2])), *map(int, sys.argv[3:]))
