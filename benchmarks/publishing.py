"""All marts of all domains: a build of the demo, and publishing it.

The plain side of publishing is a COPY to Parquet of the same marts, one after the other, without
checks, pointers, partners' files or fsync. Publishing again waits a second, so that no reader is
caught between two releases.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from figures import Row, Spread, at_most, number, ratios
from measuring import ASSAY, Bench, command, seconds

from loaders.contracts import load_contracts
from loaders.demo import MIN_EVENTS, write_demo
from loaders.gold.publish import open_warehouse
from loaders.gold.refresh import republish
from loaders.home import Home, init_home, quote
from loaders.landing.batches import land_file

HOME = "demo"  # in the folder of a run, for the sections that come later
TIMES = 5


def section(bench: Bench) -> Iterator[Row]:
    """Rows of the demo's build, and of publishing."""
    base = bench.folder / HOME
    home, _ = init_home(base / "home")
    events = max(MIN_EVENTS, bench.events // 5)
    end = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    write_demo(base / "files", events, 7, end)
    for table in sorted(load_contracts()):
        for file in sorted((base / "files").glob(f"{table}-*")):
            land_file(home, table, file)
    os.environ["DBT_TARGET_PATH"], os.environ["DBT_LOG_PATH"] = f"{base}/target", f"{base}/log"
    took, peak = command(ASSAY, "refresh", "--home", home.path)
    yield Row(f"demo of {events:,} events, all domains", "refresh", Spread.of(took), "s")
    yield Row("its memory", "peak of a process", Spread.of(peak), "MiB")
    published, copied = [], []
    for turn in range(TIMES):
        published.append(seconds(lambda: republish(home)))
        copied.append(_copied(home, base / f"copy-{turn}"))
        bench.say(f"publish {published[-1]:.2f} s, COPY {copied[-1]:.2f} s")
    yield Row(
        "publish",
        f"{number(Spread.of(*published).median)} s, a second of it waiting",
        ratios(published, copied),
        to="time of a COPY of the same marts",
    )
    yield Row("publish", "all of it", Spread.of(*published), "s", goal=at_most(5))


def _copied(home: Home, folder: Path) -> float:
    folder.mkdir()
    with open_warehouse(home) as warehouse:
        marts = warehouse.execute(
            "select schema_name, table_name from duckdb_tables() where schema_name like 'gold%'"
        ).fetchall()
        return seconds(lambda: _copy(warehouse, marts, folder))


def _copy(warehouse: duckdb.DuckDBPyConnection, marts: list[tuple[str, str]], folder: Path) -> None:
    for schema, mart in marts:
        file = quote(str(folder / f"{mart}.parquet"))
        warehouse.execute(f"copy {schema}.{mart} to {file} (format parquet, compression zstd)")
