"""The switch from many files of bronze to the one that they were merged into.

Whoever reads bronze shares a lock of its folder. A switch has the folder alone, for as long as it
takes to remove some files, so that no reader finds both or neither. What it is about to do is on
disk before it begins: a folder, made by one rename, with the merged file and the list of what it
replaces. Where a process died in between, the next one finishes the switch before it reads.
Landing, which only adds files, has no part in this.

Readers that overlap would keep a switch waiting for ever. So it closes a gate, another lock, for a
moment: who comes then waits, while those who read come to their end.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from loaders.durable import durable_file, durable_rename, explained, fsync_folder
from loaders.errors import AssayError
from loaders.leases import BusyError, locked

MERGED = "merged.parquet"
_LIST = "list.json"
_SWITCH = ".switch"
# A switch takes milliseconds: whoever waits for so long waits for a process that hangs.
_PATIENCE = 30.0
# How long the gate is closed at a time, and then open before the next try.
_CLOSED_SECONDS, _OPEN_SECONDS = 2.0, 3.0


@dataclass(frozen=True, slots=True)
class Source:
    """A file that is to be replaced, as it was when it was chosen."""

    path: Path
    state: os.stat_result

    def is_unchanged(self) -> bool:
        try:
            now = self.path.stat()
        except FileNotFoundError:
            return False
        facts = (now.st_ino, now.st_size, now.st_mtime_ns)
        return facts == (self.state.st_ino, self.state.st_size, self.state.st_mtime_ns)


@contextlib.contextmanager
def undisturbed(bronze: Path, is_short: bool = False) -> Iterator[None]:
    """Read files of bronze: no switch happens meanwhile, and none is half done. May be nested.

    Who reads for a short time only need not wait for those who want to switch. Raises AssayError
    where a switch that was cut short cannot be finished.
    """
    if not bronze.exists():  # a home without tables
        yield
        return
    if not is_short:
        with contextlib.suppress(BusyError), locked(_gate(bronze), False, _CLOSED_SECONDS):
            pass
    while True:
        with _held(bronze, alone=False):
            if not (bronze / _SWITCH).exists():
                yield
                return
        settle(bronze)


def settle(bronze: Path) -> None:
    """Finish a switch whose process died."""
    if not (bronze / _SWITCH).exists():
        return
    with explained(bronze, "read again."), _held(bronze, alone=True):
        if (bronze / _SWITCH).exists():  # no other process was faster
            _finish(bronze)
            shutil.rmtree(bronze / _SWITCH)
            fsync_folder(bronze)


def switch(bronze: Path, prepared: Path, sources: list[Source], target: Path, wait: float) -> None:
    """Put the file `merged.parquet` of the folder `prepared` at `target`, and remove its sources.

    What is left in `prepared` is of no use. Raises BusyError where readers hold bronze for longer
    than `wait` seconds, and AssayError where somebody else has changed a source. Nothing has
    changed then.
    """
    replaced = [source.path.relative_to(bronze).as_posix() for source in sources]
    with durable_file(prepared / _LIST) as file:
        listed = {"target": target.relative_to(bronze).as_posix(), "replaced": replaced}
        file.write(json.dumps(listed).encode())
    fsync_folder(prepared)
    # To remove 500 files takes a second or more where their blocks are freed, and milliseconds
    # where each has another name. Where there can be none, it works too.
    with contextlib.suppress(OSError):
        for source in sources:
            (prepared / source.path.name).hardlink_to(source.path)
    with _without_readers(bronze, wait):
        if not all(source.is_unchanged() for source in sources):
            raise AssayError(
                f"Files in {target.parent} were changed while they were merged, and are left as "
                "they are. Run assay compact again."
            )
        prepared.replace(bronze / _SWITCH)
        _finish(bronze)
        (bronze / _SWITCH).replace(prepared)
        fsync_folder(bronze)  # a list that came back would replace what was merged since


def _finish(bronze: Path) -> None:
    """Do what the list says, or what is left of it. Needs bronze alone."""
    folder = bronze / _SWITCH
    fsync_folder(bronze)  # nothing goes before the list is there for whoever comes next
    if (folder / _LIST).exists():
        listed = json.loads((folder / _LIST).read_text(encoding="utf-8"))
        target = bronze / listed["target"]
        if (folder / MERGED).exists():
            durable_rename(folder / MERGED, target)
        for name in listed["replaced"]:
            (bronze / name).unlink(missing_ok=True)
        fsync_folder(target.parent)
        (folder / _LIST).unlink()


@contextlib.contextmanager
def _without_readers(bronze: Path, wait: float) -> Iterator[None]:
    deadline = time.monotonic() + wait
    with contextlib.ExitStack() as lock:
        while True:
            with locked(_gate(bronze), alone=True, wait=wait):
                try:
                    seconds = min(wait, _CLOSED_SECONDS)
                    lock.enter_context(locked(bronze, alone=True, wait=seconds))
                    break
                except BusyError:
                    if time.monotonic() + _OPEN_SECONDS > deadline:
                        raise
            time.sleep(_OPEN_SECONDS)
        yield


def _gate(bronze: Path) -> Path:
    return bronze.parent


@contextlib.contextmanager
def _held(bronze: Path, alone: bool) -> Iterator[None]:
    try:
        lock = contextlib.ExitStack()
        lock.enter_context(locked(bronze, alone, _PATIENCE))
    except BusyError:
        raise AssayError(
            f"Another process has been switching files of {bronze} for {_PATIENCE:.0f} s. "
            "Look whether it hangs, and try again."
        ) from None
    with lock:
        yield
