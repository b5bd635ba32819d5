"""Bytes that BigQuery would charge for: of a table, and of a query, for each million events.

Computed from the columns and values of the games' home, by the sizes that Google's page "Data
types", under "Data type sizes", gives; nothing is asked of BigQuery. A query reads whole columns of
the partitions that its conditions leave; blocks that clustering skips are not taken off, so these
are the most that a query may read. Gold grows with its cells, not with events: of more events a
day, a million have less.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import duckdb
from asking import questions
from figures import Row, Spread, number
from gaming import HOME
from measuring import Bench

from loaders.gold.marts import models_of
from loaders.gold.publish import open_warehouse
from loaders.home import Home, quote

A_MILLION = 1_000_000
UNIT = "MB per million events"
# Logical bytes of a value; of texts and bytes two more than they are long; a null has none.
SIZES = {
    "bigint": 8,
    "integer": 8,
    "double": 8,
    "timestamp": 8,
    "date": 8,
    "boolean": 1,
    "decimal": 16,
    "hugeint": 16,
}
# What `arrivals` asks of silver.
IDENTITY = ("event_id", "batch_id", "line_number", "ingested_at", "payload_key")
SILVER = ("stg_engagement__events", "int_gaming__published_play")


def section(bench: Bench) -> Iterator[Row]:
    """Rows of tables, then of the queries of `asking`."""
    home = Home(bench.folder / HOME / "home")
    with open_warehouse(home) as warehouse:
        events = _one(warehouse, f"select count(*) from silver.{SILVER[0]}")
        if not events:
            raise ValueError("no events in silver")
        bronze = f"read_parquet({quote(home.glob('platform_events'))}, union_by_name = true)"
        tables = {"bronze, `platform_events`": bronze}
        tables |= {f"silver, `{name}`": f"silver.{name}" for name in SILVER}
        tables |= {f"gold, `{q.mart}`": f"gold.{q.mart}" for q in questions(datetime(2026, 1, 1))}
        for what, relation in tables.items():
            size = sum(bytes_of(warehouse, relation).values())
            rows = _one(warehouse, f"select count(*) from {relation}")
            told = f"{size / max(1, rows):,.0f} bytes a row, {rows:,} rows of {events:,} events"
            yield Row(what, told, _per_million(size, events), UNIT)
        sizes = bytes_of(warehouse, f"silver.{SILVER[0]}")
        yield Row(
            "which events are known: read in every build, of all days",
            f"`{'`, `'.join(IDENTITY)}` of `{SILVER[0]}`",
            _per_million(sum(sizes[name] for name in IDENTITY), events),
            UNIT,
        )
        until = _one(warehouse, "select max(ts) from gold.gaming_time_series")
        for question in questions(until or datetime(2026, 1, 1)):
            relation = f"gold.{question.mart}"
            field = models_of("gold")[question.mart]["config"]["partition_by"]["field"]
            named = columns_of(question.sql)
            whole = {c: b for c, b in bytes_of(warehouse, relation).items() if c in named}
            some = bytes_of(warehouse, relation, f"cast({field} as date) >= '{question.since}'")
            yield Row(
                question.what,
                f"{len(whole)} columns of `{question.mart}`; of all days "
                f"{number(sum(whole.values()) / events)} MB",
                _per_million(sum(some[c] for c in whole), events),
                UNIT,
            )


def bytes_of(
    connection: duckdb.DuckDBPyConnection, relation: str, where: str = "true"
) -> dict[str, int]:
    """Logical bytes of each column."""
    found = connection.sql(f"select * from {relation} limit 0")
    quoted = [f'"{name}"' for name in found.columns]
    sizes = [_size(name, of) for name, of in zip(quoted, found.types, strict=True)]
    sums = [f"coalesce(sum({size}), 0)" for size in sizes]
    row = connection.execute(f"select {', '.join(sums)} from {relation} where {where}").fetchone()
    return dict(zip(found.columns, map(int, row or ()), strict=True))


def columns_of(sql: str) -> set[str]:
    """The columns that a query names, or calls something so."""
    row = duckdb.execute("select json_serialize_sql(?)", [sql]).fetchone()
    return set(_named(json.loads(row[0]) if row else {}))


def _size(value: str, of: Any) -> str:
    """SQL for the logical bytes of a value, null where there is none."""
    kind = str(of).lower()
    if of.id == "list":
        inner = _size("one", dict(of.children)["child"])
        return f"list_sum(list_transform({value}, lambda one: {inner}))"
    if of.id == "struct":
        fields = [_size(f'{value}."{name}"', inner) for name, inner in of.children]
        return " + ".join(f"coalesce({field}, 0)" for field in fields)
    if kind == "json":
        return f"strlen({value})"
    if of.id == "varchar":
        return f"2 + strlen({value})"
    if of.id == "blob":
        return f"2 + octet_length({value})"
    for name, size in SIZES.items():
        if kind.startswith(name):
            return f"if({value} is null, null, {size})"
    raise ValueError(f"no size is known of the type {kind}")


def _named(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        names = node.get("column_names")
        if isinstance(names, Sequence) and names:
            yield str(names[-1])
        for value in node.values():
            yield from _named(value)
    elif isinstance(node, list):
        for value in node:
            yield from _named(value)


def _per_million(size: float, events: int) -> Spread:
    return Spread.of(size / 1e6 / events * A_MILLION)


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> Any:
    row = connection.execute(sql).fetchone()
    return row[0] if row else None
