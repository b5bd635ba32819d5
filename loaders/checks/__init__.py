"""Check what landed against its contracts: `assay check`.

Landing refuses what a contract forbids. This looks from the other side, at the Parquet files that
are there, whoever wrote or changed them: a batch that did not arrive whole and in shape is named.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from loaders import bronze
from loaders.checks.batch import (
    BatchFile,
    ages_of,
    found_again,
    resolved_in,
    shape_of,
    values_of,
    without_erased,
)
from loaders.checks.check_engine import Engine, Outcome
from loaders.checks.expectations import columns_of, expectations_of, value_columns
from loaders.compaction.switch import undisturbed
from loaders.contracts import Contract, contract_of, load_contracts
from loaders.home import Home, bronze_reader, quote
from loaders.landing.batches import PIPELINE_VERSION
from loaders.sinks.batch_files import files_of

RESULTS = "expectation_results"

_ROWS_OF = {"dead_letters": "rejected"}  # column of the ledger; of a table of events, accepted


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
        for outcome, row_total in _outcomes(home, engine, batch, now):
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
    with bronze_reader(home, RESULTS) as reader:
        rows = reader.execute(
            """
            select table_name, checked_batch_id, checked_at, count(*) filter (not success)
            from bronze.expectation_results
            group by table_name, checked_batch_id, checked_at
            qualify row_number() over (
                partition by table_name, checked_batch_id order by checked_at desc
            ) = 1
            """
        ).fetchall()
    return {(row[0], row[1]): (row[2], row[3]) for row in rows}


def _chosen(home: Home, contract: Contract, newest: int | None) -> list[BatchFile]:
    batches = _batches(home, contract)
    if newest is not None:
        return batches[-newest:]
    results = last_results(home)
    return [b for b in batches if results.get((b.table, b.batch_id), (None, 1))[1]]


def _batches(home: Home, contract: Contract) -> list[BatchFile]:
    """Every batch of a table, oldest first; those that only the ledger knows come last."""
    files = _paths(home, contract)
    if contract.silver is None and contract.table not in _ROWS_OF:
        return [BatchFile(contract.table, name, path, None) for name, path in files.items()]
    bronze.recover(home)  # a file is there before its line in the ledger
    counted = _ROWS_OF.get(contract.table, "accepted")
    of_table = f"table_name = {quote(contract.table)}" if contract.silver else "true"
    with bronze_reader(home, "landing_ledger") as reader:
        ledger = reader.execute(
            f"select batch_id, {counted}, finished_at from bronze.landing_ledger "
            f"where {of_table} order by finished_at"
        ).fetchall()
    lines = {name: rows for name, rows, _ in ledger}
    landed_since = _paths(home, contract)
    oldest = datetime.now(UTC) - timedelta(days=contract.retention_days)
    missing = [n for n, rows, at in ledger if rows and at > oldest and n not in landed_since]
    return [
        BatchFile(contract.table, name, files.get(name), lines.get(name, 0))
        for name in (*files, *missing)
    ]


def _paths(home: Home, contract: Contract) -> dict[str, Path]:
    """Where each batch of a table is, oldest first."""
    with undisturbed(home.bronze):
        found = [
            (file.parent.name, age, batch_id, file)
            for file in files_of(home.bronze / contract.table)
            for batch_id, age in ages_of(contract.table, file).items()
        ]
    return {batch_id: file for _, _, batch_id, file in sorted(found)}


def _outcomes(
    home: Home, engine: Engine, batch: BatchFile, now: datetime
) -> Iterator[tuple[Outcome, int]]:
    contract = contract_of(batch.table)
    with undisturbed(home.bronze, is_short=True):
        batch = found_again(batch)
        schema, version = shape_of(batch, contract)
        columns = columns_of(contract, schema.names, version)
        suite = expectations_of(contract, columns, now)
        landed = values_of(batch, contract, schema, value_columns(suite))
        table = without_erased(landed, contract)
        lines = landed.num_rows if batch.rows is None else batch.rows + resolved_in(batch)
        rows = lines - (landed.num_rows - table.num_rows)
    left_out = [c.name for c in contract.kept_columns if c not in columns]
    name = "-without-".join([batch.table, *left_out])
    engine.add_suite(name, suite)
    for outcome in engine.validate(name, batch.batch_id, table, rows):
        yield outcome, table.num_rows


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
