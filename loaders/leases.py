"""Leases: a folder that one process works in, and that is swept away if the process dies.

And locks of a folder that stays, shared or not. The system ends both with their process.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

# Where in bronze such folders are, out of readers' sight.
STAGING = ".staging"

_POLL_SECONDS = 0.005


class BusyError(Exception):
    """Another process has the folder."""


@contextlib.contextmanager
def locked(folder: Path, alone: bool, wait: float) -> Iterator[None]:
    """Lock a folder that is there, alone or together with all who share it.

    Raises BusyError where others hold it otherwise for longer than `wait` seconds. Who waits to
    have it alone keeps nobody from sharing it.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        deadline = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_NB | (fcntl.LOCK_EX if alone else fcntl.LOCK_SH))
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise BusyError from None
                time.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def leased(folder: Path, wait: bool = True) -> Iterator[None]:
    """Have a folder alone, there or not. The system ends the lease of the dead.

    Where another process has it, wait for it, or raise BusyError.
    """
    path = _lock_of(folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with path.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                raise BusyError from None
            if not _is_same(file, path):
                continue  # whoever had the lock took the file away: another one may stand there
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


def sweep(parent: Path, pattern: str = "*") -> None:
    """Remove the folders below `parent` whose lease has ended without them being cleared."""
    for path in parent.glob(f"{pattern}.lock"):
        with contextlib.suppress(FileNotFoundError), path.open("r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            if _is_same(file, path):
                shutil.rmtree(path.with_suffix(""), ignore_errors=True)
                path.unlink(missing_ok=True)


def _lock_of(folder: Path) -> Path:
    return folder.with_name(folder.name + ".lock")


def _is_same(file: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
