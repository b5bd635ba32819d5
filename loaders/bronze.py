"""Putting batches into bronze so that each is wholly there or not at all.

A batch is several files: its rows, its dead letters, its line in the ledger. They are written into
a folder of their own, fsynced, and committed by one rename of that folder. Only then does the sink
move them to where readers look, the ledger last. Whoever comes next finishes a move that was cut
short, in the way that the folder's name says: what was begun as a stream is never loaded.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from loaders.contracts import contract_of
from loaders.durable import durable_file, durable_rename, fsync_folder
from loaders.errors import AssayError
from loaders.home import Home
from loaders.leases import STAGING, leased, sweep
from loaders.sinks import sink_of
from loaders.sinks.protocol import STREAMED

_COMMITTED = ".committed"


class Batch:
    """The files of one batch while they are written.

    One that is `prompt` goes by stream, where the sink has such a way and all of its rows fit.
    """

    def __init__(
        self, home: Home, batch_id: str, ingested_at: datetime, prompt: bool = False
    ) -> None:
        self._home = home
        self._sink = sink_of(home)
        self._streams = prompt
        self.batch_id = batch_id
        self.ingested_at = ingested_at
        self._folder = home.bronze / STAGING / batch_id
        shutil.rmtree(self._folder, ignore_errors=True)
        self._files = contextlib.ExitStack()
        self._writers: dict[str, pq.ParquetWriter] = {}

    def append(self, table: str, rows: pa.Table) -> None:
        """Append rows, of the contract's schema, to the batch's file of a table."""
        if table not in self._writers:
            path = self._folder / table / f"ingest_date={self.ingested_at:%Y-%m-%d}"
            path.mkdir(parents=True, exist_ok=True)
            file = self._files.enter_context(durable_file(path / f"{self.batch_id}.parquet"))
            self._writers[table] = self._files.enter_context(
                pq.ParquetWriter(file, self._sink.schema(table), compression="zstd")
            )
        shaped = self._sink.shaped(table, rows, self.ingested_at.date())
        self._streams = self._streams and self._sink.streams(shaped)
        self._writers[table].write_table(shaped)

    def commit(self) -> None:
        """Make the batch's files durable, then visible, all or none."""
        self._files.close()
        for folder in sorted(self._folder.rglob("*"), reverse=True):
            if folder.is_dir():
                fsync_folder(folder)
        fsync_folder(self._folder)
        name = self.batch_id + (STREAMED if self._streams else "")
        committed = self._home.bronze / _COMMITTED / name
        committed.parent.mkdir(parents=True, exist_ok=True)
        durable_rename(self._folder, committed)
        self._sink.publish(committed)

    def abandon(self) -> None:
        """Forget what was written. Nothing of it was ever visible."""
        with contextlib.suppress(Exception):
            self._files.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def batch_lock(home: Home, batch_id: str) -> AbstractContextManager[None]:
    """Let one process at a time land a batch."""
    return leased(home.bronze / STAGING / batch_id)


def is_landed(home: Home, batch_id: str) -> bool:
    """Whether the ledger has the batch."""
    return sink_of(home).is_landed(batch_id)


def is_committed(home: Home, batch_id: str) -> bool:
    """Whether a batch is durable in the home, and waits to be moved to where readers look."""
    return (home.bronze / _COMMITTED / batch_id).is_dir()


def read_rows(
    home: Home, table: str, batch_id: str, columns: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """The rows that a batch has in a table; of all columns where none are named."""
    return sink_of(home).rows(table, batch_id, columns)


def query(home: Home, tables: Iterable[str], sql: str, **parameters: Any) -> pa.Table:
    """The answer of wherever bronze is, to SQL that DuckDB and BigQuery share (`Sink.query`)."""
    return sink_of(home).query(tables, sql, **parameters)


def held(home: Home, table: str) -> str:
    """The condition, in SQL, under which all that landed for a table is there for sure."""
    return sink_of(home).held(table)


def recover(home: Home) -> int:
    """Finish what others committed but could not move any more. Returns how many batches.

    What a process wrote that died before it committed is people's data in nobody's care: it goes.
    A batch that cannot be moved holds up no other; the first such failure is raised at the end.
    """
    sweep(home.bronze / STAGING)
    committed = sorted((home.bronze / _COMMITTED).glob("*"))
    failures = []
    for folder in committed:
        try:
            sink_of(home).publish(folder)
        except AssayError as error:
            failures.append(error)
    if failures:
        raise failures[0]
    return len(committed)


def write_rows(home: Home, table: str, batch_id: str, rows: list[dict[str, Any]]) -> None:
    """Write a few rows of one of Assay's own tables as a batch without a ledger line."""
    schema = contract_of(table).arrow_schema
    with batch_lock(home, batch_id):
        batch = Batch(home, batch_id, rows[0]["ingested_at"])
        batch.append(table, pa.Table.from_pylist(rows, schema=schema))
        batch.commit()
