"""Quarters of a year, the closed periods of releases."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

from loaders.errors import AssayError


@dataclass(frozen=True, slots=True)
class Quarter:
    """A quarter, in UTC."""

    year: int
    number: int

    def __str__(self) -> str:
        return f"{self.year}-Q{self.number}"

    @property
    def first(self) -> date:
        return date(self.year, self.number * 3 - 2, 1)

    @property
    def end(self) -> date:
        """The day after it."""
        return Quarter(self.year + self.number // 4, self.number % 4 + 1).first

    @property
    def end_instant(self) -> datetime:
        return datetime(self.end.year, self.end.month, 1, tzinfo=UTC)


def quarter_of(text: str) -> Quarter:
    """What `2026-Q1` means. Raises AssayError."""
    found = re.fullmatch(r"(20\d\d)-Q([1-4])", text)
    if not found:
        raise AssayError("That is no period of a release. Give a quarter, such as 2026-Q1.")
    return Quarter(int(found[1]), int(found[2]))
