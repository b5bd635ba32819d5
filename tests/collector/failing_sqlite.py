"""SQLite on a disk that fails: its own layer for files, with writes and syncs that can be broken.

`install()` puts it under every connection of the process; only files of a spool fail.
"""

from __future__ import annotations

import _sqlite3
import ctypes as c
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field

FULL, WRITE_FAILED, SYNC_FAILED, SHORT = 13, 10 | 3 << 8, 10 | 4 << 8, 10 | 2 << 8
# A name is passed on as the pointer that it is: SQLite keeps it.
_OPEN = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_void_p, c.c_void_p, c.c_int, c.POINTER(c.c_int))
_WRITE = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_void_p, c.c_int, c.c_int64)
_TRUNCATE = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_int64)
_SYNC = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_int)
# From sqlite3.h: bytes of a vfs and of its methods, and where in them each pointer is.
_VFS_BYTES, _NAME_AT, _OPEN_AT = 168, 24, 40
_METHODS_BYTES, _WRITE_AT, _TRUNCATE_AT, _SYNC_AT = 152, 24, 32, 40


@dataclass
class Disk:
    """Counts operations, and asks `fails(number, operation)` for SQLite's code of the failure."""

    fails: Callable[[int, str], int] = lambda _number, _operation: 0
    operations: list[str] = field(default_factory=list)

    def step(self, operation: str) -> int:
        self.operations.append(operation)
        return self.fails(len(self.operations), operation)


_kept: list[object] = []  # what C points to


def install(disk: Disk) -> None:
    """Put the disk under SQLite, for all connections that are opened from now on."""
    library = c.CDLL(_sqlite3.__file__)
    library.sqlite3_vfs_find.restype = c.c_void_p
    library.sqlite3_vfs_register.argtypes = [c.c_void_p, c.c_int]
    sqlite3.connect(":memory:").close()
    real = library.sqlite3_vfs_find(c.c_char_p(b"unix"))
    vfs = c.create_string_buffer(c.string_at(real, _VFS_BYTES), _VFS_BYTES)
    open_file = _OPEN(_pointer(real + _OPEN_AT))

    def opened(_: int, name: int | None, file: int, flags: int, out: object) -> int:
        code = open_file(real, name, file, flags, out)
        if code == 0 and name and b"spool.sqlite" in c.string_at(name):
            _stand_between(file, disk)
        return code

    callback, name = _OPEN(opened), c.create_string_buffer(b"failing")
    _kept.extend([vfs, callback, name])
    _set(c.addressof(vfs) + _NAME_AT, c.addressof(name))
    _set(c.addressof(vfs) + _OPEN_AT, c.cast(callback, c.c_void_p).value)
    assert library.sqlite3_vfs_register(c.addressof(vfs), 1) == 0


def _stand_between(file: int, disk: Disk) -> None:
    methods = _pointer(file)
    mine = c.create_string_buffer(c.string_at(methods, _METHODS_BYTES), _METHODS_BYTES)
    write, truncate, sync = (
        kind(_pointer(methods + at))
        for kind, at in ((_WRITE, _WRITE_AT), (_TRUNCATE, _TRUNCATE_AT), (_SYNC, _SYNC_AT))
    )

    def written(given: int, data: int, size: int, at: int) -> int:
        code = disk.step("write")
        if code:
            write(given, data, size // 2, at)  # half of it came through
        return code or write(given, data, size, at)

    def truncated(given: int, size: int) -> int:
        return disk.step("truncate") or truncate(given, size)

    def synced(given: int, flags: int) -> int:
        return disk.step("sync") or sync(given, flags)

    callbacks = [_WRITE(written), _TRUNCATE(truncated), _SYNC(synced)]
    _kept.extend([mine, *callbacks])
    for at, callback in zip((_WRITE_AT, _TRUNCATE_AT, _SYNC_AT), callbacks, strict=True):
        _set(c.addressof(mine) + at, c.cast(callback, c.c_void_p).value)
    _set(file, c.addressof(mine))


def _pointer(at: int) -> int:
    return c.c_void_p.from_address(at).value or 0


def _set(at: int, value: int | None) -> None:
    c.c_void_p.from_address(at).value = value
