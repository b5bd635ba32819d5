"""Values that are encoded within longer texts: found by what they share, then decoded to be sure.

Base64 has no edge at a byte, so of a value only its whole groups of three can be looked for, and
these are of other values too: `customer-1` begins as `customer-2` does.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

# Shorter values would be found in texts of anybody; they are looked for in their own columns alone.
SHORTEST = 6
_AROUND = 8  # characters beside what was found, to see the edges of the value
_BASE64 = re.compile(rb"[A-Za-z0-9+/]+")
_HEX = re.compile(rb"[0-9A-Fa-f]+")


def encoded_forms(text: str) -> list[str]:
    """Hex, and base64 at any place of a longer text, as far as it is the same in all of them."""
    data = text.encode()
    found = [data.hex()]
    for before in range(3):
        whole = len(data) + before - (len(data) + before) % 3
        encoded = base64.b64encode(bytes(before) + data[: whole - before]).decode()
        found.append(encoded[4 if before else 0 :])
    return [form for form in found if len(form) >= SHORTEST]


def decoded(data: bytes, forms: list[str]) -> Iterator[bytes]:
    """What is said, and a little of what is around it, wherever one of the forms is in the data."""
    any_form = re.compile("|".join(map(re.escape, forms)).encode(), re.IGNORECASE)
    reach = max(map(len, forms)) + _AROUND
    for match in any_form.finditer(data):
        begin = max(0, match.start() - reach)
        window = data[begin : match.end() + reach].translate(bytes.maketrans(b"-_", b"+/"))
        place = match.start() - begin
        for alphabet, shifts, decode in ((_BASE64, 4, _of_base64), (_HEX, 2, _of_hex)):
            for run in alphabet.finditer(window):
                if run.start() <= place < run.end():
                    yield from (decode(run[0][shift:]) for shift in range(shifts))


def _of_base64(text: bytes) -> bytes:
    """Also of one that is cut off, whose last group is not whole."""
    if len(text) % 4 == 1:
        text = text[:-1]
    return base64.b64decode(text + b"=" * (-len(text) % 4))


def _of_hex(text: bytes) -> bytes:
    return binascii.unhexlify(text[: len(text) // 2 * 2])
