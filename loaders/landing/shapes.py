"""What is to be said of the list of field names of a record: a file has few, however many records.

Judged once per list, in Python, and joined to the records in SQL.
"""

from __future__ import annotations

import json
from collections.abc import Collection

import duckdb
import pyarrow as pa

from loaders.contracts import Contract
from loaders.landing.mapping import Mapping

# A sender may make every record's names up. With this many characters of lists, begin again.
_ENOUGH = 4 << 20

_SCHEMA = pa.schema(
    {
        "names": pa.string(),
        "undeclared": pa.list_(pa.string()),
        "has_repeats": pa.bool_(),
        "is_forbidden": pa.bool_(),
        "has_doubles": pa.bool_(),
    }
)


class Shapes:
    """The table `shapes` of a connection: one row per list of names seen so far.

    names         the list, as JSON text
    undeclared    those that nothing of the contract or the mapping takes
    has_repeats   one name occurs twice
    is_forbidden  one is a field that may never land
    has_doubles   two are spellings of one column
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, contract: Contract, mapping: Mapping
    ) -> None:
        self._connection = connection
        self._known = 0
        columns = [mapping.sources_of(column) for column in contract.sent_columns]
        self._doubles = [frozenset(names) for names in columns if len(names) > 1]
        self._never = frozenset(
            name
            for column in contract.columns
            if column.privacy == "never"
            for name in mapping.sources_of(column)
        )
        self._taken = self._never.union(*columns, filter(None, [mapping.rows]))
        self._create()

    def make_room(self) -> None:
        """Forget the lists where there are too many. Between blocks, or a block misses some."""
        if self._known > _ENOUGH:
            self._create()

    def learn(self, lists: Collection[str]) -> None:
        """Judge lists of names that were not known yet."""
        self._known += sum(map(len, lists))
        rows = [self._judged(names) for names in lists]
        self._connection.register("new_shapes", pa.Table.from_pylist(rows, schema=_SCHEMA))
        self._connection.execute("insert into shapes from new_shapes")
        self._connection.unregister("new_shapes")

    def _create(self) -> None:
        self._known = 0
        self._connection.register("no_shapes", _SCHEMA.empty_table())
        self._connection.execute("create or replace temp table shapes as from no_shapes")
        self._connection.unregister("no_shapes")

    def _judged(self, names: str) -> dict[str, object]:
        fields: list[str] = json.loads(names)
        distinct = set(fields)
        return {
            "names": names,
            "undeclared": [field for field in fields if field not in self._taken],
            "has_repeats": len(distinct) < len(fields),
            "is_forbidden": not self._never.isdisjoint(distinct),
            "has_doubles": any(_count(distinct, names) > 1 for names in self._doubles),
        }


def _count(fields: Collection[str], names: frozenset[str]) -> int:
    return len(names.intersection(fields))
