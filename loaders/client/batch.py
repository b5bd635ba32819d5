"""A batch: what is sent in one request, and sent again as the same bytes under the same key."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Batch:
    """Events as JSON lines. `weight` is the memory they hold, 0 for those read from disk."""

    body: bytes
    events: int
    weight: int = 0
    path: Path | None = None

    @property
    def key(self) -> str:
        """32 hexadecimal digits that follow from the events, so that every process agrees."""
        return hashlib.sha256(self.body).hexdigest()[:32]

    def halves(self) -> tuple[Batch, Batch]:
        """The first and the second half of the events. There must be two at least."""
        lines = self.body.splitlines(keepends=True)
        middle = len(lines) // 2
        first, second = b"".join(lines[:middle]), b"".join(lines[middle:])
        weight = self.weight // 2
        return (
            Batch(first, middle, weight),
            Batch(second, len(lines) - middle, self.weight - weight),
        )
