"""What dbt made, to read: silver and what it remembers of its builds, on either engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import duckdb
import pyarrow as pa

from loaders.gold.publish import open_warehouse
from loaders.home import Home
from loaders.sinks import google_library


class Warehouse(Protocol):
    """Answers SQL that both DuckDB and BigQuery speak, over `silver.<table>` and `main.<table>`."""

    def tables(self) -> set[str]:
        """What there is to ask, as `silver.<table>` and `main.<table>`."""

    def query(self, sql: str) -> pa.Table:
        """The answer."""


@contextmanager
def reading(home: Home) -> Iterator[Warehouse]:
    """The warehouse of a home. Raises AssayError where there is none, or it cannot be read."""
    if home.bigquery:
        with google_library():
            from loaders.sinks.bigquery.warehouse import BigQueryWarehouse  # noqa: PLC0415 - an extra

        yield BigQueryWarehouse(home)
    else:
        with open_warehouse(home) as connection:
            yield _DuckDBWarehouse(connection)


class _DuckDBWarehouse:
    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def tables(self) -> set[str]:
        rows = self._connection.execute(
            "select table_schema || '.' || table_name from information_schema.tables"
        ).fetchall()
        return {str(row[0]) for row in rows}

    def query(self, sql: str) -> pa.Table:
        return self._connection.sql(sql).to_arrow_table()
