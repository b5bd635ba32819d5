"""What a round of refreshing finds changed since the last: that, and what is made of it, is built.

Kept in memory alone: whoever begins anew builds everything once. So does the first round of a day,
since labels come of age, and any round after something else than landing had a hand in the home.

All of silver reads the ledger. So that it is not built for each batch, new lines of the ledger are
asked whose they are: a table is touched by a line of it, too, though its file was seen earlier.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Self

import pyarrow.parquet as pq

from loaders.contracts import load_contracts
from loaders.home import Home
from loaders.project import PROJECT

LEDGER = "landing_ledger"


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a build reads, by when it last changed; `tables` are those of bronze."""

    tables: dict[str, int]
    ledger: frozenset[Path]
    seeds: int
    vault: int
    day: date

    @classmethod
    def of(cls, home: Home) -> Self:
        """As they are now. What lands from here on is seen by the next look."""
        tables = (table for table in home.bronze.iterdir() if table.name in load_contracts())
        return cls(
            # A file comes into a folder, or goes, by a change of the folder.
            {table.name: _newest([table, *table.glob("ingest_date=*")]) for table in tables},
            frozenset((home.bronze / LEDGER).glob("*/*.parquet")),
            _newest((PROJECT / "seeds").rglob("*.csv")),
            _newest([home.vault]),
            datetime.now(UTC).date(),
        )

    def touched_since(self, before: Inputs) -> list[str] | None:
        """The tables that changed since then; None where more than tables did."""
        if (self.seeds, self.vault, self.day) != (before.seeds, before.vault, before.day):
            return None
        if not before.ledger <= self.ledger:
            return None  # what was merged into one file is of all tables
        changed = {table for table, _ in self.tables.items() ^ before.tables.items()}
        try:
            return sorted(changed | _tables_of(self.ledger - before.ledger))
        except FileNotFoundError:
            return None  # merged since it was seen


def _tables_of(files: Iterable[Path]) -> set[str]:
    """The tables of which files of the ledger have lines."""
    read = (pq.ParquetFile(file).read(["table_name"]) for file in files)
    return {table for lines in read for table in lines["table_name"].unique().to_pylist()}


def last_hand(home: Home) -> tuple[str, int]:
    """Who had the turn last, and when the warehouse changed: another one's work changes this."""
    turn = home.path / "refresh.lock"
    return turn.read_text(encoding="utf-8") if turn.exists() else "", _newest([home.warehouse])


def _newest(paths: Iterable[Path]) -> int:
    """When any of these changed last, in nanoseconds; those that are gone do not count."""
    return max((path.stat().st_mtime_ns for path in paths if path.exists()), default=0)
