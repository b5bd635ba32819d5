"""What the benchmarks of whole builds share: refreshing a home, and plain DuckDB beside it.

SQL is the time in which at least one statement was running, by dbt's log, what dbt asks of the
catalog among them; statements of two threads overlap, and wait for each other's Python, so their
sum is more. What is left of a build is dbt's own.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from loaders import bronze
from loaders.gold.dbt_run import Dbt
from loaders.gold.refresh import refresh
from loaders.home import Home, quote

_KINDS = {"model": "models", "test": "tests"}


@dataclass(frozen=True, slots=True)
class Split:
    """Where the seconds of a refresh went."""

    wall: float
    build: float
    publish: float
    sql: float
    summed: Counter[str]  # seconds of statements by what they were for

    def __str__(self) -> str:
        summed = ", ".join(f"{what} {seconds:.1f}" for what, seconds in self.summed.most_common())
        return (
            f"{self.wall:.1f} s, build {self.build:.1f}, publish {self.publish:.1f}; of the build, "
            f"SQL {self.sql:.1f}, dbt's own {self.build - self.sql:.1f}; summed SQL "
            f"{self.summed.total():.1f}: {summed}"
        )


def refreshed(home: Home, cadence: str | None, dbt: Dbt, log: Path) -> Split:
    os.environ["DBT_LOG_PATH"] = str(log)
    began = time.monotonic()
    refresh(home, cadence, dbt=dbt)
    wall = time.monotonic() - began
    runs = bronze.query(
        home,
        ["pipeline_runs"],
        "select stage, epoch(finished_at) - epoch(started_at) as seconds from bronze.pipeline_runs "
        "where started_at is not null order by started_at desc limit 2",
    ).to_pylist()
    seconds = {run["stage"]: run["seconds"] for run in runs}
    spans, summed = _statements(log / "dbt.log")
    return Split(wall, seconds["build"], seconds["publish"], _covered(spans), summed)


def _statements(log: Path) -> tuple[list[tuple[float, float]], Counter[str]]:
    """When each statement began and ended, and their seconds by what they were for."""
    spans, summed = [], Counter[str]()
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            if '"SQLQueryStatus"' not in line:
                continue
            event = json.loads(line)
            ended = datetime.fromisoformat(event["info"]["ts"]).timestamp()
            elapsed = event["data"]["elapsed"]
            spans.append((ended - elapsed, ended))
            kind = (event["data"].get("node_info") or {}).get("resource_type")
            summed[_KINDS.get(kind, "other")] += elapsed
    return spans, summed


def _covered(spans: list[tuple[float, float]]) -> float:
    """Seconds that lie in at least one of the spans."""
    covered, until = 0.0, 0.0
    for began, ended in sorted(spans):
        covered += max(0.0, ended - max(began, until))
        until = max(until, ended)
    return covered


def plain(home: Home, target: Path, folder: Path) -> tuple[float, float]:
    """Seconds of the models and of the tests of the build that was last, in the order it had."""
    results = json.loads((target / "run_results.json").read_bytes())["results"]
    nodes: dict[str, Any] = json.loads((target / "manifest.json").read_bytes())["nodes"]
    folder.mkdir()
    seconds = Counter[str]()
    with duckdb.connect(str(folder / home.warehouse.name)) as connection:
        _prepare(connection, home, nodes)
        for result in results:
            node, sql = nodes[result["unique_id"]], result["compiled_code"]
            if node["resource_type"] not in _KINDS:
                continue
            if node["resource_type"] == "test":
                sql = f"select {node['config']['fail_calc']} from ({sql}\n)"
            else:
                kind = "view" if node["config"]["materialized"] == "view" else "table"
                sql = f"create {kind} {result['relation_name']} as ({sql}\n)"
            began = time.monotonic()
            connection.execute(sql).fetchall()
            seconds[node["resource_type"]] += time.monotonic() - began
        _same_gold(connection, home)
    return seconds["model"], seconds["test"]


def by_hand(script: Path, home: Home, tables: list[str]) -> float:
    """Seconds of the same figures as one would write them for DuckDB alone, of what bronze holds.

    The script names each table in braces.
    """
    sql = script.read_text(encoding="utf-8")
    for table in tables:
        files = home.bronze / table / "ingest_date=*" / "*.parquet"
        sql = sql.replace(f"{{{table}}}", quote(str(files)))
    with tempfile.TemporaryDirectory() as folder, duckdb.connect(f"{folder}/hand.duckdb") as hand:
        hand.execute("set TimeZone = 'UTC'")
        began = time.monotonic()
        hand.execute(sql)
        return time.monotonic() - began


def _prepare(connection: duckdb.DuckDBPyConnection, home: Home, nodes: dict[str, Any]) -> None:
    """What a build finds: its connection as `loaders.dbt_home` makes it, and seeds."""
    connection.execute(
        "set TimeZone = 'UTC'; create type float64 as double; create type bytes as blob"
    )
    connection.execute(f"attach {quote(str(home.vault))} as vault (read_only)")
    connection.execute(f"attach {quote(str(home.warehouse))} as built (read_only)")
    for schema in {node["schema"] for node in nodes.values()}:
        connection.execute(f"create schema if not exists {schema}")
    for node in nodes.values():
        if node["resource_type"] == "seed":
            seed = f"{node['schema']}.{node['alias']}"
            connection.execute(f"create table {seed} as from built.{seed}")


def _same_gold(connection: duckdb.DuckDBPyConnection, home: Home) -> None:
    """The plain side has done the same work: as many rows in every mart."""
    marts = connection.sql(
        "select schema_name || '.' || table_name from duckdb_tables() "
        "where database_name = 'built' and schema_name like 'gold%'"
    ).fetchall()
    assert marts
    for (mart,) in marts:
        counts = connection.sql(
            f"select (select count(*) from built.{mart}), (select count(*) from {mart})"
        ).fetchall()
        assert counts[0][0] == counts[0][1], mart
