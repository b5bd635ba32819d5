"""Validates blocks of records: typed rows or refusals, with secrets cut out."""

from __future__ import annotations

from collections.abc import Mapping as Counts
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc

from loaders.contracts import Contract
from loaders.contracts.events import load_events
from loaders.contracts.vocabulary import read_vocabulary
from loaders.home import connect
from loaders.landing.mapping import Mapping
from loaders.landing.payloads import Payloads
from loaders.landing.shapes import name_shapes
from loaders.landing.validation import Rules, build_validation
from loaders.redaction.blocks import Redaction

_CHUNK_ROWS = 4096
# So many rows of a large block show most of its shapes.
_FIRST_LOOK = 1024
_NO_ROWS = pa.table({"line_number": pa.array([], pa.int64()), "doc": pa.array([], pa.string())})


class Validator:
    """Holds what is to be known across the blocks of a file of a residency. Use as a context.

    To make one and to plan its SQL takes longer than to validate some hundred records, so who has
    many small batches keeps it for all of them. That is right where keys are not derived: these are
    told apart within a file. `fields` are the names under which a file may hold the contract's
    columns.
    """

    def __init__(self, contract: Contract, mapping: Mapping, residency: str) -> None:
        self.contract = contract
        self.fields = frozenset(mapping.others()).union(
            *(mapping.sources_of(column) for column in contract.columns)
        )
        self._redaction = Redaction(contract, mapping)
        rules = Rules(read_vocabulary(), load_events(), residency)
        self._validation = build_validation(contract, mapping, rules)
        self._connection = connect()
        self._shapes = {"new_names": name_shapes(self._connection, contract, mapping)}
        if contract.payload:
            payloads = Payloads(contract, rules.events)
            self._shapes["new_event"] = payloads.shapes(self._connection)
        # How often each equal record of the file was seen: what derived keys are told apart by.
        self._connection.execute(
            "create temp table seen (fingerprint varchar primary key, ordinal bigint)"
        )
        self._has_looked = False
        self._block = _Shown(_NO_ROWS)
        self._connection.register("block", self._block)
        self._rows = self._connection.sql(self._validation.rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def rows(self, block: pa.Table) -> tuple[pa.Table, Counts[int, int]]:
        """The rows of a block (`line_number`, `doc`), and how many values were cut, by line number.

        Columns are those of Validation.rows. A block whose shapes are known and in which nothing is
        cut, as most are, is read once.
        """
        rows = self._known(block)
        suspects = rows["line_number"].filter(self._redaction.suspects(rows["searched"]))
        cuts: Counts[int, int] = {}
        if len(suspects):
            redacted, cuts = self._redaction.apply(block, suspects.to_pylist())
            if redacted is not block:
                rows = self._known(redacted)
        if self._validation.derives_key:
            self._connection.register("derived", rows)
            self._connection.execute(
                "insert into seen select fingerprint, count(*) from derived "
                "group by fingerprint "
                "on conflict do update set ordinal = ordinal + excluded.ordinal"
            )
            self._connection.unregister("derived")
        return rows, cuts

    def _known(self, block: pa.Table) -> pa.Table:
        """The rows of a block once all of its shapes are known."""
        if not self._has_looked and block.num_rows > _FIRST_LOOK:
            self._learns_of(self._validated(block.slice(0, _FIRST_LOOK)))
        self._has_looked = True
        while True:
            rows = self._validated(block)
            if not self._learns_of(rows):
                return rows

    def _learns_of(self, rows: pa.Table) -> bool:
        """Learn the shapes that rows have and that were not known. Says whether there were any."""
        news = {name: pc.unique(rows[name]).drop_null() for name in self._shapes}
        for name, texts in news.items():
            if len(texts):
                self._shapes[name].learn(texts.to_pylist())
        return any(map(len, news.values()))

    def _validated(self, block: pa.Table) -> pa.Table:
        # Small chunks, so that every core has some.
        self._block.table = pa.Table.from_batches(block.to_batches(max_chunksize=_CHUNK_ROWS))
        rows = self._rows.to_arrow_table()
        self._block.table = _NO_ROWS
        if self._validation.reorders:
            rows = rows.sort_by([("line_number", "ascending"), ("part", "ascending")])
        return rows


class _Shown:
    """What DuckDB sees under one name: whichever table this holds when a statement runs."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)
