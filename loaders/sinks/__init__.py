"""Sinks: where batches go, and where their rows are read again.

A batch is committed in the home, whatever the sink (loaders/bronze.py). From there the sink moves
it to where readers look. A sink that is to be added is one more file with the methods of `Sink`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from loaders.errors import AssayError
from loaders.home import Home

LEDGER = "landing_ledger"


class Sink(Protocol):
    """What landing and the books need of the place that holds bronze."""

    def schema(self, table: str) -> pa.Schema:
        """The schema of a batch's file of a table."""

    def shaped(self, table: str, rows: pa.Table, day: date) -> pa.Table:
        """Rows of the contract's schema as the sink's file has them; `day` is their partition."""

    def publish(self, committed: Path) -> None:
        """Move a committed batch to where readers look, its ledger last, and clear its folder.

        Repeats are harmless, also from several processes at once. Raises AssayError where the
        batch could not be moved; what is left in the folder is moved by the next call.
        """

    def is_landed(self, batch_id: str) -> bool:
        """Whether the ledger has the batch."""

    def rows(
        self, table: str, batch_id: str, columns: Sequence[str] | None = None
    ) -> list[dict[str, Any]]:
        """The rows that a batch has in a table; of all columns where none are named."""

    def query(self, tables: Iterable[str], sql: str, **parameters: Any) -> pa.Table:
        """The answer to SQL that both DuckDB and BigQuery speak, over `bronze.<table>`.

        `tables` are all that it reads. A parameter is written `$name`.
        """

    def held(self, retention_days: int) -> str:
        """The condition, in SQL, under which rows of this retention are still there for sure."""


def sink_of(home: Home) -> Sink:
    """The sink of a home. Raises AssayError where the library that it needs is not installed."""
    if home.bigquery is None:
        from loaders.sinks.parquet import ParquetSink  # noqa: PLC0415 - it needs this module

        return ParquetSink(home)
    with google_library():
        from loaders.sinks.bigquery.sink import BigQuerySink  # noqa: PLC0415 - only who lands there
    return BigQuerySink(home)


@contextlib.contextmanager
def google_library() -> Iterator[None]:
    """Around the imports of what needs Google's library: says how to install it."""
    try:
        yield
    except ImportError:
        raise AssayError(
            "BigQuery needs a library that is not installed. "
            "Run: pip install 'assay-lakehouse[bigquery]'"
        ) from None


def files_in_order(committed: Path) -> list[Path]:
    """The files of a committed batch, `<table>/ingest_date=…/<batch>.parquet`, the ledger last."""
    return sorted(
        committed.glob("*/*/*.parquet"), key=lambda f: (f.parts[-3] == LEDGER, f.as_posix())
    )
