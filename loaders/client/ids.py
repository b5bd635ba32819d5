"""Ids that sort by the time they were made, as UUIDs of version 7 (RFC 9562)."""

from __future__ import annotations

import os
import time


def uuid7() -> str:
    """48 bits of milliseconds since 1970, then 74 random bits, written as a UUID."""
    number = int.from_bytes(os.urandom(10), "big") | (time.time_ns() // 1_000_000 << 80)
    number = number & ~(0xF << 76) | (0x7 << 76)
    number = number & ~(0x3 << 62) | (0x2 << 62)
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
