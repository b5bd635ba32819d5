"""What of bronze is older than its period, and taking it away, file by file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from loaders.audit.expiry import TABLE as AUDIT_LOG
from loaders.audit.expiry import Expiry
from loaders.compaction.replace import alone, fitted, remove, rewrite
from loaders.contracts import contract_of, load_contracts
from loaders.home import Home
from loaders.retention.edges import Edges
from loaders.sinks.batch_files import files_of

_WAIT_SECONDS = 30.0

# Which rows of a block stay, as a mask.
Stays = Callable[[pa.Table], pa.Array]


@dataclass(slots=True)
class Due:
    """What goes of a table: rows and bytes of files, and the days they are of."""

    table: str
    first_day: date
    last_day: date
    rows: int = 0
    bytes: int = 0


def due_of(home: Home, edges: Edges, expiry: Expiry | None) -> list[Due]:
    """What would go, by table, with nothing changed."""
    found: dict[str, Due] = {}
    for table in load_contracts():
        for file, stays in _old_files(home, table, edges, expiry):
            rows, size = pq.read_metadata(file).num_rows, file.stat().st_size
            if stays is not None:
                going = rows - _rows_that_stay(file, table, stays).num_rows
                rows, size = going, size * going // max(rows, 1)
            if rows:
                day = _day_of(file)
                due = found.setdefault(table, Due(table, day, day))
                due.first_day, due.last_day = min(due.first_day, day), max(due.last_day, day)
                due.rows, due.bytes = due.rows + rows, due.bytes + size
    return list(found.values())


def expire(home: Home, edges: Edges, expiry: Expiry | None) -> None:
    """Take it away. A file goes whole, and is rewritten where rows of it stay."""
    with alone(home, _WAIT_SECONDS) as aside:
        for table, contract in load_contracts().items():
            whole: dict[Path, list[Path]] = {}
            for file, stays in _old_files(home, table, edges, expiry):
                rows = None if stays is None else _rows_that_stay(file, table, stays)
                if rows is None or not rows.num_rows:
                    whole.setdefault(file.parent, []).append(file)
                elif rows.num_rows < pq.read_metadata(file).num_rows:
                    rewrite(home.bronze, aside, file, rows, contract, _WAIT_SECONDS)
            for files in whole.values():
                remove(home.bronze, aside, files, _WAIT_SECONDS)


def _old_files(
    home: Home, table: str, edges: Edges, expiry: Expiry | None
) -> list[tuple[Path, Stays | None]]:
    """Files of which something is old, and which rows of them stay; None where all of it goes."""
    files = sorted(files_of(home.bronze / table))
    if table == AUDIT_LOG:
        if expiry is None:
            return []
        stays = _entries_that_stay(expiry)
        last = max(entry["ingested_at"].astimezone(UTC).date() for entry in expiry.entries)
        return [(file, stays) for file in files if _day_of(file) <= last]
    if table == "dead_letters":
        last = max(edges.letters.values())
        return [(f, _letters_that_stay(_day_of(f), edges)) for f in files if _day_of(f) <= last]
    return [(file, None) for file in files if _day_of(file) <= edges.rows[table]]


def _letters_that_stay(day: date, edges: Edges) -> Stays:
    """Letters of a table go with its rows, so those of one file may go at other times."""
    kept = pa.array([table for table, edge in edges.letters.items() if day > edge], pa.string())

    def stays(rows: pa.Table) -> pa.Array:
        return pc.is_in(rows["table_name"], value_set=kept)

    return stays


def _entries_that_stay(expiry: Expiry) -> Stays:
    def stays(rows: pa.Table) -> pa.Array:
        goes = pc.and_(
            pc.equal(rows["producer"], expiry.chain), pc.less_equal(rows["sequence"], expiry.last)
        )
        return pc.invert(goes)

    return stays


def _rows_that_stay(file: Path, table: str, stays: Stays) -> pa.Table:
    with pq.ParquetFile(file) as parquet:
        rows = fitted(parquet.read(), contract_of(table))
    return rows.filter(stays(rows))


def _day_of(file: Path) -> date:
    return date.fromisoformat(file.parent.name.removeprefix("ingest_date="))
