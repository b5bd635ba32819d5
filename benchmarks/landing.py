"""Landing against plain DuckDB: the same file, read and written as Parquet, in the same run.

    python benchmarks/landing.py [ROWS [RUNS]]

The plain side is what a user would write by hand: COPY (select ... from read_json(...)) TO parquet,
without validation, dead letters, ledger, hashes or fsync. Prints the median of several runs of each
in turn, their ratio, and the peak memory of landing in a process of its own. Beyond a million rows
the file repeats itself: landing does not look for duplicates, silver does.
"""

from __future__ import annotations

import itertools
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from loaders.contracts import contract_of
from loaders.demo import write_demo
from loaders.home import init_home, quote
from loaders.landing.batches import land_file

A_MILLION = 1_000_000


def main(rows: int = 1_000_000, runs: int = 5) -> None:
    """Measure, and print one line per side."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        print(f"making {rows:,} rows", flush=True)
        file = _rows(base, rows)
        print(f"{rows:,} rows, {file.stat().st_size / 1e6:.0f} MB of JSON lines", flush=True)
        plain, landed = [], []
        for run in range(runs):
            plain.append(_seconds(lambda run=run: _plain(file, base / f"plain{run}.parquet")))
            home, _ = init_home(base / f"home{run}")
            landed.append(_seconds(lambda home=home: land_file(home, "attempts", file)))
            shutil.rmtree(home.path)
            print(f"run {run + 1}: plain {plain[-1]:.2f} s, landing {landed[-1]:.2f} s", flush=True)
        home, _ = init_home(base / "home")
        peak = _peak_memory(["land", "attempts", str(file), "--home", str(home.path)])
    for name, seconds in (("plain DuckDB", plain), ("assay land", landed)):
        median = statistics.median(seconds)
        spread = f"{min(seconds):.2f} to {max(seconds):.2f}"
        print(f"{name:<14}{median:>8.2f} s ({spread}){rows / median:>12,.0f} rows/s")
    ratio = statistics.median(plain) / statistics.median(landed)
    print(f"throughput of landing: {ratio:.2f} of plain DuckDB; peak memory {peak:.0f} MiB")


def _rows(base: Path, rows: int) -> Path:
    """A file of demo attempts as JSON lines."""
    # The first file of a demo holds a little less than three fifths of its events.
    write_demo(base / "demo", min(rows, A_MILLION) * 7 // 4, 7, datetime(2026, 6, 1, tzinfo=UTC))
    with (base / "demo" / "attempts-01.jsonl").open("rb") as lines:
        part = list(itertools.islice(lines, min(rows, A_MILLION)))
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


def _peak_memory(arguments: list[str]) -> float:
    """Peak of one run of the command, in MiB.

    It is measured by a process that is small itself: a child begins with the peak of its parent.
    """
    measure = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], capture_output=True); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    command = [sys.executable, "-c", measure, Path(sys.executable).with_name("assay"), *arguments]
    return int(subprocess.run(command, check=True, capture_output=True).stdout) / 1024


def _seconds(work: Callable[[], object]) -> float:
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
