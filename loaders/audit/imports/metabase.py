"""Metabase's log: the table `query_execution` of its application database, as an export of it.

docs/audit.md has the statement that makes the export. Metabase's own hash stands for the query, so
its text never leaves Metabase.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

from loaders.audit.imports import Record
from loaders.errors import AssayError
from loaders.home import connect, quote

SOURCE = "metabase"
_COLUMNS = {
    "id": "bigint",
    "hash": "varchar",
    "started_at": "timestamptz",
    "running_time": "bigint",
    "result_rows": "bigint",
    "context": "varchar",
    "executor_id": "bigint",
    "is_failed": "boolean",
}
_ENDING = "-download"
# What nobody asked: Metabase runs its alerts and subscriptions by itself.
NOBODY = "metabase:system"


def records_of(file: Path) -> Iterator[Record]:
    """The records of an export, a CSV or Parquet file. Raises AssayError."""
    reader = "read_parquet" if file.suffix == ".parquet" else "read_csv"
    options = "" if file.suffix == ".parquet" else ", header = true, all_varchar = true"
    with connect() as connection:
        try:
            found = connection.sql(f"from {reader}({quote(str(file))}{options})")
            if lacking := sorted(_COLUMNS.keys() - set(found.columns)):
                raise AssayError(
                    f"{file.name} lacks the columns {', '.join(lacking)}. Export them as "
                    "docs/audit.md says."
                )
            columns = [f"try_cast({name} as {kind}) as {name}" for name, kind in _COLUMNS.items()]
            rows = found.select(", ".join(columns)).to_arrow_table().to_pylist()
        except duckdb.Error as error:
            raise AssayError(
                f"{file.name} cannot be read ({type(error).__name__}). Export it as docs/audit.md "
                "says, as CSV with a header or as Parquet."
            ) from None
    for number, row in enumerate(rows, 1):
        if row["id"] is None or row["started_at"] is None:
            raise AssayError(
                f"{file.name}, row {number}: no id, or no time with its zone. Nothing was imported."
            )
        yield _record(row)


def _record(row: dict[str, Any]) -> Record:
    context = row["context"] or ""
    person = row["executor_id"]
    return Record(
        record_id=str(row["id"]),
        user_id=NOBODY if person is None else f"metabase:{person}",
        happened_at=row["started_at"],
        text=row["hash"],
        rows=row["result_rows"],
        export_format=context.removesuffix(_ENDING) if context.endswith(_ENDING) else None,
        duration_ms=row["running_time"],
        has_failed=bool(row["is_failed"]),
    )
