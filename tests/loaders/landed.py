"""What the tests of landing share: the real command, and bronze read without Assay's own code."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from forked_assay import forked_assay

from loaders.home import Home

ASSAY = Path(sys.executable).with_name("assay")
LONG = os.environ.get("ASSAY_LONG") == "1"

ATTEMPT = {
    "event_id": "e1",
    "timestamp": "2026-05-01T10:00:00Z",
    "action": "login",
    "status": "success",
}

_PROGRESS = re.compile(r": \d+%?$")


def assay(
    *arguments: object, home: Home | Path | None = None, stdin: bytes = b"", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `assay` as a user does. Nothing of the caller's ASSAY_ variables reaches it.

    What Python reads of the environment when it begins, such as a time zone or where modules are,
    is given to a new one.
    """
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("ASSAY_")}
    where = ["--home", str(home.path if isinstance(home, Home) else home)] if home else []
    words, given = [*map(str, arguments), *where], {**inherited, **environment}
    if all(name.startswith("ASSAY_") for name in environment):
        result = forked_assay(words, given, stdin)
    else:
        result = subprocess.run(
            [str(ASSAY), *words], env=given, input=stdin, capture_output=True, check=False
        )
    return subprocess.CompletedProcess(
        result.args, result.returncode, result.stdout.decode(), result.stderr.decode()
    )


def batch_files(home: Home, table: str) -> list[Path]:
    """The Parquet files of a table that hold batches, so not the empty one with the schema."""
    files = (home.bronze / table).glob("ingest_date=*/*.parquet")
    return sorted(file for file in files if file.name != "schema.parquet")


def bronze_rows(home: Home, table: str = "attempts") -> list[dict[str, Any]]:
    """Every row of a bronze table, in order of batch and line."""
    rows = [
        row for file in batch_files(home, table) for row in pq.ParquetFile(file).read().to_pylist()
    ]
    return sorted(rows, key=lambda row: (row["batch_id"], row.get("line_number") or 0))


def says_one_line(result: subprocess.CompletedProcess[str]) -> str:
    """The one line that a failed command said, and that it said nothing else.

    Where the machine is slow, lines of progress come before it.
    """
    assert result.stdout == ""
    said = [line for line in result.stderr.splitlines() if not _PROGRESS.search(line)]
    assert len(said) == 1, result.stderr
    return said[0]
