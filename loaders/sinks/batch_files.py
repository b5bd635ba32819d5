"""Where a batch is in the Parquet files of a table: in a file of its own, or in a merged one.

A batch lands as a file that is named by it. Merged files hold many batches, sorted by batch, so
that the statistics of their row groups say which of these to read for one.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from loaders.home import SCHEMA_FILE

BATCH = "batch_id"
_MERGED = "merged-"
_ANY = (None, None)


def merged_name() -> str:
    """A name for a merged file that no other ever had."""
    return f"{_MERGED}{uuid.uuid4().hex}.parquet"


def is_merged(file: Path) -> bool:
    return file.name.startswith(_MERGED)


def files_of(table: Path) -> list[Path]:
    """The files of a table that hold rows; `table` is its folder in bronze."""
    return [file for file in table.glob("ingest_date=*/*.parquet") if file.name != SCHEMA_FILE]


def files_with(table: Path, batch_id: str) -> Iterator[Path]:
    """The files of a table that may hold a batch, the likeliest first."""
    yield from table.glob(f"ingest_date=*/{batch_id}.parquet")
    yield from sorted(table.glob(f"ingest_date=*/{_MERGED}*.parquet"), reverse=True)


def read_batch(file: Path, batch_id: str, columns: Sequence[str] | None = None) -> pa.Table:
    """What a file holds of a batch: all columns, or those of the named ones that it has.

    A file that is the batch's own is read as it is, whatever its rows say.
    """
    wanted = list(columns) if columns is not None else None
    with pq.ParquetFile(file) as parquet:
        if not is_merged(file):
            return parquet.read(wanted)
        groups = [
            number
            for number, (first, last) in enumerate(batch_spans(parquet.metadata))
            if first is None or last is None or first <= batch_id <= last
        ]
        read = None if wanted is None else list(dict.fromkeys([*wanted, BATCH]))
        rows = parquet.read_row_groups(groups, read)
    found = rows.filter(pc.equal(rows[BATCH], batch_id))
    return found if wanted is None else found.select(n for n in wanted if n in found.column_names)


def batch_spans(metadata: pq.FileMetaData) -> list[tuple[str | None, str | None]]:
    """The first and the last batch of every row group; None where its statistics do not say."""
    place = metadata.schema.to_arrow_schema().get_field_index(BATCH)
    chunks = (metadata.row_group(n).column(place) for n in range(metadata.num_row_groups))
    found = (chunk.statistics for chunk in chunks)
    return [
        (known.min, known.max) if known and known.has_min_max and not known.null_count else _ANY
        for known in found
    ]
