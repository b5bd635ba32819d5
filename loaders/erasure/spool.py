"""A person in what a collector has taken and not landed yet."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pyarrow as pa

from loaders.collector import store
from loaders.collector.frames import Event, decode, encode
from loaders.erasure.subject import Subject
from loaders.errors import AssayError
from loaders.home import Home
from loaders.leases import BusyError, leased

CODE = "erased"
_DRAIN_SECONDS = 60.0
_POLL_SECONDS = 0.2


def erase(home: Home, subject: Subject) -> int:
    """Take the bytes of a person's records, which then land as dead letters without any.

    Where a collector is at work, wait until all that it has by now has landed, and is to be found
    in bronze. Returns how many records were emptied.
    """
    root = home.path / "spool"
    if not root.exists():
        return 0
    if any(root.glob("*.damaged")):
        raise AssayError(
            "A damaged spool waits to be read again. Start assay collect, so that it lands, and "
            "erase again."
        )
    try:
        with leased(root, wait=False):
            return sum(_emptied(folder / store.NAME, subject) for folder in _spools(root))
    except BusyError:
        for folder in _spools(root):
            _await_drain(folder / store.NAME)
        return 0


def _spools(root: Path) -> list[Path]:
    return [f for f in store.live_folders(root) if (f / store.NAME).exists()]


def _emptied(path: Path, subject: Subject) -> int:
    connection = store.open_store(path.parent)
    try:
        connection.execute("begin immediate")
        frames = connection.execute("select key, frame from records").fetchall()
        records = [decode(frame) for _, frame in frames]
        texts = [
            record.event.raw if record else frame
            for (_, frame), record in zip(frames, records, strict=True)
        ]
        holds = subject.in_bytes(pa.array(texts, pa.large_binary())).to_pylist()
        mine = []
        for (key, _), record, is_held in zip(frames, records, holds, strict=True):
            if is_held and record is None:
                raise AssayError(
                    "A damaged record of the spool holds the value. Start assay collect, so "
                    "that it is set aside, and erase again."
                )
            if is_held and record:
                event = record.event
                empty = Event(None, CODE, producer=event.producer, sequence=event.sequence)
                mine.append((encode(record.sequence, record.origin.encoded(), empty), key))
        if mine:
            connection.executemany("update records set frame = ? where key = ?", mine)
        connection.execute("commit")
        _cleared(connection)
        return len(mine)
    finally:
        connection.close()


def _await_drain(path: Path) -> None:
    """Until every record that is there now has landed and is forgotten."""
    connection = store.connect(path)
    try:
        last = _last_keys(connection)
        deadline = time.monotonic() + _DRAIN_SECONDS
        while any(
            connection.execute(
                "select 1 from records where key between ? and ? limit 1",
                [store.key_of(stream, 0), key],
            ).fetchone()
            for stream, key in last
        ):
            if time.monotonic() > deadline:
                raise AssayError(
                    f"What the collector holds has not landed for {_DRAIN_SECONDS:.0f} s. Look at "
                    "its log, or end it, and erase again."
                )
            time.sleep(_POLL_SECONDS)
        _cleared(connection)
    finally:
        connection.close()


def _last_keys(connection: sqlite3.Connection) -> list[tuple[int, int]]:
    return [
        (stream.number, store.key_of(stream.number, stream.next_number - 1))
        for stream in store.streams(connection)
    ]


def _cleared(connection: sqlite3.Connection) -> None:
    """Empty the log, which keeps what was written before."""
    deadline = time.monotonic() + _DRAIN_SECONDS
    while connection.execute("pragma wal_checkpoint(truncate)").fetchone()[0]:
        if time.monotonic() > deadline:
            raise AssayError("The spool's log is in use all the time. Erase again.")
        time.sleep(_POLL_SECONDS)
