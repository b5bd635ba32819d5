"""What a statement did."""

from __future__ import annotations

from dataclasses import dataclass

from .googlesql import Rows
from .warehouse import TableName


@dataclass(frozen=True)
class Outcome:
    """What a statement did. The type and the operation are words of the REST protocol."""

    statement_type: str
    rows: Rows | None = None
    affected: int | None = None
    target: TableName | None = None
    operation: str | None = None
