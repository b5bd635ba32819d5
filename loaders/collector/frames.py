"""Records of the spool as bytes that explain themselves.

A frame holds all there is to know of a record, and a checksum over it, so that it can be found and
read again in a file that no database opens any more.
"""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import asdict, dataclass
from functools import lru_cache

# No text has these bytes: 0x93 begins no character in UTF-8.
MAGIC = b"\x93ASY"
_HEAD = struct.Struct("<4sI")  # magic, CRC32 of all that follows
_BODY = struct.Struct("<QIHH")  # sequence, bytes of raw, of origin, of verdict
HEAD_BYTES = _HEAD.size + _BODY.size


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the events of one request come from. `received_at` is ISO 8601 in UTC."""

    table: str
    source: str
    token: str
    received_at: str
    trace_id: str
    tenant: str | None = None
    region: str | None = None
    idempotency_key: str | None = None

    def encoded(self) -> bytes:
        return json.dumps(asdict(self), separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Event:
    """One event as it was judged.

    `raw` is the event's own bytes, None where they must not be kept. `code` and `pointer` say why
    it was refused; `event_id`, `producer` and `sequence` are told of refused events alone. A record
    that stands for events which are known already has their number in `duplicates`, and no bytes.
    `digest` is equal for equal events; None is never a duplicate.
    """

    raw: bytes | None
    code: str | None = None
    pointer: str | None = None
    event_id: str | None = None
    duplicates: int = 0
    digest: bytes | None = None
    producer: str | None = None
    sequence: int | None = None

    def verdict(self) -> bytes:
        if self.code is None and not self.duplicates:
            return b""
        said = (self.code, self.pointer, self.event_id, self.duplicates, self.raw is not None)
        number = (self.producer, self.sequence) if self.producer else ()
        return json.dumps((*said, *number), separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Record:
    """What a frame holds."""

    sequence: int
    origin: Origin
    event: Event


def encode(sequence: int, origin: bytes, event: Event) -> bytes:
    """The frame of an event. `origin` is an encoded `Origin`."""
    raw, verdict = event.raw or b"", event.verdict()
    body = _BODY.pack(sequence, len(raw), len(origin), len(verdict)) + origin + verdict + raw
    return _HEAD.pack(MAGIC, zlib.crc32(body)) + body


def length(head: bytes) -> int | None:
    """How long the frame is that begins with these HEAD_BYTES bytes; None where they are none."""
    if len(head) < HEAD_BYTES or not head.startswith(MAGIC):
        return None
    _, of_raw, of_origin, of_verdict = _BODY.unpack_from(head, _HEAD.size)
    return int(HEAD_BYTES + of_raw + of_origin + of_verdict)


def decode(frame: bytes) -> Record | None:
    """The record of a frame, or None where a byte of it is not what it was."""
    if length(frame[:HEAD_BYTES]) != len(frame):
        return None
    body = memoryview(frame)[_HEAD.size :]
    if zlib.crc32(body) != _HEAD.unpack_from(frame)[1]:
        return None
    sequence, _, of_origin, of_verdict = _BODY.unpack_from(body)
    verdict = HEAD_BYTES + of_origin
    raw = frame[verdict + of_verdict :]
    origin = _origin(frame[HEAD_BYTES:verdict])
    if not of_verdict:
        return Record(sequence, origin, Event(raw))
    said = frame[verdict : verdict + of_verdict]
    code, pointer, event_id, duplicates, is_kept, *number = json.loads(said)
    event = Event(raw if is_kept else None, code, pointer, event_id, duplicates, None, *number)
    return Record(sequence, origin, event)


@lru_cache(maxsize=1024)  # the events of a request share one
def _origin(encoded: bytes) -> Origin:
    return Origin(**json.loads(encoded))
