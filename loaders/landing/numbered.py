"""Who numbered a record that was refused, and how, as far as that may be kept.

A refused record was not validated, so what it calls its producer may be anything. Only a plain name
is kept, which no sentence, mail address, number or JSON is.
"""

from __future__ import annotations

import re
from typing import Any

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,127}")
_DIGITS = re.compile(r"[0-9]{1,19}")
_MAX = (1 << 63) - 1


def numbered(producer: Any, sequence: Any) -> tuple[str | None, int | None]:
    """The producer and its number as sent, or None for what is none. No number without a name."""
    if not isinstance(producer, str) or not _PLAIN.fullmatch(producer):
        return None, None
    return producer, _whole(sequence)


def _whole(sent: Any) -> int | None:
    if isinstance(sent, str):
        sent = int(sent) if _DIGITS.fullmatch(sent) else None
    if isinstance(sent, float) and sent.is_integer():
        sent = int(sent)
    is_number = isinstance(sent, int) and not isinstance(sent, bool)
    return sent if is_number and 0 <= sent <= _MAX else None
