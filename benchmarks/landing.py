"""Landing against plain DuckDB: the same file, read and written as Parquet, in the same run.

    python benchmarks/landing.py [EVENTS]

The plain side is what a user would write by hand: COPY (select ... from read_json(...)) TO parquet,
without validation, dead letters, ledger, hashes or fsync. Prints the median of several runs of each
in turn, their ratio, and the peak memory of landing.
"""

from __future__ import annotations

import resource
import statistics
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

RUNS = 5


def main(events: int) -> None:
    """Measure, and print one line per side."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        print(f"making {events:,} demo events", flush=True)
        write_demo(base / "demo", events, 7, datetime(2026, 6, 1, tzinfo=UTC))
        file = base / "demo" / "attempts-01.jsonl"
        with file.open("rb") as lines:
            rows = sum(1 for _ in lines)
        print(f"{rows:,} rows, {file.stat().st_size / 1e6:.0f} MB of JSON lines", flush=True)
        plain, landed = [], []
        for run in range(RUNS):
            plain.append(_seconds(lambda run=run: _plain(file, base / f"plain{run}.parquet")))
            home, _ = init_home(base / f"home{run}")
            landed.append(_seconds(lambda home=home: land_file(home, "attempts", file)))
            print(f"run {run + 1}: plain {plain[-1]:.2f} s, landing {landed[-1]:.2f} s", flush=True)
    for name, seconds in (("plain DuckDB", plain), ("assay land", landed)):
        median = statistics.median(seconds)
        spread = f"{min(seconds):.2f} to {max(seconds):.2f}"
        print(f"{name:<14}{median:>8.2f} s ({spread}){rows / median:>12,.0f} rows/s")
    ratio = statistics.median(plain) / statistics.median(landed)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"throughput of landing: {ratio:.2f} of plain DuckDB; peak memory {peak:.0f} MiB")


def _plain(file: Path, target: Path) -> None:
    columns = {c.name: c.duckdb_type for c in contract_of("attempts").sent_columns}
    with duckdb.connect() as connection:
        connection.execute(
            f"copy (select * from read_json({quote(str(file))}, "
            f"format = 'newline_delimited', columns = {columns})) "
            f"to {quote(str(target))} (format parquet, compression zstd)"
        )


def _seconds(work: Callable[[], object]) -> float:
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
