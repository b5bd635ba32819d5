"""Cut bytes into records without understanding them.

Framing never loses a byte: whatever is between two boundaries is a record, and what it means is for
validation to say. It fails only where a record has no end for so long that memory is at stake. The
boundaries are found with numpy over whole blocks, so no record costs a step of Python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

BLOCK_BYTES = 32 << 20
# Far above what validation accepts: such a record is refused and kept; one that is longer is not
# read into memory at all.
MAX_OPEN_BYTES = 32 << 20

_NEWLINE, _RETURN, _QUOTE, _BACKSLASH, _COMMA = b'\n\r"\\,'


class EndlessRecordError(Exception):
    """A record is longer than what may be held in memory."""


class Readable(Protocol):
    """What framing needs of a stream."""

    def read(self, size: int = -1, /) -> bytes: ...


Positions = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Frames:
    """Records of one block: `data[starts[i]:ends[i]]` began on line `lines[i]` of the file."""

    data: bytes
    starts: Positions
    ends: Positions
    lines: Positions

    def __len__(self) -> int:
        return len(self.starts)

    def raw(self, index: int) -> bytes:
        """The bytes of one record, without what separates it from the next."""
        return self.data[self.starts[index] : self.ends[index]]

    def texts(self) -> pa.LargeStringArray:
        """The records as text, null where they are not UTF-8."""
        offsets = np.concatenate(([0], np.cumsum(self.ends - self.starts))).astype(np.int64)
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(self.joined())]
        array = pa.Array.from_buffers(pa.large_string(), len(self), buffers)
        try:
            array.validate(full=True)
        except pa.ArrowInvalid:
            return pa.array(
                [_decoded(self.raw(i)) for i in range(len(self))], type=pa.large_string()
            )
        return array

    def joined(self) -> bytes:
        """The records one after the other."""
        if np.array_equal(self.starts[1:], self.ends[:-1]):
            return self.data[self.starts[0] : self.ends[-1]]
        return b"".join(self.raw(i) for i in range(len(self)))

    def where(self, keep: npt.NDArray[np.bool_]) -> Frames:
        """The records for which `keep` is true."""
        return Frames(self.data, self.starts[keep], self.ends[keep], self.lines[keep])


def lines(stream: Readable) -> Iterator[Frames]:
    """One record per line; blank lines are none."""
    return _framed(stream, lambda block: np.flatnonzero(block == _NEWLINE))


def csv_records(stream: Readable) -> Iterator[Frames]:
    """One record per line, where a line break inside double quotes does not end it (RFC 4180)."""

    def boundaries(block: Bytes) -> Positions:
        return outside_quotes(block, np.flatnonzero(block == _NEWLINE))

    # A line of tabs is a row of empty fields.
    return _framed(stream, boundaries, b" \r\n")


def array_elements(stream: Readable) -> Iterator[Frames]:
    """One record per element of a JSON array; `lines` counts elements, not lines."""
    carry, element, opened = b"", 1, False
    while True:
        chunk = stream.read(BLOCK_BYTES)
        data = carry + chunk
        if not opened:
            bracket = data.find(b"[")
            if bracket < 0 and chunk:
                carry = _held(data)
                continue
            opened, data = True, data[bracket + 1 :]
        ends, closed = _element_ends(np.frombuffer(data, np.uint8))
        if closed is not None:
            ends = np.append(ends, closed)
        elif not chunk:
            ends = np.append(ends, len(data))
        starts = np.concatenate(([0], ends[:-1] + 1)).astype(np.int64)
        if len(ends):
            numbers = element + np.arange(len(ends), dtype=np.int64)
            yield _without_blanks(Frames(data, starts, ends, numbers))
            element += len(ends)
            carry = _held(data[ends[-1] + 1 :])
        else:
            carry = _held(data)
        if closed is not None:
            while more := stream.read(BLOCK_BYTES):
                carry = _held(carry + more)
            rest = carry.strip()
            if rest:
                yield Frames(rest, *_whole(rest), np.array([element]))
            return
        if not chunk:
            return


def outside_quotes(block: Bytes, positions: Positions) -> Positions:
    """Those of the positions that have an even number of double quotes before them."""
    quotes = np.flatnonzero(block == _QUOTE)
    is_outside = np.searchsorted(quotes, positions) & 1 == 0
    return np.asarray(positions[is_outside], dtype=np.int64)


def _framed(
    stream: Readable, boundaries: Callable[[Bytes], Positions], white: bytes = b" \t\r\n"
) -> Iterator[Frames]:
    carry, line = b"", 1
    while True:
        chunk = stream.read(BLOCK_BYTES)
        data = carry + chunk
        block = np.frombuffer(data, np.uint8)
        breaks = boundaries(block)
        if not chunk and len(data) and (not len(breaks) or breaks[-1] != len(data) - 1):
            breaks = np.append(breaks, len(data) - 1)
        if len(breaks):
            ends = breaks + 1
            starts = np.concatenate(([0], ends[:-1])).astype(np.int64)
            newlines = np.flatnonzero(block == _NEWLINE)
            lines_before = np.searchsorted(newlines, starts)
            yield _without_blanks(Frames(data, starts, ends, line + lines_before), white)
            line += int(np.searchsorted(newlines, ends[-1]))
            carry = _held(data[ends[-1] :])
        else:
            carry = _held(data)
        if not chunk:
            return


def _held(carry: bytes) -> bytes:
    """The beginning of a record whose end is still to be read, as long as there is room for it."""
    if len(carry) > MAX_OPEN_BYTES:
        raise EndlessRecordError
    return carry


def _without_blanks(frames: Frames, white: bytes = b" \t\r\n") -> Frames:
    """Drop records of white space only. Those that begin with it are the only ones to look at."""
    block = np.frombuffer(frames.data or b" ", np.uint8)
    first = block[np.minimum(frames.starts, len(block) - 1)]
    begin_white = np.isin(first, np.frombuffer(white, np.uint8))
    begin_white |= frames.starts == frames.ends
    blank = [i for i in np.flatnonzero(begin_white) if not frames.raw(int(i)).strip(white)]
    if not blank:
        return frames
    keep = np.ones(len(frames), dtype=np.bool_)
    keep[blank] = False
    return frames.where(keep)


def _element_ends(block: Bytes) -> tuple[Positions, int | None]:
    """Positions of the commas between elements, and of the bracket that closes the array."""
    where = np.arange(len(block), dtype=np.int32)
    quotes = block == _QUOTE
    escapes = block == _BACKSLASH
    if escapes.any():
        # A quote is escaped when the run of backslashes before it has an odd length.
        last_other = np.maximum.accumulate(np.where(escapes, np.int32(-1), where))
        run = np.concatenate(([0], (where - last_other)[:-1]))
        quotes &= run & 1 == 0
    outside = (np.cumsum(quotes, dtype=np.int32) & 1 == 0) & ~quotes
    opens = outside & ((block == ord("{")) | (block == ord("[")))
    closes = outside & ((block == ord("}")) | (block == ord("]")))
    depth = np.cumsum(opens.view(np.int8) - closes.view(np.int8), dtype=np.int32)
    ended = np.flatnonzero(depth < 0)
    commas = np.flatnonzero(outside & (block == _COMMA) & (depth == 0))
    if len(ended):
        return commas[commas < ended[0]], int(ended[0])
    return commas, None


def _whole(data: bytes) -> tuple[Positions, Positions]:
    return np.array([0]), np.array([len(data)])


def _decoded(raw: bytes) -> str | None:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
