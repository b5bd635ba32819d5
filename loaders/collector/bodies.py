"""What a request carries: unpacked without being flooded, and cut into events."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

MAX_BODY_BYTES = 10_000_000
MAX_EVENTS = 10_000
_CODECS = {"gzip": "gzip", "x-gzip": "gzip", "zstd": "zstd"}
_MARK = b"\xef\xbb\xbf"
# In C, because a body may hold millions of either.
_LINE, _BLANKS = re.compile(rb"[^\n]+"), re.compile(r"[ \t\r\n]*")
_UNREADABLE = object()


class BodyError(Exception):
    """The body as a whole is refused: with a status, a code of the seed, and what to do."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def unpacked(body: bytes, encoding: str, limit: int = MAX_BODY_BYTES) -> bytes:
    """The body without its Content-Encoding. Never holds more than the limit and a block."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        plain = body
    elif name in _CODECS:
        try:
            with pa.CompressedInputStream(pa.BufferReader(body), _CODECS[name]) as stream:
                plain = stream.read(limit + 1)
        except OSError:
            raise BodyError(
                400, "payload_malformed", "The body cannot be unpacked to its end. Send it again."
            ) from None
    else:
        raise BodyError(415, "MEDIA_TYPE_UNSUPPORTED", "Send the body plain, or in gzip or zstd.")
    if len(plain) > limit:
        raise too_large(limit)
    return plain


def too_large(limit: int) -> BodyError:
    return BodyError(
        413, "size_violation", f"A body holds at most {limit} bytes unpacked. Send smaller batches."
    )


def events_of(body: bytes, is_lines: bool, limit: int = MAX_EVENTS) -> Iterator[tuple[bytes, Any]]:
    """Each event's bytes as sent, and its value; `UNREADABLE` stands for what is no JSON.

    A JSON array is read whole or not at all. Of lines, each stands for itself.
    """
    found = _lines(body) if is_lines else _elements(body)
    for number, event in enumerate(found):
        if number == limit:
            raise BodyError(
                413, "size_violation", f"A body holds at most {limit} events. Send smaller batches."
            )
        yield event


def is_unreadable(value: Any) -> bool:
    return value is _UNREADABLE


def _lines(body: bytes) -> Iterator[tuple[bytes, Any]]:
    for line in _LINE.finditer(body, len(_MARK) if body.startswith(_MARK) else 0):
        raw = line[0].removesuffix(b"\r")
        if not raw.isspace():
            yield raw, _value(raw)


def _value(raw: bytes) -> Any:
    try:
        return _DECODER.decode(raw.decode())
    except (ValueError, RecursionError):
        return _UNREADABLE


def _elements(body: bytes) -> Iterator[tuple[bytes, Any]]:
    malformed = BodyError(
        400, "payload_malformed", "The body is no JSON array. Nothing of it was stored."
    )
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise malformed from None
    place = _next(text, 0)
    if text[place : place + 1] != "[":
        raise malformed
    place = _next(text, place + 1)
    if text[place : place + 1] == "]" and _next(text, place + 1) == len(text):
        return
    while True:
        try:
            value, end = _DECODER.raw_decode(text, place)
        except (ValueError, RecursionError):
            raise malformed from None
        yield text[place:end].encode(), value
        place = _next(text, end)
        sign = text[place : place + 1]
        if sign == "]" and _next(text, place + 1) == len(text):
            return
        if sign != ",":
            raise malformed
        place = _next(text, place + 1)


def _next(text: str, place: int) -> int:
    """The next sign that is not blank."""
    found = _BLANKS.match(text, place)
    return found.end() if found else place


def _no_constant(_: str) -> None:
    raise ValueError  # NaN and infinities are no JSON


_DECODER = json.JSONDecoder(parse_constant=_no_constant)
