"""How long dlt takes to bring a file of JSON lines into DuckDB.

dlt_landing.py dicts|arrow FILE ROWS RUNS COLUMNS
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"

import dlt
import duckdb
from dlt.common.json import json as dlt_json

AT_ONCE = 10_000  # dicts that are given on together: one by one takes longer
BATCH = 100_000


def _dicts(file: str, rows: int) -> Iterator[list[Any]]:
    with Path(file).open("rb") as lines:
        some = itertools.islice(lines, rows)
        while chunk := list(itertools.islice(some, AT_ONCE)):
            yield [dlt_json.loadb(line) for line in chunk]


def _arrow(file: str, columns: dict[str, str]) -> Iterator[Any]:
    """DuckDB reads the JSON."""
    types = {name: "VARCHAR" if of == "JSON" else of for name, of in columns.items()}
    with duckdb.connect() as connection:
        yield from connection.execute(
            f"from read_json('{file}', format = 'newline_delimited', columns = {types})"
        ).fetch_record_batch(BATCH)


def main(kind: str, file: str, rows: str, runs: str, columns: str) -> None:
    """Print the seconds of each run, and how many rows came of the last."""
    took, counted = [], 0
    for _ in range(int(runs)):
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/file.duckdb"
            pipeline = dlt.pipeline(
                "landing",
                pipelines_dir=f"{folder}/pipelines",
                destination=dlt.destinations.duckdb(path),
                dataset_name="landed",
            )
            data = _dicts(file, int(rows)) if kind == "dicts" else _arrow(file, json.loads(columns))
            begun = time.monotonic()
            pipeline.run(data, table_name="attempts", loader_file_format="parquet")
            took.append(time.monotonic() - begun)
            with duckdb.connect(path) as connection:
                found = connection.execute("select count(*) from landed.attempts").fetchone()
            counted = found[0] if found else 0
    assert counted == int(rows), f"{counted} of {rows} rows landed"
    print(json.dumps({"seconds": took, "rows": counted}))


if __name__ == "__main__":
    main(*sys.argv[1:])
