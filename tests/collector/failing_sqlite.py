"""SQLite on a disk that fails: writes and syncs of a spool's files that can be broken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

FULL, WRITE_FAILED, SYNC_FAILED = 13, 10 | 3 << 8, 10 | 4 << 8


@dataclass
class Disk:
    """Counts operations, and asks `fails(number, operation)` for SQLite's code of the failure."""

    fails: Callable[[int, str], int] = lambda _number, _operation: 0
    operations: list[str] = field(default_factory=list)

    def before(self, operation: str, _path: Path) -> int:
        self.operations.append(operation)
        return self.fails(len(self.operations), operation)

    def after(self, operation: str, path: Path) -> None:
        """Nothing is to be known."""
