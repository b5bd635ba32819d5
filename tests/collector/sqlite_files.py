"""SQLite's own layer for files, with something of ours in between, for files of a spool alone."""

from __future__ import annotations

import _sqlite3
import ctypes as c
import sqlite3
from pathlib import Path
from typing import Protocol

# The name stays a pointer: SQLite keeps it and does not copy what it points to.
_OPEN = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_void_p, c.c_void_p, c.c_int, c.c_void_p)
_DELETE = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_char_p, c.c_int)
_WRITE = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_void_p, c.c_int, c.c_int64)
_TRUNCATE = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_int64)
_SYNC = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_int)
_OPEN_FOLDER = c.CFUNCTYPE(c.c_int, c.c_char_p, c.c_void_p)
_SET_CALL = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_char_p, c.c_void_p)
_GET_CALL = c.CFUNCTYPE(c.c_void_p, c.c_void_p, c.c_char_p)
# From sqlite3.h: bytes of a vfs and of its methods, and where in them each pointer is.
_VFS_BYTES, _NAME_AT, _OPEN_AT, _DELETE_AT, _SET_CALL_AT, _GET_CALL_AT = 168, 24, 40, 48, 144, 152
_METHODS_BYTES, _WRITE_AT, _TRUNCATE_AT, _SYNC_AT = 152, 24, 32, 40


class Between(Protocol):
    """What stands between SQLite and a file. Operations: write, truncate, sync, delete, folder."""

    def before(self, operation: str, path: Path) -> int:
        """SQLite's code of a failure, or 0. A write that fails comes through by half."""

    def after(self, operation: str, path: Path) -> None:
        """It was done. `folder` is that the folder of the path was fsynced."""


_kept: list[object] = []  # what C points to


def install(between: Between) -> None:
    """Put it under SQLite, for all connections that are opened from now on."""
    library = c.CDLL(_sqlite3.__file__)
    library.sqlite3_vfs_find.restype = c.c_void_p
    library.sqlite3_vfs_register.argtypes = [c.c_void_p, c.c_int]
    sqlite3.connect(":memory:").close()
    real = library.sqlite3_vfs_find(c.c_char_p(b"unix"))
    vfs = c.create_string_buffer(c.string_at(real, _VFS_BYTES), _VFS_BYTES)
    open_file, delete = _OPEN(_pointer(real + _OPEN_AT)), _DELETE(_pointer(real + _DELETE_AT))

    def opened(_: int, name: int | None, file: int, flags: int, out: int | None) -> int:
        code = open_file(real, name, file, flags, out)
        if code == 0 and name and b"spool.sqlite" in c.string_at(name):
            _stand_between(file, between, Path(c.string_at(name).decode()))
        return code

    def deleted(_: int, name: bytes, sync: int) -> int:
        code = between.before("delete", Path(name.decode()))
        return code or delete(real, name, sync)

    callbacks = [_OPEN(opened), _DELETE(deleted)]
    name = c.create_string_buffer(b"between")
    _kept.extend([vfs, name, *callbacks])
    _set(c.addressof(vfs) + _NAME_AT, c.addressof(name))
    for at, callback in zip((_OPEN_AT, _DELETE_AT), callbacks, strict=True):
        _set(c.addressof(vfs) + at, c.cast(callback, c.c_void_p).value)
    assert library.sqlite3_vfs_register(c.addressof(vfs), 1) == 0
    _watch_folders(real, between)


def _watch_folders(real: int, between: Between) -> None:
    """SQLite opens a folder for one reason only: to fsync it at once."""
    call = b"openDirectory"
    open_folder = _OPEN_FOLDER(_GET_CALL(_pointer(real + _GET_CALL_AT))(real, call))

    def opened(name: bytes, descriptor: int) -> int:
        code = open_folder(name, descriptor)
        if code == 0 and b"spool.sqlite" in name:
            between.after("folder", Path(name.decode()))
        return code

    callback = _OPEN_FOLDER(opened)
    _kept.append(callback)
    pointer = c.cast(callback, c.c_void_p).value
    assert _SET_CALL(_pointer(real + _SET_CALL_AT))(real, call, pointer) == 0


def _stand_between(file: int, between: Between, path: Path) -> None:
    methods = _pointer(file)
    mine = c.create_string_buffer(c.string_at(methods, _METHODS_BYTES), _METHODS_BYTES)
    write, truncate, sync = (
        kind(_pointer(methods + at))
        for kind, at in ((_WRITE, _WRITE_AT), (_TRUNCATE, _TRUNCATE_AT), (_SYNC, _SYNC_AT))
    )

    def written(given: int, data: int, size: int, at: int) -> int:
        code = between.before("write", path)
        if code:
            write(given, data, size // 2, at)  # half of it came through
        return code or write(given, data, size, at)

    def truncated(given: int, size: int) -> int:
        return between.before("truncate", path) or truncate(given, size)

    def synced(given: int, flags: int) -> int:
        code = between.before("sync", path) or sync(given, flags)
        if code == 0:
            between.after("sync", path)
        return code

    callbacks = [_WRITE(written), _TRUNCATE(truncated), _SYNC(synced)]
    _kept.extend([mine, *callbacks])
    for at, callback in zip((_WRITE_AT, _TRUNCATE_AT, _SYNC_AT), callbacks, strict=True):
        _set(c.addressof(mine) + at, c.cast(callback, c.c_void_p).value)
    _set(file, c.addressof(mine))


def _pointer(at: int) -> int:
    return c.c_void_p.from_address(at).value or 0


def _set(at: int, value: int | None) -> None:
    c.c_void_p.from_address(at).value = value
