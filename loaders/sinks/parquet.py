"""The sink of the embedded home: a Parquet file per batch and table, read by DuckDB.

`assay compact` merges them later (loaders/compaction).
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from loaders.compaction.switch import undisturbed
from loaders.contracts import contract_of
from loaders.durable import durable_rename, fsync_folder
from loaders.errors import AssayError
from loaders.home import Home, bronze_reader, damaged_file, lacking
from loaders.retention.edges import expired_to
from loaders.sinks.batch_files import BATCH, files_with, read_batch
from loaders.sinks.protocol import LEDGER, files_in_order


class ParquetSink:
    """Moves the files of a batch into `bronze/<table>/ingest_date=…/`."""

    def __init__(self, home: Home) -> None:
        self.home = home

    def schema(self, table: str) -> pa.Schema:
        return contract_of(table).arrow_schema

    def shaped(self, table: str, rows: pa.Table, day: date) -> pa.Table:
        return rows  # the folder's name says the day

    def streams(self, rows: pa.Table) -> bool:
        return False  # a rename is as prompt as can be

    def publish(self, committed: Path) -> None:
        for file in files_in_order(committed):
            target = self.home.bronze / file.relative_to(committed)
            target.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):  # another process was faster
                durable_rename(file, target)
                fsync_folder(target.parent.parent)
        shutil.rmtree(committed, ignore_errors=True)

    def is_landed(self, batch_id: str) -> bool:
        return bool(self.rows(LEDGER, batch_id, [BATCH]))

    def rows(
        self, table: str, batch_id: str, columns: Sequence[str] | None = None
    ) -> list[dict[str, Any]]:
        with undisturbed(self.home.bronze, is_short=True):
            for file in files_with(self.home.bronze / table, batch_id):
                try:
                    rows = read_batch(file, batch_id, columns).to_pylist()
                except (pa.ArrowException, OSError) as error:
                    raise damaged_file(self.home, file, error) from None
                if rows:
                    return list(rows)
        return []

    def query(self, tables: Iterable[str], sql: str, **parameters: Any) -> pa.Table:
        with bronze_reader(self.home, *tables) as connection:
            try:
                return connection.sql(sql, params=parameters).to_arrow_table()
            except duckdb.BinderException:
                missing = lacking(self.home)
                if missing is None:
                    raise
                raise AssayError(missing) from None

    def held(self, table: str) -> str:
        # Files stay until `assay retain` takes them away.
        last = expired_to(self.home).get(table)
        return f"ingest_date > date '{last}'" if last else "true"
