"""Records found in the files of a damaged spool, without SQLite.

Every frame is looked for by its first bytes, in the file and in its log, and counts if its checksum
is right. One that is longer than a page goes on in others, linked as SQLite links them.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

from loaders.collector.frames import HEAD_BYTES, MAGIC, Record, decode, length
from loaders.collector.store import NAME, PAGE, WAL_FRAME, WAL_HEADER

# Constants of SQLite's file format: what a leaf of a table keeps of a long record.
_MOST, _LEAST = PAGE - 35, (PAGE - 12) * 32 // 255 - 23
_STEP = PAGE - 4  # of a page that goes on, all but the number of the next

Found = dict[tuple[str, str], dict[int, bytes]]


def find_records(folder: Path) -> Found:
    """Frames by table and source, and there by number. Of what was drained, some may be there."""
    found: Found = {}
    files = [_read(folder / name) for name in (NAME, NAME + "-wal")]
    pages = _Pages(*files)
    for data in files:
        for frame in _frames(data, pages):
            record = decode(frame)
            if record is not None:
                stream = (record.origin.table, record.origin.source)
                found.setdefault(stream, {})[record.sequence] = frame
    return found


def record_of(frame: bytes) -> Record:
    """The record of a frame that was found."""
    record = decode(frame)
    assert record is not None
    return record


def _read(path: Path) -> mmap.mmap | bytes:
    if not path.exists() or not path.stat().st_size:
        return b""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _frames(data: mmap.mmap | bytes, pages: _Pages) -> Iterator[bytes]:
    place = data.find(MAGIC)
    while place >= 0:
        size = length(data[place : place + HEAD_BYTES])
        if size is not None and size < len(data) + PAGE:
            whole = data[place : place + size]
            yield whole if decode(whole) else pages.joined(data, place, size)
        place = data.find(MAGIC, place + 1)


class _Pages:
    """The pages of the file, the newest first: those in the log, then the file's own."""

    def __init__(self, file: mmap.mmap | bytes, log: mmap.mmap | bytes) -> None:
        self._file, self._log = file, log
        self._in_log: dict[int, int] = {}
        for at in range(WAL_HEADER, len(log) - WAL_FRAME - PAGE + 1, WAL_FRAME + PAGE):
            self._in_log[int.from_bytes(log[at : at + 4], "big")] = at + WAL_FRAME

    def joined(self, data: mmap.mmap | bytes, place: int, size: int) -> bytes:
        """A frame that goes on in other pages; b"" where it does not."""
        header = 2 + _varint_bytes(2 * size + 12)
        payload = header + size
        if payload <= _MOST:
            return b""
        local = _LEAST + (payload - _LEAST) % _STEP
        here = (local if local <= _MOST else _LEAST) - header
        frame = bytearray(data[place : place + here])
        following = int.from_bytes(data[place + here : place + here + 4], "big")
        while following and len(frame) < size:
            page = self._page(following)
            if len(page) < PAGE:
                return b""
            frame += page[4:]
            following = int.from_bytes(page[:4], "big")
        return bytes(frame[:size])

    def _page(self, number: int) -> bytes:
        at = self._in_log.get(number)
        if at is not None:
            return self._log[at : at + PAGE]
        return self._file[(number - 1) * PAGE : number * PAGE]


def _varint_bytes(value: int) -> int:
    return max(1, -(-value.bit_length() // 7))
