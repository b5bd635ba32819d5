"""What landing and the books need of a sink, and what every sink is given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

LEDGER = "landing_ledger"
STREAMED = ".streamed"  # ends the name of a committed folder whose files go by stream


class Sink(Protocol):
    """What landing and the books need of the place that holds bronze."""

    def schema(self, table: str) -> pa.Schema:
        """The schema of a batch's file of a table."""

    def shaped(self, table: str, rows: pa.Table, day: date) -> pa.Table:
        """Rows of the contract's schema as the sink's file has them; `day` is their partition."""

    def streams(self, rows: pa.Table) -> bool:
        """Whether rows of a batch, as its file has them, can go by stream."""

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

    def held(self, table: str) -> str:
        """The condition, in SQL, under which all that landed for a table is there for sure.

        Its rows as well as its dead letters.
        """


def files_in_order(committed: Path) -> list[Path]:
    """The files of a committed batch, `<table>/ingest_date=…/<batch>.parquet`, the ledger last."""
    return sorted(
        committed.glob("*/*/*.parquet"), key=lambda f: (f.parts[-3] == LEDGER, f.as_posix())
    )
