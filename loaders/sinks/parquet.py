"""The sink of the embedded home: one immutable Parquet file per batch and table, read by DuckDB."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from loaders.contracts import contract_of
from loaders.durable import durable_rename, fsync_folder
from loaders.home import Home, bronze_reader
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
        return any(self._files(LEDGER, batch_id))

    def rows(
        self, table: str, batch_id: str, columns: Sequence[str] | None = None
    ) -> list[dict[str, Any]]:
        wanted = list(columns) if columns else None
        return [
            row
            for file in self._files(table, batch_id)
            for row in pq.ParquetFile(file).read(wanted).to_pylist()
        ]

    def query(self, tables: Iterable[str], sql: str, **parameters: Any) -> pa.Table:
        with bronze_reader(self.home, *tables) as connection:
            return connection.sql(sql, params=parameters).to_arrow_table()

    def held(self, retention_days: int) -> str:
        return "true"  # files stay until somebody takes them away

    def _files(self, table: str, batch_id: str) -> Iterable[Path]:
        return (self.home.bronze / table).glob(f"ingest_date=*/{batch_id}.parquet")
