"""A disk that fails at its n-th operation, and at every one from then on if it is told so."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

_open, _replace, _mkdir, _fsync = Path.open, Path.replace, Path.mkdir, os.fsync
_unlink = Path.unlink


class FailingDisk:
    """Counts writes, flushes, fsyncs, renames and new folders; fails from operation `at` on.

    Where it `removes`, files that are taken away count too.
    """

    def __init__(self, at: int, code: int, stays: bool, removes: bool = False) -> None:
        self.at, self.code, self.stays, self.removes = at, code, stays, removes
        self.operations: list[str] = []

    def step(self, operation: str) -> None:
        """Count an operation, or fail."""
        self.operations.append(operation)
        number = len(self.operations)
        if number == self.at or (self.stays and number > self.at):
            raise OSError(self.code, os.strerror(self.code))

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Stand between landing and the disk."""
        disk = self

        def opened(path: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
            if "w" not in mode:
                return _open(path, mode, *args, **kwargs)
            disk.step("open")
            return _File(_open(path, mode, *args, **kwargs), disk)

        def replaced(path: Path, target: Path) -> Path:
            disk.step(f"rename {target.name}")
            return _replace(path, target)

        def made(path: Path, *args: Any, **kwargs: Any) -> None:
            disk.step("mkdir")
            _mkdir(path, *args, **kwargs)

        def synced(descriptor: int) -> None:
            disk.step("fsync")
            _fsync(descriptor)

        def unlinked(path: Path, missing_ok: bool = False) -> None:
            disk.step("unlink")
            _unlink(path, missing_ok)

        if self.removes:
            patch.setattr(Path, "unlink", unlinked)
        patch.setattr(Path, "open", opened)
        patch.setattr(Path, "replace", replaced)
        patch.setattr(Path, "mkdir", made)
        patch.setattr(os, "fsync", synced)


class _File:
    """A file whose writes can fail, half written."""

    def __init__(self, file: Any, disk: FailingDisk) -> None:
        self._file, self._disk = file, disk

    def write(self, data: Any) -> int:
        try:
            self._disk.step("write")
        except OSError:
            self._file.write(bytes(data)[: len(data) // 2])
            raise
        return int(self._file.write(data))

    def flush(self) -> None:
        self._disk.step("flush")
        self._file.flush()

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


FULL, BROKEN = errno.ENOSPC, errno.EIO
