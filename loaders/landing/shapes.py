"""What is to be said of texts that come again and again: a file has few, however many records.

Judged once per text, in Python, and joined to the records in SQL.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from loaders.contracts import Contract
from loaders.landing.mapping import Mapping

# A sender may make every record's names up. With this many characters of texts, begin again.
_ENOUGH = 4 << 20

Judge = Callable[[str], dict[str, Any]]


class Shapes:
    """A table of a connection: one row per text seen so far, which is its first column."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, table: str, schema: pa.Schema, judge: Judge
    ) -> None:
        self._connection, self._table = connection, table
        self._schema, self._judge = schema, judge
        self._forget()

    def learn(self, texts: Sequence[str]) -> None:
        """Judge texts that were not known. It may forget all others, and these: ask again then."""
        size = sum(map(len, texts))
        if self._known and self._known + size > _ENOUGH:
            self._forget()
            return
        self._known += size
        self._insert("insert into {table} from new_shapes", texts)

    def _forget(self) -> None:
        self._known = 0
        self._insert("create or replace temp table {table} as from new_shapes", [])

    def _insert(self, statement: str, texts: Sequence[str]) -> None:
        column = self._schema.names[0]
        rows = [{column: text, **self._judge(text)} for text in texts]
        self._connection.register("new_shapes", pa.Table.from_pylist(rows, schema=self._schema))
        self._connection.execute(statement.format(table=self._table))
        self._connection.unregister("new_shapes")


def name_shapes(
    connection: duckdb.DuckDBPyConnection, contract: Contract, mapping: Mapping
) -> Shapes:
    """The table `shapes` of lists of field names.

    names         the list, as JSON text
    undeclared    those that nothing of the contract or the mapping takes
    has_repeats   one name occurs twice
    is_forbidden  one is a field that may never land
    has_doubles   two are spellings of one column
    """
    columns = [mapping.sources_of(column) for column in contract.sent_columns]
    doubles = [frozenset(names) for names in columns if len(names) > 1]
    never = frozenset(
        name
        for column in contract.columns
        if column.privacy == "never"
        for name in mapping.sources_of(column)
    )
    taken = never.union(*columns, mapping.others())

    def judge(names: str) -> dict[str, Any]:
        fields: list[str] = json.loads(names)
        distinct = set(fields)
        return {
            "undeclared": [field for field in fields if field not in taken],
            "has_repeats": len(distinct) < len(fields),
            "is_forbidden": not never.isdisjoint(distinct),
            "has_doubles": any(_count(distinct, names) > 1 for names in doubles),
        }

    schema = pa.schema(
        {
            "names": pa.string(),
            "undeclared": pa.list_(pa.string()),
            "has_repeats": pa.bool_(),
            "is_forbidden": pa.bool_(),
            "has_doubles": pa.bool_(),
        }
    )
    return Shapes(connection, "shapes", schema, judge)


def _count(fields: Collection[str], names: frozenset[str]) -> int:
    return len(names.intersection(fields))
