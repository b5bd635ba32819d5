"""Check what landed against its contracts: `assay check`.

Landing refuses what a contract forbids. This looks from the other side, at the Parquet files that
are there, whoever wrote or changed them: a batch that did not arrive whole and in shape is named.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from loaders import bronze
from loaders.checks.check_engine import Engine, Outcome
from loaders.checks.expectations import columns_of, expectations_of, value_columns
from loaders.contracts import ARROW_TYPES, WIDENINGS, Contract, contract_of, load_contracts
from loaders.errors import AssayError
from loaders.home import Home, bronze_reader, quote
from loaders.landing.batches import PIPELINE_VERSION

RESULTS = "expectation_results"

_ROWS_OF = {"dead_letters": "rejected"}  # column of the ledger; of a table of events, accepted


@dataclass(frozen=True, slots=True)
class BatchFile:
    """One batch of one table. `rows` is what the ledger says; null where it says nothing."""

    table: str
    batch_id: str
    path: Path | None  # None where the ledger has a batch whose file is not there
    rows: int | None


@dataclass(frozen=True, slots=True)
class Finding:
    """One expectation that a batch does not meet."""

    table: str
    batch_id: str
    outcome: Outcome


@dataclass(slots=True)
class CheckResult:
    """What a check found. `docs` is the first page of the data docs, where they were wanted."""

    batches: int = 0
    expectations: int = 0
    findings: list[Finding] = field(default_factory=list)
    docs: str | None = None


def check(
    home: Home,
    tables: Iterable[str] = (),
    newest: int | None = None,
    docs: Path | None = None,
    on_batch: Callable[[], None] = lambda: None,
) -> CheckResult:
    """Check the newest batches of some tables, of all where none is named; record what was found.

    Without `newest`, these are the batches that were not found in order yet. Raises AssayError
    where Great Expectations is not installed, or a file cannot be read as Parquet.
    """
    wanted = [contract_of(table) for table in tables] or list(load_contracts().values())
    batches = [
        batch
        for contract in wanted
        if contract.table != RESULTS
        for batch in _chosen(home, contract, newest)
    ]
    result = CheckResult()
    if not batches:
        return result
    engine, now = Engine(docs), datetime.now(UTC)
    rows: list[dict[str, Any]] = []
    check_id = uuid.uuid4().hex
    for batch in batches:
        for outcome, row_total in _outcomes(engine, batch, now):
            result.expectations += 1
            if not outcome.success:
                result.findings.append(Finding(batch.table, batch.batch_id, outcome))
            rows.append(_result_row(check_id, len(rows), batch, outcome, row_total, now))
        result.batches += 1
        on_batch()
    bronze.write_rows(home, RESULTS, check_id, rows)
    result.docs = engine.write_docs() if docs else None
    return result


def last_results(home: Home) -> dict[tuple[str, str], tuple[datetime, int]]:
    """Of each batch that was ever checked: when last, and how many expectations failed then."""
    rows = bronze_reader(home, RESULTS).execute(
        """
        select table_name, checked_batch_id, checked_at, count(*) filter (not success)
        from bronze.expectation_results
        group by table_name, checked_batch_id, checked_at
        qualify row_number() over (
            partition by table_name, checked_batch_id order by checked_at desc
        ) = 1
        """
    )
    return {(row[0], row[1]): (row[2], row[3]) for row in rows.fetchall()}


def _chosen(home: Home, contract: Contract, newest: int | None) -> list[BatchFile]:
    batches = _batches(home, contract)
    if newest is not None:
        return batches[-newest:]
    results = last_results(home)
    return [b for b in batches if results.get((b.table, b.batch_id), (None, 1))[1]]


def _batches(home: Home, contract: Contract) -> list[BatchFile]:
    """Every batch of a table, oldest first; those that only the ledger knows come last."""
    files = _files(home, contract)
    if contract.silver is None and contract.table not in _ROWS_OF:
        return [BatchFile(contract.table, name, path, None) for name, path in files.items()]
    bronze.recover(home)  # a file is there before its line in the ledger
    counted = _ROWS_OF.get(contract.table, "accepted")
    of_table = f"table_name = {quote(contract.table)}" if contract.silver else "true"
    ledger = (
        bronze_reader(home, "landing_ledger")
        .execute(
            f"select batch_id, {counted}, finished_at from bronze.landing_ledger "
            f"where {of_table} order by finished_at"
        )
        .fetchall()
    )
    lines = {name: rows for name, rows, _ in ledger}
    landed_since = _files(home, contract)
    oldest = datetime.now(UTC) - timedelta(days=contract.retention_days)
    missing = [n for n, rows, at in ledger if rows and at > oldest and n not in landed_since]
    return [
        BatchFile(contract.table, name, files.get(name), lines.get(name, 0))
        for name in (*files, *missing)
    ]


def _files(home: Home, contract: Contract) -> dict[str, Path]:
    """The files of a table by batch, oldest first."""
    paths = (home.bronze / contract.table).glob("ingest_date=*/*.parquet")
    ages = {path: path.stat().st_mtime_ns for path in paths if path.name != "schema.parquet"}
    ordered = sorted(ages, key=lambda path: (path.parent.name, ages[path], path.stem))
    return {path.stem: path for path in ordered}


def _outcomes(engine: Engine, batch: BatchFile, now: datetime) -> Iterator[tuple[Outcome, int]]:
    contract = contract_of(batch.table)
    schema, version = _shape(batch, contract)
    columns = columns_of(contract, schema.names, version)
    suite = expectations_of(contract, columns, now)
    left_out = [c.name for c in contract.kept_columns if c not in columns]
    name = "-without-".join([batch.table, *left_out])
    engine.add_suite(name, suite)
    table = _values(batch, contract, schema, value_columns(suite))
    rows = table.num_rows if batch.rows is None else batch.rows + _resolved(batch)
    for outcome in engine.validate(name, batch.batch_id, table, rows):
        yield outcome, table.num_rows


def _resolved(batch: BatchFile) -> int:
    """Rows by which a replay says what it accepted: the ledger does not count them as refused."""
    if batch.table != "dead_letters" or batch.path is None:
        return 0
    with _readable(batch):
        file = pq.ParquetFile(batch.path)
        if "resolution" not in file.schema_arrow.names:
            return 0
        resolutions = file.read(["resolution"])["resolution"]
        return len(resolutions) - int(resolutions.null_count)


def _shape(batch: BatchFile, contract: Contract) -> tuple[pa.Schema, str]:
    """The columns of a batch, and the version of Assay that wrote it."""
    if batch.path is None:
        return contract.arrow_schema, PIPELINE_VERSION
    with _readable(batch):
        file = pq.ParquetFile(batch.path)
        versions = []
        if "pipeline_version" in file.schema_arrow.names and file.metadata.num_rows:
            column = file.read(["pipeline_version"])["pipeline_version"]
            versions = [str(value) for value in column.slice(0, 1).to_pylist() if value]
        return file.schema_arrow, (versions or [PIPELINE_VERSION])[0]


def _values(
    batch: BatchFile, contract: Contract, schema: pa.Schema, looked_at: set[str]
) -> pa.Table:
    """A batch with the values that are looked at; of the other columns it has the type alone."""
    if batch.path is None:
        return contract.arrow_schema.empty_table()
    declared = {column.name: column.data_type for column in contract.kept_columns}
    types = {f.name: _read_as(f.type, declared.get(f.name)) for f in schema}
    wanted = [f.name for f in schema if f.name in looked_at and types[f.name] is not None]
    with _readable(batch):
        file = pq.ParquetFile(batch.path)
        values = file.read(wanted)
    rows = file.metadata.num_rows
    columns = {
        f.name: values[f.name].cast(types[f.name], safe=False)
        if f.name in wanted
        else pa.nulls(rows, types[f.name] or f.type)
        for f in schema
    }
    return pa.table(columns)


def _read_as(there: pa.DataType, declared: str | None) -> pa.DataType | None:
    """The type that a reader of bronze sees, or None where it is not the one declared."""
    if pa.types.is_large_string(there):
        there = pa.string()
    elif pa.types.is_timestamp(there) and there.tz:
        there = ARROW_TYPES["timestamp"]
    wider = declared and ARROW_TYPES[declared]
    narrower = [ARROW_TYPES[n] for n, wide in WIDENINGS if wide == declared]
    return wider if there == wider or there in narrower else None


@contextlib.contextmanager
def _readable(batch: BatchFile) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise AssayError(
            f"{batch.table}: batch {batch.batch_id} cannot be read ({type(error).__name__}). "
            "Restore its file from a backup, or remove it and land its source again."
        ) from None


def _result_row(
    check_id: str, number: int, batch: BatchFile, outcome: Outcome, rows: int, now: datetime
) -> dict[str, Any]:
    return {
        "result_id": f"{check_id}-{number}",
        "table_name": batch.table,
        "checked_batch_id": batch.batch_id,
        "checked_at": now,
        "expectation": outcome.expectation,
        "column_name": outcome.column,
        "success": outcome.success,
        "rows_checked": rows,
        "unexpected_count": outcome.unexpected_count,
        "unexpected_percent": outcome.unexpected_percent,
        "ingested_at": now,
        "batch_id": check_id,
        "source_system": "assay",
        "pipeline_version": PIPELINE_VERSION,
    }
