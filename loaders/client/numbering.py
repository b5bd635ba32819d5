"""The running numbers of a producer: without gaps, and none given twice, over restarts too.

The next number is kept in memory that is mapped to a file. A process that is killed leaves it
exact, because the kernel holds the page; only a machine that goes down can leave an old one. So the
producer is named anew where the machine was started since, unless the numbers were closed.
"""

from __future__ import annotations

import json
import mmap
import re
import struct
from pathlib import Path

from loaders.client.ids import uuid7
from loaders.durable import durable_file, durable_rename, fsync_folder

_NEXT = struct.Struct("<Q")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_CLOSED = "closed"
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")  # what the dead letters and gold take no name with


class Numbers:
    """Numbers from 0 for a producer of its own. Not for several threads at once."""

    def __init__(self, name: str) -> None:
        self.producer = new_producer(name)
        self._next = 0

    def take(self) -> int:
        """The next number, which nobody else gets."""
        number = self._next
        self._next = number + 1
        return number

    def close(self) -> None:
        """Nothing is to be kept."""

    def abandon(self) -> None:
        """Nothing is open."""


class KeptNumbers(Numbers):
    """Numbers that go on where the last process that had the folder stopped. Raises OSError.

    The folder must be this process's alone.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self._identity = folder / "producer.json"
        self._boot = _boot_id()
        count = folder / "next"
        known = self._known()
        if known is None or not count.exists() or count.stat().st_size != _NEXT.size:
            # The old name goes first: with it, the new count would give its numbers again.
            self._identity.unlink(missing_ok=True)
            fsync_folder(folder)
            known = new_producer(name)
            with durable_file(count) as file:
                file.write(_NEXT.pack(0))
        self.producer = known
        self._note(self._boot)
        with count.open("r+b") as opened:
            self._map = mmap.mmap(opened.fileno(), _NEXT.size)
        (self._next,) = _NEXT.unpack(self._map)

    def take(self) -> int:
        """The next number. It is used up before anybody sees it."""
        number = self._next
        _NEXT.pack_into(self._map, 0, number + 1)
        self._next = number + 1
        return number

    def close(self) -> None:
        """Keep the next number so that it outlives the machine as well."""
        self._map.flush()
        self._map.close()
        self._note(_CLOSED)

    def abandon(self) -> None:
        """Let go without a word: the numbers are those of the process this was forked from."""
        self._map.close()

    def _known(self) -> str | None:
        """The producer whose numbers go on here, or None where the count may be an old one."""
        try:
            noted = json.loads(self._identity.read_bytes())
            producer, state = str(noted["producer"]), noted["state"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return producer if state == _CLOSED or (state and state == self._boot) else None

    def _note(self, state: str) -> None:
        noted = json.dumps({"producer": self.producer, "state": state}).encode()
        aside = self._identity.with_suffix(".new")
        with durable_file(aside) as file:
            file.write(noted)
        durable_rename(aside, self._identity)


def new_producer(name: str) -> str:
    """A name that no other process has or had, in plain letters."""
    plain = _NOT_PLAIN.sub("-", name)[:64]
    begins_well = plain[:1].isalpha()
    return f"{plain if begins_well else f'app-{plain}'}-{uuid7().replace('-', '')}"


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""
