"""Change a home again and again, each time stopped one step later: what tests of crashes run.

    python steps.py kill|fail FOLDER land FILE
    python steps.py kill|fail FOLDER compact TABLE

A step is any call that changes the home: to open a file for writing, fsync, rename, make or remove.
FOLDER/<n> is what is left of FOLDER/template in which FILE is landed, or TABLE compacted, until the
n-th step: `kill` leaves it as it is before that step, as kill -9 does, `fail` makes that one call
fail as on a full disk. The last one is the first that needs no n-th step. Prints one line for each:
n and the step. Of those that fail, each is tried with ASSAY_LONG=1, every third without.
"""

import errno
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas  # noqa: F401 - what landing loads when it is needed: here once, not in every child
import pyarrow.dataset  # noqa: F401

from loaders.compaction.compact import compact
from loaders.contracts import load_contracts
from loaders.errors import AssayError
from loaders.home import Home
from loaders.landing.batches import land_file

STRIDE = 1 if os.environ.get("ASSAY_LONG") == "1" else 3
_CHANGES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.truncate"}


def stop_before(number: int, mode: str, home: Path, report: int) -> None:
    """Arrange that this process is stopped before its n-th change of the home."""
    done = 0

    def step(what: str) -> None:
        nonlocal done
        done += 1
        if done == number:
            os.write(report, what.encode())
            if mode == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before_each_step(home, step)


def before_each_step(home: Path, step: Callable[[str], None]) -> None:
    """Arrange that it is called, with what is to be done, before each change of the home."""
    root, fsync = str(home), os.fsync

    def heard(event: str, arguments: tuple[Any, ...]) -> None:
        is_writing = (
            event == "open"
            and isinstance(arguments[2], int)
            and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        )
        if (event in _CHANGES or is_writing) and str(arguments[0]).startswith(root):
            step(f"{event} {str(arguments[0]).removeprefix(root)}")

    def watched_fsync(file: Any) -> None:
        descriptor = file if isinstance(file, int) else file.fileno()
        path = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        step(f"fsync {path.removeprefix(root)}")
        fsync(file)

    os.fsync = watched_fsync
    sys.addaudithook(heard)


WORK: dict[str, Callable[[Home, str], object]] = {
    "land": lambda home, file: land_file(home, "attempts", Path(file)),
    "compact": lambda home, table: compact(home, [table], older_than=0),
}


def attempt(number: int, mode: str, home: Path, work: Callable[[Home], object]) -> str:
    """Work in a process of its own. Returns the step that it was stopped at, if any."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        stop_before(number, mode, home, writing)
        try:
            work(Home(home))
        except (OSError, AssayError):
            os._exit(1)
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as said:
        return said.read()


def main(mode: str, folder: Path, work: Callable[[Home], object]) -> None:
    """Stop it everywhere."""
    load_contracts()
    if mode == "kill":
        kill_everywhere(folder, work)
        return
    stopped, number = "yes", 1 - STRIDE
    while stopped:  # this process does no work, so forking it is safe
        number += STRIDE
        home = folder / str(number)
        shutil.copytree(folder / "template", home)
        stopped = attempt(number, mode, home, work)
        print(number, stopped, flush=True)


def kill_everywhere(folder: Path, work: Callable[[Home], object]) -> None:
    """Work once, with a copy of the home before each step: that is all that is left by a kill -9.

    What was written is with the system by then, and locks are of the process.
    """
    home, number = folder / "working", 0
    shutil.copytree(folder / "template", home)

    def copy(what: str) -> None:
        nonlocal number
        number += 1
        shutil.copytree(home, folder / str(number))
        print(number, what, flush=True)

    before_each_step(home, copy)
    work(Home(home))
    copy("")


if __name__ == "__main__":
    what, of = sys.argv[3:]
    main(sys.argv[1], Path(sys.argv[2]), lambda home: WORK[what](home, of))
