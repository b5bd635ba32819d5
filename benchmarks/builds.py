"""What the sections of whole builds share: refreshing a home, and plain DuckDB beside it.

SQL is the time in which at least one statement was running, by dbt's log, what dbt asks of the
catalog among them; statements of two threads overlap, and wait for each other's Python, so their
sum is more. What is left of a build is dbt's own.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
from figures import Row, Spread, at_most, number, ratios
from measuring import ASSAY, Bench, command, seconds

from loaders import bronze
from loaders.gold.dbt_run import Dbt
from loaders.gold.marts import is_about_operations
from loaders.gold.refresh import refresh
from loaders.gold.touched import Inputs
from loaders.gold.warm import WarmDbt
from loaders.home import Home, init_home, quote

ROUNDS = 3  # at most
HAND_TIMES = 3
_KINDS = {"model": "models", "test": "tests"}


@dataclass(frozen=True, slots=True)
class Split:
    """Where the seconds of a refresh went."""

    wall: float
    build: float
    publish: float
    sql: float
    summed: Counter[str]  # seconds of statements by what they were for; empty if none was logged

    def __str__(self) -> str:
        took = f"{self.wall:.1f} s, build {self.build:.1f}, publish {self.publish:.1f}"
        if not self.summed:
            return took
        summed = ", ".join(f"{what} {seconds:.1f}" for what, seconds in self.summed.most_common())
        return (
            f"{took}; of the build, SQL {self.sql:.1f}, dbt's own {self.build - self.sql:.1f}; "
            f"summed SQL {self.summed.total():.1f}: {summed}"
        )


@dataclass(frozen=True, slots=True)
class Case:
    """Events of some domains, and how one would compute the same from them by hand.

    `make` writes files into a folder: what is there at first, and what each round brings; `land`
    lands those of a part, `first` or `new-0` and so on.
    """

    name: str
    events: int
    new: int
    cadence: str
    domains: str
    make: Callable[[Path, int, int], None]
    land: Callable[[Home, Path, str], None]
    by_hand: Callable[[Home], float]
    hand: str  # what that is


def measured(bench: Bench, case: Case) -> Generator[Row, None, Split]:
    """Rows of a first build, and of refreshes that follow it in a process that keeps dbt warm.

    Returns where the first one's seconds went.
    """
    first, peak = first_refresh(bench, case)
    base = bench.folder / case.name
    home = Home(base / "home")
    bench.say(f"first refresh: {first}")
    hand = [case.by_hand(home) for _ in range(HAND_TIMES)]
    bench.say(f"{case.hand}: {', '.join(f'{took:.2f} s' for took in hand)}")
    yield Row(
        f"first build of {case.events:,} events",
        f"{number(first.build)} s, of it SQL {number(first.sql)} s",
        ratios([first.build], hand),
        to=f"time of {case.hand}",
        goal=at_most(1.3),
    )
    took = plain(home, base / "target")
    yield Row(
        "the same build, beside what it compiled",
        f"plain DuckDB: models {number(took['model'])} s, tests {number(took['test'])} s",
        ratios([first.build], [took.total()]),
        to="time of the same statements in plain DuckDB, one by one",
    )
    yield Row("memory of the first refresh", "peak of a process", Spread.of(peak), "MiB")
    warm, rounds = WarmDbt(home), []
    for turn in range(bench.turns):
        inputs = Inputs.of(home)
        case.land(home, base, f"new-{turn}")
        # As `assay refresh --every` has it, which finds the runs of its last round, too.
        since = replace(inputs, tables=inputs.tables | {"pipeline_runs": 0})
        rounds.append(refreshed(home, case.cadence, warm, base / f"log-{turn}", since))
        bench.say(f"{case.cadence}, {case.new:,} new: {rounds[-1]}")
    builds = [split.build for split in rounds]
    yield Row(
        f"{case.cadence} refresh, {case.new:,} new on {case.events:,}",
        "build and publish",
        Spread.of(*(split.wall for split in rounds)),
        "s",
        goal=at_most(5),
    )
    yield Row(
        f"its build, {case.new:,} new on {case.events:,}",
        f"{number(statistics.median(builds))} s",
        ratios(builds, hand),
        to=f"time of {case.hand}, which computes all anew",
        goal=at_most(1.3),
    )
    return first


def first_refresh(bench: Bench, case: Case) -> tuple[Split, float]:
    """Land what is there at first, and build everything. Also the most MiB of a process."""
    base = bench.folder / case.name
    base.mkdir()
    case.make(base, case.events, case.new)
    home, _ = init_home(base / "home")
    case.land(home, base, "first")
    os.environ["ASSAY_DOMAINS"] = case.domains
    os.environ["DBT_TARGET_PATH"] = str(base / "target")
    os.environ["DBT_LOG_FILE_MAX_BYTES"] = "0"  # one log, however long
    os.environ["DBT_LOG_PATH"] = str(base / "log")
    # Each statement is logged, to say where the seconds went: some of them go there.
    os.environ |= {"DBT_LOG_LEVEL_FILE": "debug", "DBT_LOG_FORMAT_FILE": "json"}
    wall, peak = command(ASSAY, "refresh", "--home", home.path)
    return _split(home, wall, base / "log"), peak


def refreshed(
    home: Home, cadence: str | None, dbt: Dbt, log: Path, since: Inputs | None = None
) -> Split:
    """Refresh a home as a user does, who logs no statements."""
    os.environ |= {"DBT_LOG_PATH": str(log), "DBT_LOG_LEVEL_FILE": "info"}
    return _split(home, seconds(lambda: refresh(home, cadence, dbt=dbt, since=since)), log)


def _split(home: Home, wall: float, log: Path) -> Split:
    runs = bronze.query(
        home,
        ["pipeline_runs"],
        "select stage, epoch(finished_at) - epoch(started_at) as seconds from bronze.pipeline_runs "
        "where started_at is not null order by started_at desc limit 2",
    ).to_pylist()
    took = {run["stage"]: run["seconds"] for run in runs}
    spans, summed = _statements(log / "dbt.log")
    return Split(wall, took["build"], took["publish"], _covered(spans), summed)


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


def plain(home: Home, target: Path) -> Counter[str]:
    """Seconds of the models and of the tests of the build that was last, in the order it had."""
    results = json.loads((target / "run_results.json").read_bytes())["results"]
    nodes: dict[str, Any] = json.loads((target / "manifest.json").read_bytes())["nodes"]
    took = Counter[str]()
    with (
        tempfile.TemporaryDirectory() as folder,
        duckdb.connect(f"{folder}/{home.warehouse.name}") as connection,
    ):
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
            took[node["resource_type"]] += time.monotonic() - began
        _same_gold(connection, home)
    return took


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
    """The plain side has done the same work: as many rows in every mart.

    But for those that tell of runs: there are more of them by now.
    """
    marts = connection.sql(
        "select schema_name || '.' || table_name from duckdb_tables() "
        "where database_name = 'built' and schema_name like 'gold%'"
    ).fetchall()
    assert marts
    for (mart,) in marts:
        if is_about_operations(mart.partition(".")[2]):
            continue
        counts = connection.sql(
            f"select (select count(*) from built.{mart}), (select count(*) from {mart})"
        ).fetchall()
        assert counts[0][0] == counts[0][1], mart
