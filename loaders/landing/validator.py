"""Validates the blocks of one file: typed rows or refusals, with secrets cut out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from collections.abc import Mapping as Counts
from typing import Self

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from loaders.contracts import Contract
from loaders.contracts.vocabulary import read_vocabulary
from loaders.home import connect
from loaders.landing.mapping import Mapping
from loaders.landing.shapes import Shapes
from loaders.landing.validation import build_validation
from loaders.redaction.blocks import Redaction

_CHUNK_ROWS = 4096


class Validator:
    """Holds what is to be known across the blocks of a file. Use as a context.

    `fields` are the names under which a file may hold the contract's columns.
    """

    def __init__(self, contract: Contract, mapping: Mapping) -> None:
        self.fields = frozenset(
            field for column in contract.columns for field in mapping.sources_of(column)
        )
        self._redaction = Redaction(contract, mapping)
        self._validation = build_validation(contract, mapping, read_vocabulary())
        self._connection = connect()
        self._shapes = Shapes(self._connection, contract, mapping)
        # How often each equal record of the file was seen: what derived keys are told apart by.
        self._connection.execute(
            "create temp table seen (fingerprint varchar primary key, ordinal bigint)"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def rows(self, block: pa.Table) -> tuple[pa.Table, Counts[int, int]]:
        """The rows of a block (`line_number`, `doc`), and how many values were cut, by line number.

        Columns are those of Validation.rows. A block whose lists of field names are known and in
        which nothing is cut, as most are, is read once.
        """
        self._shapes.make_room()
        rows = self._validated(block)
        new_names = pc.unique(rows["new_names"]).drop_null()
        if len(new_names):
            self._shapes.learn(new_names.to_pylist())
            rows = self._validated(block)
        suspects = rows["line_number"].filter(self._redaction.suspects(rows["searched"]))
        cuts: Counts[int, int] = {}
        if len(suspects):
            redacted, cuts = self._redaction.apply(block, suspects.to_pylist())
            if redacted is not block:
                rows = self._validated(redacted)
        if self._validation.derives_key:
            with self._named("derived", rows) as connection:
                connection.execute(
                    "insert into seen select fingerprint, count(*) from derived "
                    "group by fingerprint "
                    "on conflict do update set ordinal = ordinal + excluded.ordinal"
                )
        return rows, cuts

    def _validated(self, block: pa.Table) -> pa.Table:
        # Small chunks, so that every core has some.
        chunks = pa.Table.from_batches(block.to_batches(max_chunksize=_CHUNK_ROWS))
        with self._named("block", chunks) as connection:
            # Rows come out in the order of the file, unless they were unfolded or given a key.
            rows = connection.sql(self._validation.rows).to_arrow_table()
        if self._validation.reorders:
            rows = rows.sort_by([("line_number", "ascending"), ("part", "ascending")])
        return rows

    @contextlib.contextmanager
    def _named(self, name: str, rows: pa.Table) -> Iterator[duckdb.DuckDBPyConnection]:
        self._connection.register(name, rows)
        yield self._connection
        self._connection.unregister(name)
