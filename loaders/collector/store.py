"""The file of the spool: SQLite, in which a commit is on disk when it returns.

A stream is a table and a source; its records are numbered from 1 without gaps. The key of a record
is its stream and its number in one, so that what is drained together lies together.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from loaders.collector.frames import decode
from loaders.durable import durable_file, durable_rename, fsync_folder

NAME = "spool.sqlite"
RANGE_RECORDS, _RANGE_BYTES = 20_000, 32 << 20
_STREAM_BITS = 40  # numbers of a stream; the bits above them are the stream's own
PAGE = 4096
WAL_HEADER, WAL_FRAME = 32, 24  # bytes before the first frame of the log, and before each page

_SCHEMA = """
    create table if not exists salvaged (spool_id text primary key, records integer not null);
    create table if not exists streams (
        stream integer primary key, table_name text not null, source text not null,
        drained_to integer not null default 0, unique (table_name, source)
    );
    create table if not exists records (key integer primary key, frame blob not null);
    create table if not exists ranges (
        stream integer primary key, first integer not null, last integer not null,
        salt text not null
    );
    create table if not exists damaged (
        stream integer, sequence integer, found_at text not null, primary key (stream, sequence)
    );
    create table if not exists replies (
        token text, table_name text, idempotency_key text, body blob not null, reply text not null,
        answered_at real not null, primary key (token, table_name, idempotency_key)
    );
    create index if not exists replies_by_age on replies (answered_at);
    create table if not exists usage (
        token text, day text, events integer not null, primary key (token, day)
    );
"""


class NothingError(Exception):
    """There is nothing to drain, other than it seemed."""


class DamagedError(Exception):
    """The file is not what was written."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Records of one table from one source. `next_number` is that of the next record."""

    number: int
    table: str
    source: str
    drained_to: int
    next_number: int


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers of a stream, first to last, that land as one batch.

    `salt` was drawn when the range was written down: should that ever be lost, whatever is numbered
    like this later is another batch.
    """

    stream: int
    table: str
    source: str
    first: int
    last: int
    salt: str


def key_of(stream: int, sequence: int) -> int:
    return stream << _STREAM_BITS | sequence


def _keys_of(stream: int) -> list[int]:
    """The first and the last key that records of a stream can have."""
    return [key_of(stream, 0), key_of(stream + 1, 0) - 1]


def open_store(folder: Path, after_failure: bool = False) -> sqlite3.Connection:
    """Open the spool's file, or begin it, with all that was committed on disk in the file itself.

    `after_failure` says that the last commit failed here: it may be torn, and nobody was answered.
    Raises DamagedError where it is not whole, and sqlite3.Error or OSError where the disk fails.
    """
    path = folder / NAME
    kept = _keep_log(path)
    written = 0 if after_failure else _last_commit_in_log(path)
    try:
        connection = connect(path)
    except sqlite3.DatabaseError as error:
        raise _judged(error) from None
    try:
        if connection.execute("pragma quick_check(1)").fetchone()[0] != "ok":
            raise DamagedError("quick_check")
        # Into the file and out of the log: what a failed fsync left behind is never trusted.
        _, in_log, _ = connection.execute("pragma wal_checkpoint(passive)").fetchone()
        if written > in_log:
            raise DamagedError("the log was cut short")
        if connection.execute("pragma wal_checkpoint(truncate)").fetchone()[0]:
            raise sqlite3.OperationalError("checkpoint")
        kept.unlink(missing_ok=True)
        connection.executescript(_SCHEMA)
        # A new file is there for good then, and an old copy of the log gone: it would be put back.
        fsync_folder(folder)
    except sqlite3.DatabaseError as error:
        connection.close()
        raise _judged(error) from None
    except BaseException:
        connection.close()
        raise
    return connection


def connect(path: Path) -> sqlite3.Connection:
    """A connection as the spool has them: no transactions of its own, and no commit in memory."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    connection.execute(f"pragma page_size = {PAGE}")
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    connection.execute("pragma secure_delete = on")  # what is drained is nobody's to find here
    connection.execute("pragma wal_autocheckpoint = 2000")
    return connection


def connect_to_look(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing, not even the log when it is the last to be closed."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether it is the file's content that is wrong, and not the disk's answer."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def live_folders(root: Path) -> list[Path]:
    """The spool in use, if there is one."""
    return sorted(folder for folder in root.glob("*") if folder.is_dir() and not folder.suffix)


def live_folder(root: Path) -> Path:
    """The folder of the spool in use, named by its id; a new one where there is none."""
    live = live_folders(root)
    if live:
        return live[0]
    root.mkdir(mode=0o700, exist_ok=True)
    folder = root / secrets.token_hex(6)
    folder.mkdir(mode=0o700)
    fsync_folder(root)
    fsync_folder(root.parent)
    return folder


def move_aside(folder: Path) -> Path:
    """Take a damaged spool out of the way, whole, for `salvage` to read."""
    _restore_log(folder / NAME)
    aside = folder.with_name(f"{folder.name}.damaged")
    durable_rename(folder, aside)
    return aside


def streams(connection: sqlite3.Connection) -> list[Stream]:
    """Every stream there ever was."""
    found = connection.execute("select stream, table_name, source, drained_to from streams")
    return [
        Stream(number, table, source, drained_to, max(drained_to, _last(connection, number)) + 1)
        for number, table, source, drained_to in found.fetchall()
    ]


def add_stream(connection: sqlite3.Connection, table: str, source: str) -> Stream:
    """A new stream. Inside of a transaction."""
    row = connection.execute(
        "insert into streams (table_name, source) values (?, ?) returning stream", [table, source]
    ).fetchone()
    return Stream(row[0], table, source, drained_to=0, next_number=1)


def add_frames(connection: sqlite3.Connection, rows: Iterable[tuple[int, bytes]]) -> None:
    """Records by their key. Inside of a transaction."""
    connection.executemany("insert into records values (?, ?)", rows)


def read_frames(connection: sqlite3.Connection, given: Range) -> Iterator[tuple[int, bytes]]:
    """Number and frame of the records of a range."""
    between = [key_of(given.stream, given.first), key_of(given.stream, given.last)]
    for key, frame in connection.execute(
        "select key, frame from records where key between ? and ? order by key", between
    ):
        yield key & ((1 << _STREAM_BITS) - 1), frame


def seal(connection: sqlite3.Connection, stream: Stream) -> tuple[Range, bool]:
    """The next range of a stream, written down; and whether it was already. In a transaction."""
    there = connection.execute(
        "select first, last, salt from ranges where stream = ?", [stream.number]
    ).fetchone()
    if there:
        return Range(stream.number, stream.table, stream.source, *there), True
    # As the file has it: what the caller knew may be of a commit that failed since.
    [drained_to] = connection.execute(
        "select drained_to from streams where stream = ?", [stream.number]
    ).fetchone() or [0]
    first, last, size = drained_to + 1, 0, 0
    for key, length in connection.execute(
        "select key, length(frame) from records where key between ? and ? order by key",
        [key_of(stream.number, n) for n in (first, first + RANGE_RECORDS - 1)],
    ):
        size += length
        if size > _RANGE_BYTES and last:
            break
        last = key - key_of(stream.number, 0)
    if not last:
        raise NothingError
    found = Range(stream.number, stream.table, stream.source, first, last, secrets.token_hex(8))
    connection.execute(
        "insert into ranges values (?, ?, ?, ?)", [stream.number, first, last, found.salt]
    )
    return found, False


def forget(connection: sqlite3.Connection, keys: list[int]) -> tuple[int, int]:
    """Delete the records from one key to another. Returns how many there were, and their bytes."""
    between = "from records where key between ? and ?"
    counted = f"select count(*), coalesce(sum(length(frame)), 0) {between}"
    records, size = connection.execute(counted, keys).fetchone()
    connection.execute(f"delete {between}", keys)
    return records, size


def note_drained(connection: sqlite3.Connection, given: Range, damaged: list[int]) -> None:
    """A range has landed, with these records as damaged. In a transaction."""
    connection.execute("delete from ranges where stream = ?", [given.stream])
    connection.execute(
        "update streams set drained_to = ? where stream = ?", [given.last, given.stream]
    )
    connection.executemany(
        "insert or ignore into damaged values (?, ?, datetime('now'))",
        [(given.stream, number) for number in damaged],
    )


def backlog(connection: sqlite3.Connection) -> dict[str, tuple[int, int]]:
    """How many records wait of each source, and their bytes."""
    found: dict[str, tuple[int, int]] = {}
    for number, source in connection.execute("select stream, source from streams").fetchall():
        records, size = connection.execute(
            "select count(*), coalesce(sum(length(frame)), 0) from records "
            "where key between ? and ?",
            _keys_of(number),
        ).fetchone()
        before = found.get(source, (0, 0))
        found[source] = before[0] + records, before[1] + size
    return found


def oldest(connection: sqlite3.Connection) -> str | None:
    """When the oldest of the first records of the streams was received."""
    received = []
    for number, *_ in connection.execute("select stream from streams").fetchall():
        row = connection.execute(
            "select frame from records where key between ? and ? order by key limit 1",
            _keys_of(number),
        ).fetchone()
        record = decode(row[0]) if row else None
        if record is not None:
            received.append(record.origin.received_at)
    return min(received, default=None)


def _last(connection: sqlite3.Connection, stream: int) -> int:
    """The last number of a record that is there, or was and is being forgotten."""
    key, sealed = connection.execute(
        "select (select max(key) from records where key between ? and ?), "
        "(select last from ranges where stream = ?)",
        [*_keys_of(stream), stream],
    ).fetchone()
    return max(key & ((1 << _STREAM_BITS) - 1) if key else 0, sealed or 0)


def _keep_log(path: Path) -> Path:
    """Copy the log: SQLite takes one that it cannot read for an empty one, and removes it."""
    _restore_log(path)
    log, kept = _log_of(path), _kept_of(path)
    if log.exists() and log.stat().st_size:
        with log.open("rb") as source, durable_file(aside := kept.with_suffix(".new")) as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
        durable_rename(aside, kept)
    return kept


def _restore_log(path: Path) -> None:
    """Put the copy back where nobody came to the point of removing it."""
    with contextlib.suppress(FileNotFoundError):
        durable_rename(_kept_of(path), _log_of(path))


def _log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _kept_of(path: Path) -> Path:
    return path.with_name(path.name + "-kept")


def _last_commit_in_log(path: Path) -> int:
    """The last frame of the log, counted from 1, that says that it ends a commit, whole or not.

    Where SQLite reads fewer, a byte of what was committed is not what it was.
    """
    try:
        with _log_of(path).open("rb") as file:
            header = file.read(WAL_HEADER)
            size = os.fstat(file.fileno()).st_size
            last = 0
            frames = range(WAL_HEADER, size - WAL_FRAME, WAL_FRAME + PAGE)
            for number, at in enumerate(frames, 1):
                file.seek(at)
                frame = file.read(WAL_FRAME)
                if _is_of_log(frame[8:16], header[16:24]):
                    last = number if any(frame[4:8]) else last
                elif number == 1 and not _is_begun_anew(header[16:24], frame[8:16]):
                    return 1
            return last
    except FileNotFoundError:
        return 0


def _is_of_log(salts: bytes, of_log: bytes) -> bool:
    """Whether a frame was written since the log was last begun, which changes both its salts.

    One of the two is enough: in the other a byte may not be what it was.
    """
    return salts[:4] == of_log[:4] or salts[4:] == of_log[4:]


def _is_begun_anew(salts: bytes, before: bytes) -> bool:
    """Whether a log has a new header and nothing else yet, by the salts of header and frame.

    SQLite counts the first salt on and draws the second anew, which no flipped bit does.
    """
    old, new = (int.from_bytes(salt[:4], "big") for salt in (before, salts))
    return new == (old + 1) % (1 << 32) and salts[4:] != before[4:]


def _judged(error: sqlite3.Error) -> Exception:
    return DamagedError(type(error).__name__) if is_damage(error) else error
