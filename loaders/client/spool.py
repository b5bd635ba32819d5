"""The spool: events on disk that could not be sent yet, as JSON lines, a file a batch.

Every process has a place of its own below the spool folder, `<n>/`, which its lock keeps for it:

    lock            held for as long as the process lives
    producer.json   who numbers here, and `next`: its next number
    00000001.jsonl  events that wait; the highest number may still grow
    rejected-<code>.jsonl  events of batches that the collector refused for good

A file that nobody appends to any more is never changed, so it is sent as the same batch whichever
process sends it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import threading
from collections.abc import Sequence
from pathlib import Path

from loaders.client.batch import Batch
from loaders.durable import durable_folder, fsync_folder

_MAX_PLACES = 4096


class SpoolFull(OSError):
    """The spool holds as much as it may."""


class Place:
    """A folder that is one process's alone. Raises OSError where there is none to have."""

    def __init__(self, folder: Path) -> None:
        durable_folder(folder, 0o700)
        for number in range(_MAX_PLACES):
            self.path = folder / str(number)
            self.path.mkdir(mode=0o700, exist_ok=True)
            lock = _lock(self.path)
            if lock is not None:
                self._lock = lock
                fsync_folder(folder)
                return
        raise OSError(f"no place is free in {folder}")

    def adopt(self) -> None:
        """Take over what waits in the places of processes that are gone."""
        number = last_number(self.path)
        for other in sorted(self.path.parent.iterdir()):
            lock = _lock(other) if other != self.path and other.name.isdigit() else None
            if lock is None:
                continue
            for file in waiting_files(other):
                number += 1
                file.rename(self.path / f"{number:08d}.jsonl")
            fsync_folder(self.path)
            fsync_folder(other)
            os.close(lock)

    def release(self) -> None:
        """Let others have it. In a forked child the parent keeps it all the same."""
        os.close(self._lock)


class Spool:
    """Events on disk. One thread may put them there while another takes them."""

    def __init__(self, folder: Path, max_bytes: int, batch_bytes: int, batch_events: int) -> None:
        self._folder, self._max_bytes = folder, max_bytes
        self._batch_bytes, self._batch_events = batch_bytes, batch_events
        self._guard = threading.Lock()
        self._number = last_number(folder)
        self._open: Path | None = None
        self._open_bytes = self._open_events = 0
        self._torn: dict[Path, int] = {}
        self.waiting = waiting_files(folder)
        self.bytes = sum(file.stat().st_size for file in self.waiting)
        self._rejected_bytes = sum(f.stat().st_size for f in folder.glob("rejected-*.jsonl"))

    @property
    def torn(self) -> int:
        """How many lines could not be read, because a crash had torn them."""
        return sum(self._torn.values())

    def append(self, lines: list[bytes]) -> None:
        """Put lines on disk; they are there on return. Raises OSError, and then none of them is."""
        data = b"".join(lines)
        if not data:
            return
        with self._guard:
            self._reserve(len(data))
            if self._open is None:
                self._open, self._open_bytes, self._open_events = self._new_name(), 0, 0
            try:
                _append_durably(self._open, data, self._open_bytes)
            except OSError:
                self._give_up_open(len(data))
                raise
            self._open_bytes += len(data)
            self._open_events += len(lines)
            if self._open_bytes >= self._batch_bytes or self._open_events >= self._batch_events:
                self._seal()

    def keep(self, batch: Batch) -> None:
        """Put a batch on disk as it is, so that it is sent again as the same. Raises OSError."""
        with self._guard:
            self._reserve(len(batch.body))
            path = self._new_name()
            try:
                _append_durably(path, batch.body, 0)
            except OSError:
                self.bytes -= len(batch.body)
                path.unlink(missing_ok=True)
                raise
            self.waiting.append(path)

    def replace(self, path: Path, batches: Sequence[Batch]) -> None:
        """Let others take the place of a file that waits. Raises OSError, and then nothing changed.

        After a crash both may be there: what is sent twice is known by its id.
        """
        with self._guard:
            names: list[Path] = []
            try:
                for batch in batches:
                    names.append(self._new_name())
                    _append_durably(names[-1], batch.body, 0)
            except OSError:
                for name in names:
                    name.unlink(missing_ok=True)
                raise
            self.bytes += sum(len(batch.body) for batch in batches)
            self.waiting[:0] = names
        self.remove(path)

    def first(self) -> Batch | None:
        """The batch that has waited longest, or None. A torn line at its end is left out."""
        while True:
            with self._guard:
                if not self.waiting:
                    self._seal()
                if not self.waiting:
                    return None
                path = self.waiting[0]
            try:
                lines = path.read_bytes().splitlines(keepends=True)
            except OSError:
                with self._guard:  # for another process to try
                    self.waiting.remove(path)
                continue
            good = [line for line in lines if _is_event(line)]
            if len(good) < len(lines):
                self._torn[path] = len(lines) - len(good)
            if good:
                return Batch(b"".join(good), len(good), path=path)
            self.remove(path)

    def postpone(self, path: Path) -> None:
        """Let the other files go first: one that always fails keeps nobody waiting."""
        with self._guard:
            self.waiting.remove(path)
            self.waiting.append(path)

    def remove(self, path: Path) -> None:
        """Forget a file whose events are elsewhere."""
        with self._guard:
            self.waiting.remove(path)
            with contextlib.suppress(OSError):
                self.bytes -= path.stat().st_size
                path.unlink()

    def set_aside(self, code: str, batch: Batch) -> bool:
        """Keep what the collector refused for good. Says whether there was room."""
        path = self._folder / f"rejected-{code}.jsonl"
        if self._rejected_bytes + len(batch.body) > self._max_bytes:
            return False
        try:
            size = path.stat().st_size if path.exists() else 0
            # A line that a crash tore must not take the first of these with it.
            _append_durably(path, b"\n" * bool(size) + batch.body, size)
        except OSError:
            return False
        self._rejected_bytes += len(batch.body)
        return True

    def _reserve(self, size: int) -> None:
        if self.bytes + size > self._max_bytes:
            raise SpoolFull
        self.bytes += size

    def _new_name(self) -> Path:
        self._number += 1
        return self._folder / f"{self._number:08d}.jsonl"

    def _seal(self) -> None:
        if self._open is not None:
            self.waiting.append(self._open)
            self._open = None

    def _give_up_open(self, size: int) -> None:
        """After a failure nothing more is written to that file; what was good in it stays."""
        self.bytes -= size
        path, self._open = self._open, None
        if path is not None and self._open_events:
            self.waiting.append(path)
        elif path is not None:
            path.unlink(missing_ok=True)


def waiting_files(folder: Path) -> list[Path]:
    """The files of events in a place, oldest first."""
    return sorted(folder.glob("[0-9]" * 8 + ".jsonl"))


def last_number(folder: Path) -> int:
    """The highest number of a file in a place, 0 where there is none."""
    return max((int(file.stem) for file in waiting_files(folder)), default=0)


def _append_durably(path: Path, data: bytes, size: int) -> None:
    """Write behind the first `size` bytes of a file. Raises OSError, and then only these stay."""
    try:
        # Without a buffer, of which a fork in this moment would make a second one.
        with path.open("ab" if size else "wb", buffering=0) as file:
            rest = memoryview(data)
            while rest:
                rest = rest[file.write(rest) :]
            os.fsync(file.fileno())
        if not size:
            fsync_folder(path.parent)
    except OSError:
        with contextlib.suppress(OSError):
            os.truncate(path, size)
        raise


def _is_event(line: bytes) -> bool:
    try:
        return line.endswith(b"\n") and isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _lock(folder: Path) -> int | None:
    """A descriptor that holds a place until it is closed, or None where somebody else has it."""
    try:
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
