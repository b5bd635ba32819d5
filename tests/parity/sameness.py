"""Whether two warehouses hold the same tables: columns, types and rows, values typed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import duckdb
from google.cloud import bigquery

from loaders.home import Home

# When a row came and when it was computed is not what it says, nor how old it was then.
CLOCKED = {"ingested_at", "labelled_at", "updated_at", "freshness_seconds"}
# Both engines add and divide in double precision, in an order of their own.
TOLERANCE = 1e-9
TYPES = {
    "VARCHAR": "STRING",
    "BIGINT": "INT64",
    "DOUBLE": "FLOAT64",
    "BOOLEAN": "BOOL",
    "DATE": "DATE",
    "TIMESTAMP": "TIMESTAMP",
    "DECIMAL(28,9)": "NUMERIC",
}
# What BigQuery's interface calls some types, unless a table was declared otherwise.
_SPELLED = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL"}

LAYERS = ("silver", "gold", "gold_restricted")

Rows = list[tuple[Any, ...]]


def differences(
    duck: Home, client: bigquery.Client, dataset: str = "assay_eu"
) -> tuple[dict[str, int], list[str]]:
    """Compare silver and both golds. Returns the rows of each table compared, and what differs."""
    compared, found = {}, []
    with duckdb.connect(str(duck.warehouse), read_only=True) as warehouse:
        for layer in LAYERS:
            ours = set(_tables(warehouse, layer))
            theirs = {table.table_id for table in client.list_tables(f"{dataset}_{layer}")}
            found += [f"{layer}.{table} is on one engine only" for table in ours ^ theirs]
            for table in sorted(ours & theirs):
                types, rows = _duckdb_rows(warehouse, f"{layer}.{table}")
                other_types, other_rows = _bigquery_rows(client, f"{dataset}_{layer}.{table}")
                compared[f"{layer}.{table}"] = len(rows)
                found += [f"{layer}.{table}: {what}" for what in _compare(types, other_types)]
                found += [f"{layer}.{table}: {what}" for what in _compare_rows(rows, other_rows)]
    return compared, found


def _compare(ours: dict[str, str], theirs: dict[str, str]) -> Iterator[str]:
    for name in ours | theirs:
        if ours.get(name) != _SPELLED.get(theirs.get(name, ""), theirs.get(name)):
            yield f"column {name} is {ours.get(name)} here and {theirs.get(name)} there"


def _compare_rows(ours: Rows, theirs: Rows) -> Iterator[str]:
    if len(ours) != len(theirs):
        yield f"{len(ours)} rows here, {len(theirs)} there"
    for one, other in zip(_in_order(ours), _in_order(theirs), strict=False):
        if not all(_is_same(a, b) for a, b in zip(one, other, strict=True)):
            yield f"{one} here, {other} there"


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return type(one) is type(other) and bool(one == other)


def _in_order(rows: Rows) -> Rows:
    """Rows sorted by what both engines hold exactly, before what they hold nearly."""
    return sorted(rows, key=lambda row: tuple((isinstance(v, float), str(v)) for v in row))


def _tables(warehouse: duckdb.DuckDBPyConnection, schema: str) -> list[str]:
    found = warehouse.execute(
        "select table_name from information_schema.tables where table_schema = ?", [schema]
    )
    return [name for (name,) in found.fetchall()]


def _duckdb_rows(warehouse: duckdb.DuckDBPyConnection, table: str) -> tuple[dict[str, str], Rows]:
    described = warehouse.execute(f"describe {table}").fetchall()
    types = {name: TYPES.get(type_, type_) for name, type_, *_ in described if name not in CLOCKED}
    rows = warehouse.execute(f"select {', '.join(sorted(types))} from {table}").fetchall()
    return types, [tuple(_in_utc(value) for value in row) for row in rows]


def _bigquery_rows(client: bigquery.Client, table: str) -> tuple[dict[str, str], Rows]:
    there = client.get_table(table)
    types = {field.name: field.field_type for field in there.schema if field.name not in CLOCKED}
    # The rows of a view are those that its query gives now.
    rows = client.query_and_wait(f"select * from `{table}`") if there.view_query else None
    found = client.list_rows(there) if rows is None else rows
    return types, [tuple(row[name] for name in sorted(types)) for row in found]


def _in_utc(value: Any) -> Any:
    """DuckDB's silver and gold hold naive UTC."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


def summary(compared: dict[str, int]) -> str:
    """How many tables and rows were compared, by layer."""
    return ", ".join(_counts(compared, layer) for layer in LAYERS)


def _counts(compared: dict[str, int], layer: str) -> str:
    sizes: Iterable[int] = [n for table, n in compared.items() if table.startswith(layer)]
    return f"{layer} {len(list(sizes))} tables with {sum(sizes)} rows"
