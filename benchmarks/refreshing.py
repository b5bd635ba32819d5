"""Refreshing gold against plain DuckDB: what dbt adds to the statements, at first and by the hour.

    python benchmarks/refreshing.py [EVENTS [NEW]]

Lands EVENTS events of the challenge platform and times the first `assay refresh`, which builds
everything. Then three times: lands NEW more, one in twenty of them up to a week late, and refreshes
`hourly` in a process that keeps dbt warm, as `assay refresh --every` does. The plain side is what
the first build compiled, models and tests, run one after the other in one connection to an empty
file, over the bronze that the first build read, without dbt.

SQL is the time in which at least one statement was running, by dbt's log, what dbt asks of the
catalog among them; statements of two threads overlap, and wait for each other's Python, so their
sum is more. What is left of a build is dbt's own.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from loaders import bronze
from loaders.demo.engagement import DAYS, happenings
from loaders.gold.dbt_run import Dbt, new_process
from loaders.gold.refresh import refresh
from loaders.gold.warm import WarmDbt
from loaders.home import Home, connect, init_home, quote
from loaders.landing.batches import land_file

BATCHES, ROUNDS = 10, 3
LATE_SHARE, LATE_DAYS = 0.05, 7
MOST_MADE = 250_000  # of `happenings`; beyond them people do the same again under other names
_KINDS = {"model": "models", "test": "tests"}


def main(events: int = 5_000_000, new: int = 100_000) -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        print(f"making {events:,} events, and {ROUNDS} times {new:,}", flush=True)
        firsts, later = _make(base, events, new)
        home, _ = init_home(base / "home")
        began = time.monotonic()
        for file in firsts:
            land_file(home, "platform_events", file)
        print(f"{BATCHES} batches landed in {time.monotonic() - began:.1f} s", flush=True)
        os.environ["DBT_TARGET_PATH"] = str(base / "target")
        os.environ["DBT_LOG_FILE_MAX_BYTES"] = "0"  # one log, however long
        os.environ["DBT_LOG_PATH"] = str(base / "log")
        warm = WarmDbt(home)
        first = _refreshed(home, None, new_process, base / "log-first")
        print(f"first refresh: {first}", flush=True)
        models, tests = _plain(home, base / "target", base / "plain")
        print(f"plain DuckDB: models {models:.1f} s, tests {tests:.1f} s", flush=True)
        rounds = []
        for number, file in enumerate(later, 1):
            land_file(home, "platform_events", file)
            rounds.append(_refreshed(home, "hourly", warm, base / f"log-{number}"))
            print(f"hourly, {new:,} new: {rounds[-1]}", flush=True)
    plain = models + tests
    median = statistics.median(split.build for split in rounds)
    print(
        f"first build: {first.build / plain:.2f} of plain DuckDB, its SQL {first.sql / plain:.2f}\n"
        f"hourly build: {median / first.build:.2f} of the first, {median / plain:.2f} of plain "
        "DuckDB that builds everything anew"
    )


@dataclass(frozen=True, slots=True)
class _Split:
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


def _make(base: Path, events: int, new: int) -> tuple[list[Path], list[Path]]:
    """Files of what is there at first, and of what each round brings: the newest, and late ones."""
    end = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    total, in_time = events + ROUNDS * new, round(ROUNDS * new * (1 - LATE_SHARE))
    first = total - in_time  # the place of the newest that is there at first
    made = happenings(np.random.default_rng(7), min(total, MOST_MADE), end - timedelta(days=DAYS))
    times, users, types, payloads = zip(*(row for row in made if row[0] < end), strict=True)
    rows = pa.table(
        {
            "occurred_at": times,
            "user_id": users,
            "event_type": types,
            "payload": map(json.dumps, payloads),
        }
    )
    with connect() as connection:
        connection.register("made", rows)
        # Cut between people, not days: what one does stays whole.
        connection.execute(
            f"""
            create table sent as
            select *, row_number() over (order by occurred_at, event_id) as place
            from (
                select
                    copy || '-' || number as event_id,
                    occurred_at,
                    user_id || '-' || copy as user_id,
                    event_type,
                    regexp_replace(
                        payload, '"(entry|message|burst)-', '"\\1-' || copy || '-', 'g'
                    ) as payload
                from (select *, row_number() over () as number from made)
                cross join range({total // rows.num_rows + 1}) as copies (copy)
                order by copy, user_id, number
                limit {total}
            );
            create table late as
            select event_id, row_number() over (order by hash(event_id)) % {ROUNDS} as round
            from sent
            where
                place <= {first}
                and occurred_at >= (
                    select occurred_at - interval {LATE_DAYS} days from sent where place = {first}
                )
            qualify row_number() over (order by hash(event_id)) <= {total - events - in_time};
            create table files as
            select
                sent.*,
                case
                    when late.round is not null then 'new-' || late.round
                    when place > {first}
                        then 'new-' || (place - {first} - 1) * {ROUNDS} // {in_time}
                    else 'first-' || (place - 1) * {BATCHES} // {first}
                end as file
            from sent
            left join late on sent.event_id = late.event_id
            """
        )
        for (name,) in connection.sql("select distinct file from files").fetchall():
            connection.execute(
                f"""
                copy (
                    select
                        event_id,
                        event_type,
                        strftime(occurred_at, '%Y-%m-%dT%H:%M:%SZ') as occurred_at,
                        user_id,
                        cast(payload as json) as payload
                    from files
                    where file = {quote(name)}
                    order by place
                ) to {quote(str(base / name))} (format json)
                """
            )
    return sorted(base.glob("first-*")), sorted(base.glob("new-*"))


def _refreshed(home: Home, cadence: str | None, dbt: Dbt, log: Path) -> _Split:
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
    return _Split(wall, seconds["build"], seconds["publish"], _covered(spans), summed)


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


def _plain(home: Home, target: Path, folder: Path) -> tuple[float, float]:
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


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
