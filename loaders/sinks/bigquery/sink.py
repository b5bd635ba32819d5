"""The sink of a home that lands on BigQuery: load jobs for files, streams for what is prompt.

A load job per file of a batch, the ledger's last. The id of a job is made of table and batch, and
BigQuery runs an id once. So a batch that was cut short anywhere is completed by whoever comes next,
from whatever home, and nothing of it is loaded twice. Ids are remembered for six months; whether a
batch is landed is what the ledger says. Load jobs are few, slow and free; batches that cannot wait
go by stream (`Streams`), which the name of their committed folder says.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from google.cloud import bigquery

from loaders.contracts import contract_of
from loaders.home import Home
from loaders.retention.periods import letter_days
from loaders.sinks.bigquery import schemas
from loaders.sinks.bigquery.appends import fit
from loaders.sinks.bigquery.service import Service
from loaders.sinks.bigquery.stream import Streams
from loaders.sinks.bigquery.tables import Tables
from loaders.sinks.protocol import LEDGER, STREAMED, files_in_order


class BigQuerySink:
    """Moves the files of a batch into the bronze dataset."""

    def __init__(self, home: Home) -> None:
        self._service = service_of(home)
        self._tables = Tables(self._service, home)
        self._home = home

    def schema(self, table: str) -> pa.Schema:
        return schemas.arrow_schema(contract_of(table))

    def shaped(self, table: str, rows: pa.Table, day: date) -> pa.Table:
        days = pa.repeat(pa.scalar(day, pa.date32()), rows.num_rows)
        return pa.Table.from_arrays([*rows.columns, days], schema=self.schema(table))

    def streams(self, rows: pa.Table) -> bool:
        return fit(rows)

    def publish(self, committed: Path) -> None:
        if committed.suffix == STREAMED:
            Streams(self._tables, self._home).publish(committed)
            return
        for file in files_in_order(committed):
            try:
                self._load(file)
            except FileNotFoundError:  # another process was faster
                continue
            file.unlink(missing_ok=True)
        shutil.rmtree(committed, ignore_errors=True)

    def is_landed(self, batch_id: str) -> bool:
        return bool(self.rows(LEDGER, batch_id, ["batch_id"]))

    def rows(
        self, table: str, batch_id: str, columns: Sequence[str] | None = None
    ) -> list[dict[str, Any]]:
        wanted = ", ".join(columns) if columns else "*"
        sql = f"select {wanted} from bronze.{table} where batch_id = $batch_id"
        return list(self._service.query(sql, batch_id=batch_id).to_pylist())

    def query(self, tables: Iterable[str], sql: str, **parameters: Any) -> pa.Table:
        return self._service.query(sql, **parameters)

    def held(self, table: str) -> str:
        # A partition goes when its day is so long ago.
        since = datetime.now(UTC).date() - timedelta(days=letter_days(table, {}))
        return f"ingest_date > date '{since}'"

    def _load(self, file: Path) -> None:
        """Load the file `<table>/ingest_date=…/<batch>.parquet` of a committed batch."""
        table, batch_id = file.parts[-3], file.stem
        call = self._tables.call(table, batch_id)
        there = self._tables.fitting(table, call)
        # A table that was dropped and made anew has forgotten what the jobs of the old one loaded.
        made = f"{there.created:%Y%m%dT%H%M%S%f}" if there.created else "0"
        self._service.load(
            lambda: file.open("rb"),
            there,
            f"assay_{self._tables.dataset}_{table}_{made}_{batch_id}",
            bigquery.LoadJobConfig(write_disposition=bigquery.WriteDisposition.WRITE_APPEND),
            call,
        )


def service_of(home: Home) -> Service:
    """The service of a home that lands on BigQuery."""
    target = home.bigquery
    assert target is not None
    return Service(target, home.residency)
