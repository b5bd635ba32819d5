"""Landing a file, beside plain DuckDB and dlt on the same file, and as the file grows.

The plain side is what a user would write by hand: COPY (select ... from read_json(...)) TO parquet,
without validation, dead letters, ledger, hashes or fsync. The file repeats itself: landing does not
look for duplicates, silver does.
"""

from __future__ import annotations

import itertools
import json
import shutil
import statistics
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import peers
from figures import Row, Spread, at_least, at_most, exponent, number, ratios
from measuring import ASSAY, Bench, command, seconds

from loaders.contracts import contract_of
from loaders.demo import MIN_EVENTS, write_demo
from loaders.home import init_home, quote
from loaders.landing.batches import land_file

RUNS = 3
MOST_MADE = 100_000
MOST_DICTS = 100_000  # that dlt lands from dicts, which take it long


def section(bench: Bench) -> Iterator[Row]:
    """Rows of landing."""
    base = bench.folder / "landing"
    base.mkdir()
    rows = bench.events
    file = _rows(base, rows)
    bench.say(f"{rows:,} rows, {file.stat().st_size / 1e6:.0f} MB of JSON lines")
    plain, landed = [], []
    for run in range(RUNS):
        plain.append(seconds(lambda run=run: _plain(file, base / f"plain{run}.parquet")))
        landed.append(_landed(base, file))
        bench.say(f"plain {plain[-1]:.2f} s, landing {landed[-1]:.2f} s")
    rate = rows / statistics.median(landed)
    yield Row(
        f"{rows:,} JSON lines",
        f"{number(rate)} rows/s",
        ratios(plain, landed),
        to="rate of bare DuckDB, `read_json` to Parquet",
        goal=at_least(0.8),
    )
    yield from _beside_dlt(bench, file, landed)
    yield _grown(base, file, rows, statistics.median(landed))
    home, _ = init_home(base / "peak")
    _, peak = command(ASSAY, "land", "attempts", file, "--home", home.path)
    yield Row(f"memory of `assay land`, {rows:,} rows", "peak", Spread.of(peak), "MiB")
    shutil.rmtree(base)


def _beside_dlt(bench: Bench, file: Path, landed: list[float]) -> Iterator[Row]:
    """The best setting of dlt for JSON, and its Arrow path, into DuckDB."""
    rates = [bench.events / took for took in landed]
    columns = {c.name: c.duckdb_type for c in contract_of("attempts").sent_columns}
    for kind, name, rows, goal in (
        ("dicts", "dicts, Parquet as loader format", min(bench.events, MOST_DICTS), 20),
        ("arrow", "Arrow batches", bench.events, 2),
    ):
        what = f"the same, beside dlt: {name}"
        said = peers.ask(bench, "dlt_landing.py", kind, file, rows, RUNS, json.dumps(columns))
        if isinstance(said, str):
            yield Row(what, said)
            continue
        theirs = [rows / took for took in said["seconds"]]
        yield Row(
            what,
            f"dlt {number(statistics.median(theirs))} rows/s, of {rows:,} rows",
            ratios(rates, theirs),
            to=f"rate of dlt into DuckDB, {name}",
            goal=at_least(goal),
        )


def _grown(base: Path, file: Path, rows: int, whole: float) -> Row:
    sizes = [max(1, rows // 100), max(1, rows // 10), rows]
    costs = []
    for size in sizes[:2]:
        part = base / f"part-{size}.jsonl"
        with file.open("rb") as lines, part.open("wb") as some:
            some.writelines(itertools.islice(lines, size))
        costs.append(statistics.median(_landed(base, part) for _ in range(RUNS)))
    costs.append(whole)
    told = ", ".join(f"{number(cost)} s" for cost in costs)
    return Row(
        "landing as the file grows, 1 : 10 : 100",
        told,
        Spread.of(exponent(list(map(float, sizes)), costs)),
        "exponent",
        goal=at_most(1.1),
    )


def _landed(base: Path, file: Path) -> float:
    home, _ = init_home(base / "home")
    took = seconds(lambda: land_file(home, "attempts", file))
    shutil.rmtree(home.path)
    return took


def _rows(base: Path, rows: int) -> Path:
    """A file of demo attempts as JSON lines."""
    # The first file of a demo holds a little less than three fifths of its events.
    made = max(MIN_EVENTS, min(rows, MOST_MADE) * 7 // 4)
    write_demo(base / "demo", made, 7, datetime(2026, 6, 1, tzinfo=UTC))
    with (base / "demo" / "attempts-01.jsonl").open("rb") as lines:
        part = list(itertools.islice(lines, min(rows, MOST_MADE)))
    path = base / "rows.jsonl"
    with path.open("wb") as file:
        for first in range(0, rows, len(part)):
            file.writelines(part[: rows - first])
    return path


def _plain(file: Path, target: Path) -> None:
    columns = {c.name: c.duckdb_type for c in contract_of("attempts").sent_columns}
    with duckdb.connect() as connection:
        connection.execute(
            f"copy (select * from read_json({quote(str(file))}, "
            f"format = 'newline_delimited', columns = {columns})) "
            f"to {quote(str(target))} (format parquet, compression zstd)"
        )
