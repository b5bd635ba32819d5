"""Writing files so that a crash leaves either the old state or the new one."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from loaders.errors import AssayError

_ADVICE = dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "Make room")


@contextlib.contextmanager
def explained(place: Path, outcome: str) -> Iterator[None]:
    """Turn a failure of the disk into an AssayError: what, where, and what became of the work."""
    try:
        yield
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else type(error).__name__
        advice = _ADVICE.get(error.errno or 0, "Check the disk and its rights")
        raise AssayError(f"{place} cannot be written: {why}. {advice}, then {outcome}") from None


@contextlib.contextmanager
def durable_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing; its bytes are on disk when the block ends."""
    with path.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def fsync_folder(folder: Path) -> None:
    """Make the names in a folder durable, as fsync of a file does not."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def durable_folder(folder: Path, mode: int = 0o777) -> None:
    """Make a folder, and those above it that are missing; they are on disk when this returns."""
    for missing in [path for path in (*reversed(folder.parents), folder) if not path.exists()]:
        missing.mkdir(mode, exist_ok=True)  # another process may be faster
        fsync_folder(missing.parent)


def durable_rename(source: Path, target: Path) -> None:
    """Rename within one file system, replacing the target, and make the new name durable."""
    source.replace(target)
    fsync_folder(target.parent)
