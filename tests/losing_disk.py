"""A disk that loses power: what was not fsynced may be there, or in part, or not at all.

The model is the strict one. The bytes of a file are safe after fsync of the file, its name after
fsync of its folder. Of all else below the root, when power goes:

- each 512 or 4,096 bytes of a file are as they were at its last fsync, or as they are now;
- each new name, rename and removal happened, or did not, in any order between files.

What was there when the model began is safe. It stands in the process that writes, so it is for a
process of its own: what it is put under stays there.
"""

from __future__ import annotations

import os
import random
import stat
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_CHANGES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.truncate"}

Place = tuple[int, str]  # a folder's inode, and a name in it


@dataclass
class _Node:
    """A file or folder. Its descriptor stays open, so that nothing else gets its inode."""

    descriptor: int
    names: dict[str, int] | None  # of a folder: what is safe
    data: bytes = b""  # of a file: what is safe


@dataclass(frozen=True)
class _Change:
    """A name that an inode got, lost, or changed, and that is not safe yet."""

    inode: int
    old: Place | None
    new: Place | None

    def is_in(self, folder: int) -> bool:
        return any(place is not None and place[0] == folder for place in (self.old, self.new))

    def apply(self, names: dict[int, dict[str, int]]) -> None:
        if self.old and names[self.old[0]].get(self.old[1]) == self.inode:
            del names[self.old[0]][self.old[1]]
        if self.new:
            names[self.new[0]][self.new[1]] = self.inode


@dataclass
class LosingDisk:
    """All below `root`. Before step number `at`, `cut` is called, which is not to return."""

    root: Path
    at: int = 0
    cut: Callable[[LosingDisk, str], None] = lambda _disk, _what: None
    steps: int = 0
    _nodes: dict[int, _Node] = field(default_factory=dict)
    _places: dict[int, Place] = field(default_factory=dict)
    _changes: list[_Change] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _is_busy: bool = False

    def install(self) -> None:
        """Stand between this process and the disk: all that Python does there is a step."""
        self._look()
        for change in self._changes:
            change.apply(self._safe_names())
        self._changes.clear()
        for node in self._nodes.values():
            if node.names is None:
                node.data = _bytes_of(node.descriptor)
        root = str(self.root)

        def heard(event: str, arguments: tuple[Any, ...]) -> None:
            is_writing = (
                event == "open"
                and isinstance(arguments[2], int)
                and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            )
            if is_writing or event in _CHANGES:
                path = str(arguments[0])
                if path.startswith(root) or not path.startswith("/"):  # some are relative
                    self.step(f"{event} {path.removeprefix(root)}")

        def fsync(file: Any) -> None:
            descriptor = file if isinstance(file, int) else file.fileno()
            self.step(f"fsync {Path(f'/proc/self/fd/{descriptor}').readlink()}")
            self.synced(os.fstat(descriptor).st_ino)

        os.fsync = fsync
        sys.addaudithook(heard)

    def step(self, what: str) -> None:
        """Something is about to be done to the disk."""
        with self._lock:
            if self._is_busy:
                return
            self.steps += 1
            self._look()
            if self.steps == self.at:
                self._is_busy = True
                self.cut(self, what)

    def synced(self, inode: int) -> None:
        """What a file holds, or the names in a folder, are safe as they are now."""
        with self._lock:
            self._look()
            node = self._nodes.get(inode)
            if node is None:
                return  # not below the root
            if node.names is None:
                node.data = _bytes_of(node.descriptor)
                return
            while of_folder := [n for n, c in enumerate(self._changes) if c.is_in(inode)]:
                last = self._changes[of_folder[0]]
                # What became of it before that is safe with it.
                for change in [c for c in self._changes[: of_folder[0]] if c.inode == last.inode]:
                    self._settle(change)
                self._settle(last)

    def write_state(self, target: Path, dice: random.Random | None) -> None:
        """Write to a new folder what is there when the power is back; without dice, the least."""
        with self._lock:
            self._is_busy = True
            self._look()
            names = {folder: dict(safe) for folder, safe in self._safe_names().items()}
            share = dice.choice((0.0, 0.5, 0.9, 1.0)) if dice else 0.0
            undone: set[int] = set()
            for change in self._changes:
                if dice and change.inode not in undone and dice.random() < share:
                    change.apply(names)
                else:
                    undone.add(change.inode)
            self._write(self.root.stat().st_ino, target, names, dice)
            self._is_busy = False

    def _settle(self, change: _Change) -> None:
        change.apply(self._safe_names())
        self._changes.remove(change)

    def _safe_names(self) -> dict[int, dict[str, int]]:
        return {n: node.names for n, node in self._nodes.items() if node.names is not None}

    def _look(self) -> None:
        """Note which names there are now, and which there were when this was last called."""
        was_busy, self._is_busy = self._is_busy, True
        seen: dict[int, Place] = {}
        self._walk(self.root, seen)
        taken = set(seen.values())
        for inode, place in seen.items():
            if (old := self._places.get(inode)) != place:
                self._changes.append(_Change(inode, old, place))
        for inode, place in self._places.items():
            if inode not in seen and place not in taken:  # else it was replaced: that is one change
                self._changes.append(_Change(inode, place, None))
        self._places, self._is_busy = seen, was_busy

    def _walk(self, folder: Path, seen: dict[int, Place]) -> None:
        inode = self._known(folder, is_folder=True)
        for entry in os.scandir(folder):
            is_folder = entry.is_dir(follow_symlinks=False)
            try:
                if is_folder:
                    self._walk(Path(entry.path), seen)
                else:
                    self._known(Path(entry.path), is_folder=False)
            except FileNotFoundError:  # another thread was faster
                continue
            seen[entry.inode()] = (inode, entry.name)

    def _known(self, path: Path, is_folder: bool) -> int:
        inode = path.stat().st_ino
        if inode not in self._nodes:
            self._nodes[inode] = _Node(os.open(path, os.O_RDONLY), {} if is_folder else None)
        return inode

    def _write(
        self,
        folder: int,
        target: Path,
        names: dict[int, dict[str, int]],
        dice: random.Random | None,
    ) -> None:
        target.mkdir(mode=stat.S_IMODE(os.fstat(self._nodes[folder].descriptor).st_mode))
        for name, inode in names[folder].items():
            node, path = self._nodes[inode], target / name
            if node.names is not None:
                self._write(inode, path, names, dice)
                continue
            path.write_bytes(
                mixed(node.data, _bytes_of(node.descriptor), dice) if dice else node.data
            )
            path.chmod(stat.S_IMODE(os.fstat(node.descriptor).st_mode))


def mixed(old: bytes, new: bytes, dice: random.Random) -> bytes:
    """What is on disk of a file that was `old` when it was fsynced, and is `new` now."""
    if old == new:
        return old
    unit, share = dice.choice((512, 4096)), dice.choice((0.0, 0.1, 0.5, 0.9, 1.0))
    longest = max(len(old), len(new))
    size = dice.choice((len(old), len(new), dice.randint(min(len(old), len(new)), longest)))
    out = bytearray(old.ljust(longest, b"\0"))
    for at in range(0, longest, unit):
        if dice.random() < share:
            out[at : at + unit] = new[at : at + unit].ljust(min(unit, longest - at), b"\0")
    return bytes(out[:size])


def _bytes_of(descriptor: int) -> bytes:
    size = os.fstat(descriptor).st_size
    return os.pread(descriptor, size, 0)
