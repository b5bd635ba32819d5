"""One batch as `assay check` sees it: the columns and values that its file has."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from loaders.checks.expectations import is_later
from loaders.contracts import Contract, read_as
from loaders.erasure.bronze import ERASED
from loaders.errors import AssayError
from loaders.landing.batches import PIPELINE_VERSION
from loaders.sinks.batch_files import BATCH, files_with, is_merged, read_batch


@dataclass(frozen=True, slots=True)
class BatchFile:
    """One batch of one table. `rows` is what the ledger says; null where it says nothing."""

    table: str
    batch_id: str
    path: Path | None  # None where the ledger has a batch that is in no file
    rows: int | None


def ages_of(table: str, file: Path) -> dict[str, int]:
    """The batches of a file, and when each came, in nanoseconds."""
    if not is_merged(file):
        return {file.stem: file.stat().st_mtime_ns}
    with _readable(table, file.stem, file), pq.ParquetFile(file) as parquet:
        rows = parquet.read([BATCH, "ingested_at"])
    came = rows.group_by(BATCH).aggregate([("ingested_at", "min")])
    times = came["ingested_at_min"].cast(pa.int64()).to_pylist()
    return {name: 1000 * us for name, us in zip(came[BATCH].to_pylist(), times, strict=True)}


def found_again(batch: BatchFile) -> BatchFile:
    """The batch where it is now: its file may have been merged since it was listed."""
    if batch.path is None or batch.path.exists():
        return batch
    for file in files_with(batch.path.parent.parent, batch.batch_id):
        if _read(batch, file, [BATCH]).num_rows:
            return replace(batch, path=file)
    return replace(batch, path=None)


def resolved_in(batch: BatchFile) -> int:
    """Rows by which a replay says what it accepted: the ledger does not count them as refused."""
    if batch.table != "dead_letters" or batch.path is None:
        return 0
    rows = _read(batch, batch.path, ["resolution"])
    if "resolution" not in rows.column_names:
        return 0
    return int(rows.num_rows - rows["resolution"].null_count)


def shape_of(batch: BatchFile, contract: Contract) -> tuple[pa.Schema, str]:
    """The columns of a batch, and the version of Assay that wrote it."""
    if batch.path is None:
        return contract.arrow_schema, PIPELINE_VERSION
    with _readable(batch.table, batch.batch_id, batch.path):
        schema = pq.read_schema(batch.path)
    version = PIPELINE_VERSION
    if "pipeline_version" in schema.names:
        column = _read(batch, batch.path, ["pipeline_version"])["pipeline_version"]
        version = next((str(value) for value in column.slice(0, 1).to_pylist() if value), version)
    return _without_later(batch, batch.path, contract, schema, version), version


def values_of(
    batch: BatchFile, contract: Contract, schema: pa.Schema, looked_at: set[str]
) -> pa.Table:
    """A batch with the values that are looked at; of the other columns it has the type alone."""
    if batch.path is None:
        return contract.arrow_schema.empty_table()
    declared = {column.name: column.data_type for column in contract.kept_columns}
    types = {f.name: read_as(f.type, declared.get(f.name)) for f in schema}
    wanted = [f.name for f in schema if f.name in looked_at and types[f.name] is not None]
    values = _read(batch, batch.path, wanted or schema.names[:1])
    columns = {
        f.name: values[f.name].cast(types[f.name], safe=False)
        if f.name in wanted
        else pa.nulls(values.num_rows, types[f.name] or f.type)
        for f in schema
    }
    return pa.table(columns)


def without_erased(rows: pa.Table, contract: Contract) -> pa.Table:
    """The rows that still say something: of an erased person's only the line is left."""
    if not {"payload_hash", contract.key} <= set(rows.column_names):
        return rows
    is_erased = pc.and_(
        pc.is_null(rows["payload_hash"]), pc.starts_with(rows[contract.key], ERASED)
    )
    return rows.filter(pc.invert(pc.fill_null(is_erased, fill_value=False)))


def _without_later(
    batch: BatchFile, path: Path, contract: Contract, schema: pa.Schema, version: str
) -> pa.Schema:
    """The columns that a batch had when it landed: merging gave it those that came later."""
    later = [
        column.name
        for column in contract.kept_columns
        if is_merged(path) and column.name in schema.names and is_later(column.since, version)
    ]
    if later:
        rows = _read(batch, path, later)
        later = [name for name in later if rows[name].null_count == rows.num_rows]
    return pa.schema([field for field in schema if field.name not in later])


def _read(batch: BatchFile, path: Path, columns: list[str]) -> pa.Table:
    with _readable(batch.table, batch.batch_id, path):
        return read_batch(path, batch.batch_id, columns)


@contextlib.contextmanager
def _readable(table: str, batch_id: str, file: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        instead = "" if is_merged(file) else ", or remove it and land its source again"
        raise AssayError(
            f"{table}: batch {batch_id} cannot be read ({type(error).__name__}). "
            f"Restore its file from a backup{instead}."
        ) from None
