"""Reading a day of small files before and after `assay compact`, and what the merge costs.

    python benchmarks/compacting.py [FILES [ROWS]]

A collector that lands once a second leaves such files: 5,000 of 20 rows each, by default, in
attempts and as many in the ledger. Reads both as every reader of bronze does, counting rows by
batch, before and after; the median of three. Prints the ratio, the seconds of processor time that
a merge takes for 1,000 files, and for how long it kept readers waiting. The files are copies of
few, so their sizes say nothing.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from loaders import bronze
from loaders.compaction import switch
from loaders.compaction.compact import compact
from loaders.demo import write_demo
from loaders.home import Home, init_home
from loaders.landing.batches import land_file

TABLES = ("attempts", "landing_ledger")
RUNS = 3


def main(files: int = 5_000, rows: int = 20) -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory() as folder:
        home, _ = init_home(Path(folder) / "home")
        print(f"making {files:,} files of {rows} rows in attempts, and the ledger's", flush=True)
        _make(home, files, rows)
        before = {table: _read(home, table) for table in TABLES}
        waits = _watched()
        begun, began = time.process_time(), time.monotonic()
        results = {result.table: result for result in compact(home, TABLES, older_than=0)}
        seconds, elapsed = time.process_time() - begun, time.monotonic() - began
        for table in TABLES:
            result, after = results[table], _read(home, table)
            print(
                f"{table:<16}{result.files_before:>6,} files became {result.files_after}; "
                f"read in {before[table]:.2f} s before and {after:.3f} s after: "
                f"{before[table] / after:.0f} times as fast"
            )
    merged = sum(result.files_before for result in results.values())
    print(
        f"{1000 * seconds / merged:.1f} s of processor time for 1,000 files, {elapsed:.0f} s in "
        f"all; {len(waits)} switches took {1000 * statistics.median(waits):.0f} ms, the longest "
        f"{1000 * max(waits):.0f}"
    )


def _make(home: Home, files: int, rows: int) -> None:
    """Copies of one batch, each with an id of its own and other rows of the demo."""
    write_demo(home.path / "demo", 5_000, 7, datetime(2026, 6, 1, tzinfo=UTC))
    landed = land_file(home, "attempts", sorted((home.path / "demo").glob("attempts-*"))[0])
    for table in TABLES:
        (file,) = home.bronze.glob(f"{table}/*/{landed.batch_id}.parquet")
        source = pq.ParquetFile(file).read()
        file.unlink()
        day = home.bronze / table / "ingest_date=2026-06-01"
        day.mkdir()
        place = source.column_names.index("batch_id")
        for number in range(files):
            batch_id = hashlib.sha256(str(number).encode()).hexdigest()[:32]
            some = source.slice(number * rows % max(1, source.num_rows - rows), rows)
            ids = pa.repeat(batch_id, some.num_rows)
            pq.write_table(
                some.set_column(place, "batch_id", ids),
                day / f"{batch_id}.parquet",
                compression="zstd",
            )
    os.sync()  # as files are that landed: those that are not written out yet are removed at once


def _read(home: Home, table: str) -> float:
    """Seconds."""
    sql = f"select batch_id, count(*) from bronze.{table} group by batch_id"
    seconds = []
    for _ in range(RUNS):
        began = time.monotonic()
        bronze.query(home, [table], sql)
        seconds.append(time.monotonic() - began)
    return statistics.median(seconds)


def _watched() -> list[float]:
    """How long each switch that comes has bronze alone, in seconds."""
    waits: list[float] = []
    finish = switch._finish

    def watched(bronze: Path) -> None:
        began = time.monotonic()
        finish(bronze)
        waits.append(time.monotonic() - began)

    switch._finish = watched
    return waits


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
