"""What of silver and gold is older than its period, and deleting it from the warehouse."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date

import duckdb

from loaders.contracts import load_contracts
from loaders.durable import durable_rename
from loaders.home import Home, connect, quote
from loaders.retention.bronze import Due
from loaders.retention.edges import Edges
from loaders.retention.periods import Others, Period, periods, silver_days


def due_of(home: Home, today: date, edges: Edges, others: Others) -> list[Due]:
    """What would go, by table, with nothing changed."""
    if not home.warehouse.exists():
        return []
    found = []
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        for period, condition in _old(warehouse, today, edges, others):
            rows, first, last = warehouse.execute(
                f"select count(*), min(cast({period.column} as date)), "
                f"max(cast({period.column} as date)) "
                f"from {period.layer}.{period.table} where {condition}"
            ).fetchall()[0]
            if rows:
                found.append(Due(f"{period.layer}.{period.table}", first, last, rows))
    return found


def expire(home: Home, today: date, edges: Edges, others: Others) -> bool:
    """Delete it, all or nothing. Returns whether there was anything.

    Gold is told up to which day silver has gone: late rows of an earlier day are a part of it.
    """
    if not home.warehouse.exists():
        return False
    gone = 0
    with duckdb.connect(str(home.warehouse)) as warehouse:
        warehouse.execute("begin")
        for period, condition in _old(warehouse, today, edges, others):
            deleted = warehouse.execute(
                f"delete from {period.layer}.{period.table} where {condition}"
            ).fetchone()
            gone += deleted[0] if deleted else 0
        if gone:
            last = Period("", "", "", silver_days()).edge(today)
            warehouse.execute(
                f"create or replace table main.retained as select date '{last}' as expired_to"
            )
        warehouse.execute("commit")
    return gone > 0


def rewrite_file(home: Home) -> None:
    """Write the warehouse anew, without the blocks that it has freed: they keep what was deleted.

    For who has the turn.
    """
    aside = home.warehouse.with_name("warehouse.next")
    aside.unlink(missing_ok=True)  # of a process that was killed
    with duckdb.connect(str(home.warehouse)) as warehouse:
        warehouse.execute("checkpoint")
    with connect() as connection:
        # Views name the tables of this database.
        connection.execute(f"attach {quote(str(home.warehouse))} as warehouse (read_only)")
        connection.execute(f"attach {quote(str(aside))} as next")
        connection.execute("copy from database warehouse to next")
    with aside.open("rb") as file:
        os.fsync(file.fileno())
    # What stands beside the old file would be read into the new one.
    home.warehouse.with_name(f"{home.warehouse.name}.wal").unlink(missing_ok=True)
    durable_rename(aside, home.warehouse)


def _old(
    warehouse: duckdb.DuckDBPyConnection, today: date, edges: Edges, others: Others
) -> Iterator[tuple[Period, str]]:
    """The tables that are there, and the condition on what is old of them."""
    there = {
        (schema, table)
        for schema, table in warehouse.execute(
            "select schema_name, table_name from duckdb_tables()"
        ).fetchall()
    }
    for period in periods(others):
        if (period.layer, period.table) in there:
            condition = f"cast({period.column} as date) <= date '{period.edge(today)}'"
            forgotten = _forgotten(period, edges)
            if forgotten:
                # What bronze still holds would be read again.
                condition += f" and cast(ingested_at as date) <= date '{forgotten}'"
            yield period, condition


def _forgotten(period: Period, edges: Edges) -> date | None:
    """Up to when bronze has forgotten what a model of silver was made of, where rows say that."""
    of = [
        edges.rows[contract.table]
        for contract in load_contracts().values()
        if period.table in (contract.silver, contract.duplicates)
    ]
    return min(of, default=None)
