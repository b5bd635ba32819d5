"""Batches that go by stream, made without a collector, and what is there of them."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from bigquery_place import MARK, Place

from loaders import bronze
from loaders.contracts import Column, contract_of
from loaders.home import Home
from loaders.sinks.bigquery import writer
from loaders.sinks.bigquery.errors import Call

ROWS, LETTERS = 3, 1
TABLES = ("attempts", "dead_letters", "landing_ledger")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TEXTS = [
    "",
    " ",
    "plain",
    "NULL",
    'a "quote",\n\ttab',
    "Jürgen 東京 🎲",
    "\x01",
    '{"a": [1]}',
    MARK,
]


def batch(home: Home, name: str, rows: int = ROWS, letters: int = LETTERS) -> None:
    """Commit a batch as the collector does, whose events and lines are named by it."""
    made = bronze.Batch(home, name, datetime.now(UTC), prompt=True)
    _append(made, "attempts", [{"event_id": f"{name}-{n}", "resp": MARK} for n in range(rows)])
    _append(made, "dead_letters", [{"dead_letter_id": f"{name}-{n}"} for n in range(letters)])
    line = {"table_name": "attempts", "received": rows + letters, "accepted": rows}
    _append(made, "landing_ledger", [{**line, "rejected": letters, "duplicates": 0}])
    made.commit()


def _append(made: bronze.Batch, table: str, rows: list[dict[str, Any]]) -> None:
    contract = contract_of(table)
    filled = {c.name: plain(c) for c in contract.kept_columns if c.required}
    filled |= {"batch_id": made.batch_id, "ingested_at": made.ingested_at}
    if table == "dead_letters":
        filled |= {"table_name": "attempts"}
    if rows:
        data = [{**filled, **row} for row in rows]
        made.append(table, pa.Table.from_pylist(data, schema=contract.arrow_schema))


def plain(column: Column) -> Any:
    """A value that a column takes."""
    values = {"string": "x", "int64": 1, "float64": 1.5, "bool": True, "bytes": b"x"}
    return values.get(column.data_type, _EPOCH)


def any_value(column: Column, dice: random.Random) -> Any:
    """A value that a column takes, null or awkward ones often."""
    if not column.required and dice.random() < 0.3:
        return None
    extremes = {
        "string": _TEXTS,
        "int64": [0, -1, 2**63 - 1, -(2**63)],
        "float64": [0.0, -0.0, 1e308, 5e-324, float("inf"), -float("inf"), 0.1],
        "bool": [True, False],
        "bytes": [b"", b"\x00\xff", dice.randbytes(40)],
        "date": [date(1, 1, 1), date(9999, 12, 31)],
        "timestamp": [
            datetime(1, 1, 1, tzinfo=UTC),
            datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
            _EPOCH - timedelta(microseconds=1),
            _EPOCH + timedelta(microseconds=dice.randrange(2**50)),
        ],
    }
    return dice.choice(extremes[column.data_type])


def there(place: Place) -> Counter[tuple[str, str]]:
    """How often each event, letter and line of the ledger is there, by table and name."""
    keys = {"attempts": "event_id", "dead_letters": "dead_letter_id", "landing_ledger": "batch_id"}
    return Counter((table, row[key]) for table, key in keys.items() for row in place.rows(table))


def whole(*names: str, rows: int = ROWS, letters: int = LETTERS) -> Counter[tuple[str, str]]:
    """What is there when these batches are, once."""
    found = [("attempts", f"{name}-{n}") for name in names for n in range(rows)]
    found += [("dead_letters", f"{name}-{n}") for name in names for n in range(letters)]
    return Counter(found + [("landing_ledger", name) for name in names])


def waiting(home: Home) -> list[Path]:
    """The committed batches that are not there yet."""
    return sorted((home.bronze / ".committed").glob("*"))


def forget_connections() -> None:
    """What becomes of them when a process dies."""
    made = writer.writer_of(Call("", "", ""))
    for stream in list(made._connections):
        made.close(stream)
