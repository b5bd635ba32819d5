"""Measure all that the page docs/benchmarks.md tells, and write it there.

    python benchmarks/bench.py [SECTION ...]

BENCH_EVENTS is the size of everything. Sections that are named are measured alone, and the page
stays as it is. Each runs in a process of its own; one that fails is a row that says so, the others
go on, and the exit code is 1.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path

import peers
from figures import Row
from measuring import Bench
from report import (
    PAGE,
    SCALE,
    Run,
    between_markers,
    facts_of,
    keep,
    newest,
    rows_of,
    scanned,
    table,
)

DEFAULT_EVENTS = 200_000
SMALLEST = 2_000
EARLIER = 2  # runs that are shown beside
PEERS = Path(__file__).parent.parent / ".cache" / "peers" / "bin" / "python"
BYTES = "bytes on BigQuery"
# The title of each section of the table, and the file whose function `section` it is.
SECTIONS = {
    "landing": "landing",
    "builds of games": "gaming",
    "builds of decisions": "deciding",
    "a few models": "few_models",
    "all marts": "publishing",
    "point queries": "asking",
    "dashboards": "showing",
    "readers": "reading",
    "freshness": "freshness",
    "spool": "storing",
    BYTES: "scanning",
}
_SPAWN = multiprocessing.get_context("spawn")


def main(wanted: list[str]) -> int:
    """Measure the sections that are wanted, or all. Returns the exit code."""
    if unknown := set(wanted) - set(SECTIONS.values()):
        print(f"No section {', '.join(sorted(unknown))}. There are: {' '.join(SECTIONS.values())}")
        return 2
    events = int(os.environ.get("BENCH_EVENTS") or DEFAULT_EVENTS)
    if events < SMALLEST:
        print(f"BENCH_EVENTS is at least {SMALLEST:,}.")
        return 2
    python = PEERS if PEERS.exists() else None
    facts = facts_of(events, peers.versions(python))
    if python is None:
        print("dlt and SQLMesh are SKIPPED: their environment is not there")
    begun, rows = time.monotonic(), []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        bench = Bench(events, Path(folder), python)
        for title, name in SECTIONS.items():
            if not wanted or name in wanted:
                print(f"== {title}", flush=True)
                rows += rows_of(title, list(_shown(measured(name, bench))))
    print(f"{time.monotonic() - begun:,.0f} s in all")
    if not wanted:
        earlier, run = newest(EARLIER), Run(facts, rows)
        print(f"kept in {keep(run).name}")
        between_markers(PAGE, "figures", table(run, earlier))
        between_markers(SCALE, "bytes", scanned(run, BYTES))
    return int(any(row["has_failed"] for row in rows))


def measured(name: str, bench: Bench) -> Iterator[Row]:
    """Rows of a section as they come, and one more where it fails."""
    reading, writing = _SPAWN.Pipe(duplex=False)
    process = _SPAWN.Process(target=_measure, args=(name, bench, writing))
    process.start()
    writing.close()
    while True:
        try:
            yield reading.recv()
        except EOFError:
            break
    process.join()
    if process.exitcode:
        yield Row(name, "failed: the rest of this section is missing", has_failed=True)


def _measure(name: str, bench: Bench, writing: Connection) -> None:
    try:
        section: Callable[[Bench], Iterator[Row]] = import_module(name).section
        for row in section(bench):
            writing.send(row)
    except Exception:
        traceback.print_exc()
        sys.exit(1)


def _shown(rows: Iterator[Row]) -> Iterator[Row]:
    for row in rows:
        print(f"- {row}", flush=True)
        yield row


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
