"""Small batches in bronze, as a collector leaves them, and what is there of them afterwards."""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from loaders.bronze import Batch, batch_lock
from loaders.contracts import contract_of
from loaders.home import Home, bronze_reader
from loaders.landing.batches import PIPELINE_VERSION

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)  # all batches are of one day, whenever this runs
TABLES = ("attempts", "dead_letters", "landing_ledger")
Rows = Counter[tuple[str, int]]  # batch and line


def land_small(
    home: Home, rows: int = 2, letters: int = 1, now: datetime = NOW, table: str = "attempts"
) -> str:
    """Land a batch of some rows and dead letters by landing's own way. Returns its id."""
    batch_id = uuid.uuid4().hex
    common = {
        "batch_id": batch_id,
        "ingested_at": now,
        "source_system": "web",
        "pipeline_version": PIPELINE_VERSION,
    }
    attempt = {"timestamp": now, "action": "login", "status": "success", "payload_hash": "0"}
    letter = {
        "table_name": table,
        "code": "payload_malformed",
        "received_at": now,
        "attempts": 1,
    }
    line = {
        "table_name": table,
        "received": rows + letters,
        "accepted": rows,
        "rejected": letters,
        "duplicates": 0,
        "bytes": 1,
        "checksum": batch_id,
        "started_at": now,
        "finished_at": now,
    }
    written: dict[str, list[dict[str, Any]]] = {
        table: [{**attempt, "event_id": f"{batch_id}-{n}", "line_number": n} for n in range(rows)],
        "dead_letters": [
            {**letter, "dead_letter_id": f"{batch_id}-{n}", "line_number": rows + n, "raw": b"{"}
            for n in range(letters)
        ],
        "landing_ledger": [line],
    }
    with batch_lock(home, batch_id):
        batch = Batch(home, batch_id, now)
        for name, found in written.items():
            if found:
                schema = contract_of(name).arrow_schema
                full = [{**common, **row} for row in found]
                batch.append(name, pa.Table.from_pylist(full, schema=schema))
        batch.commit()
    return batch_id


def read_lines(home: Home, table: str = "attempts") -> Rows:
    """Every line of a table and how often it is there, as a reader of Assay finds it."""
    line = "0" if table == "landing_ledger" else "line_number"
    with bronze_reader(home, table) as reader:
        rows = reader.execute(f"select batch_id, {line} from bronze.{table}").fetchall()
    return Counter((row[0], row[1]) for row in rows)


def files_in(home: Home, table: str = "attempts") -> list[Path]:
    """The files that hold rows of a table."""
    files = (home.bronze / table).glob("ingest_date=*/*.parquet")
    return sorted(file for file in files if file.name != "schema.parquet")


def all_rows(home: Home, table: str) -> list[dict[str, Any]]:
    """The rows of a table read file by file, without Assay: what readers of many files unite."""
    files = map(pq.ParquetFile, files_in(home, table))
    rows = [row for file in files for row in file.read().to_pylist()]
    return sorted(rows, key=lambda row: (row["batch_id"], row.get("line_number") or 0))


def leftovers(home: Home) -> list[str]:
    """What is left outside of the tables."""
    aside = [home.bronze / ".staging", home.bronze / ".committed"]
    found = [path for place in aside if place.exists() for path in place.iterdir()]
    return [path.name for path in [*found, *home.bronze.glob(".switch")]]
