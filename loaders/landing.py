"""Land a file: accepted rows in bronze, refused ones in the dead letters, the sum in the ledger."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from collections.abc import Mapping as Counts
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from loaders import bronze
from loaders.contracts import Contract, contract_of
from loaders.durable import explained
from loaders.errors import AssayError
from loaders.geography import Databases, Geography
from loaders.home import Home, connect
from loaders.mapping import Mapping, load_mapping
from loaders.records import Documents, read_documents
from loaders.redaction import Redaction
from loaders.validation import build_validation
from loaders.vocabulary import read_vocabulary

PIPELINE_VERSION = version("assay-lakehouse")
_CHUNK_ROWS = 4096

# Refusals whose bytes must not be kept: they hold what may never land.
_NEVER_KEPT = {"pii_forbidden"}


@dataclass(slots=True)
class LandingResult:
    """What became of one file."""

    table: str
    file: str
    batch_id: str
    already_landed: bool = False
    received: int = 0
    accepted: int = 0
    rejected: int = 0
    duplicates: int = 0
    cut: int = 0  # values of secret fields, taken out of accepted records
    codes: dict[str, int] = field(default_factory=dict)
    sequences: dict[str, list[int]] = field(default_factory=dict)  # producer -> first, last
    notes: list[str] = field(default_factory=list)  # what a person may want to know

    def note_sequences(self, rows: pa.Table) -> None:
        """Widen the span of sequence numbers seen of each producer."""
        spans = rows.select(["producer", "sequence"]).drop_null().group_by("producer")
        for span in spans.aggregate([("sequence", "min"), ("sequence", "max")]).to_pylist():
            first, last = span["sequence_min"], span["sequence_max"]
            known = self.sequences.get(span["producer"], [first, last])
            self.sequences[span["producer"]] = [min(known[0], first), max(known[1], last)]


def land_file(
    home: Home,
    table: str,
    path: Path,
    mapping_file: Path | None = None,
    source_system: str = "file",
    name: str | None = None,
    on_bytes: Callable[[int], None] = lambda _: None,
    databases: Databases | None = None,
) -> LandingResult:
    """Land one file as one batch. The same file and mapping land once, however often they come.

    `name` is what the ledger calls the file. Where a sender left country and network out, they come
    from `databases`, by default those of the home. Raises AssayError where the file as a whole
    cannot be read, and nothing of it has landed then, or where the disk fails. A batch that was
    committed by then becomes visible with the next landing; any other leaves nothing.
    """
    contract = contract_of(table)
    if contract.silver is None:
        raise AssayError(f"{table} is written by Assay itself. Land events in a table of events.")
    mapping = load_mapping(mapping_file, contract)
    checksum = _checksum(path)
    batch_id = hashlib.sha256(f"{table}\n{mapping.digest}\n{checksum}".encode()).hexdigest()[:32]
    result = LandingResult(table, name or path.name, batch_id)
    again = f"land {result.file} again: no half of it is in bronze, and it will land once."
    with explained(home.bronze, again), bronze.batch_lock(home, batch_id):
        bronze.recover(home)  # whoever held the lock may have died between commit and move
        if bronze.is_landed(home, batch_id):
            result.already_landed = True
            return result
        started_at = datetime.now(UTC)
        batch = bronze.Batch(home, batch_id, started_at)
        try:
            with Geography(databases or Databases.of(home)) as geography:
                result.notes = geography.notes
                lander = _Lander(contract, mapping, batch, result, source_system, geography)
                lander.land(path, on_bytes)
            size = path.stat().st_size
            line = _ledger_line(result, checksum, size, started_at, source_system)
            batch.append("landing_ledger", line)
            batch.commit()
        except BaseException:
            batch.abandon()
            raise
    return result


class _Lander:
    """Validates the blocks of one file and hands them to its batch."""

    def __init__(
        self,
        contract: Contract,
        mapping: Mapping,
        batch: bronze.Batch,
        result: LandingResult,
        source_system: str,
        geography: Geography,
    ) -> None:
        self._geography = geography
        self._contract, self._batch, self._result = contract, batch, result
        self._source_system = source_system
        self._validation = build_validation(contract, mapping, read_vocabulary())
        self._redaction = Redaction(contract, mapping)
        self._connection = connect()
        # How often each equal record of the file was seen: what derived keys are told apart by.
        self._connection.execute(
            "create temp table seen (fingerprint varchar primary key, ordinal bigint)"
        )

    def land(self, path: Path, on_bytes: Callable[[int], None]) -> None:
        # Parquet is encoded in a thread of its own while DuckDB reads the next block.
        written: Future[None] | None = None
        with ThreadPoolExecutor(1) as writer, self._connection:
            for documents in read_documents(path, on_bytes):
                block, cuts = self._redaction.apply(documents.table)
                rows = self._typed(block)
                if written is not None:
                    written.result()
                written = writer.submit(self._write, rows, documents, cuts)
            if written is not None:
                written.result()

    def _typed(self, block: pa.Table) -> pa.Table:
        connection = self._connection
        # Small chunks, so that every core has some.
        chunks = block.to_batches(max_chunksize=_CHUNK_ROWS)
        connection.register("block", pa.Table.from_batches(chunks))
        # Rows come out in the order of the file, unless they were unfolded or given a key.
        rows = connection.sql(self._validation.rows).to_arrow_table()
        if self._validation.reorders:
            rows = rows.sort_by([("line_number", "ascending"), ("part", "ascending")])
        connection.unregister("block")
        if self._validation.derives_key:
            connection.register("derived", rows)
            connection.execute(
                "insert into seen select fingerprint, count(*) from derived group by fingerprint "
                "on conflict do update set ordinal = ordinal + excluded.ordinal"
            )
            connection.unregister("derived")
        return rows

    def _write(self, rows: pa.Table, documents: Documents, cuts: Counts[int, int]) -> None:
        accepted, refused = rows, rows.slice(0, 0)
        if rows["refusal"].null_count < rows.num_rows:
            is_accepted = pc.is_null(rows["refusal"])
            accepted, refused = rows.filter(is_accepted), rows.filter(pc.invert(is_accepted))
        self._result.received += rows.num_rows
        self._result.accepted += accepted.num_rows
        self._result.rejected += refused.num_rows
        if cuts:
            landed = set(accepted["line_number"].to_pylist())
            self._result.cut += sum(n for line, n in cuts.items() if line in landed)
        if accepted.num_rows:
            self._result.note_sequences(accepted)
            # After the payload hash, which is of what was sent.
            filled = self._geography.fill(accepted)
            self._batch.append(self._contract.table, self._enveloped(filled))
        if refused.num_rows:
            self._batch.append("dead_letters", self._dead_letters(refused, documents))

    def _enveloped(self, rows: pa.Table) -> pa.Table:
        constants = {
            "ingested_at": self._batch.ingested_at,
            "batch_id": self._batch.batch_id,
            "source_system": self._source_system,
            "pipeline_version": PIPELINE_VERSION,
        }
        schema = self._contract.arrow_schema
        columns = [
            pa.repeat(pa.scalar(constants[f.name], f.type), rows.num_rows)
            if f.name in constants
            else rows[f.name].cast(f.type)
            if f.name in rows.column_names
            else pa.nulls(rows.num_rows, f.type)  # retired
            for f in schema
        ]
        return pa.Table.from_arrays(columns, schema=schema)

    def _dead_letters(self, refused: pa.Table, documents: Documents) -> pa.Table:
        index_of = {line: i for i, line in enumerate(documents.table["line_number"].to_pylist())}
        letters = []
        for row in refused.select(["line_number", "part", "refusal", "event_key"]).to_pylist():
            code, _, pointer = row["refusal"].partition(" ")
            self._result.codes[code] = self._result.codes.get(code, 0) + 1
            identity = f"{self._batch.batch_id}:{row['line_number']}:{row['part']}"
            keep = code not in _NEVER_KEPT
            letters.append(
                {
                    "dead_letter_id": hashlib.sha256(identity.encode()).hexdigest()[:32],
                    "code": code,
                    "table_name": self._contract.table,
                    "batch_id": self._batch.batch_id,
                    "line_number": row["line_number"],
                    "received_at": self._batch.ingested_at,
                    "pointer": pointer or None,
                    "event_id": row["event_key"],
                    "raw": documents.raw(index_of[row["line_number"]]) if keep else None,
                    "attempts": 1,
                    "resolution": None,
                    "ingested_at": self._batch.ingested_at,
                    "source_system": self._source_system,
                    "pipeline_version": PIPELINE_VERSION,
                }
            )
        return pa.Table.from_pylist(letters, schema=contract_of("dead_letters").arrow_schema)


def _checksum(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise AssayError(
            f"{path.name} cannot be read ({type(error).__name__}). Nothing of it was landed."
        ) from None


def _ledger_line(
    result: LandingResult, checksum: str, size: int, started_at: datetime, source_system: str
) -> pa.Table:
    line = {
        "batch_id": result.batch_id,
        "table_name": result.table,
        "received": result.received,
        "accepted": result.accepted,
        "rejected": result.rejected,
        "duplicates": result.duplicates,
        "bytes": size,
        "checksum": checksum,
        "started_at": started_at,
        "finished_at": datetime.now(UTC),
        "source_file": result.file,
        "cut": result.cut,
        "sequences": json.dumps(result.sequences) if result.sequences else None,
        "ingested_at": started_at,
        "source_system": source_system,
        "pipeline_version": PIPELINE_VERSION,
    }
    return pa.Table.from_pylist([line], schema=contract_of("landing_ledger").arrow_schema)
