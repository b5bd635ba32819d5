"""Land a file: accepted rows in bronze, refused ones in the dead letters, the sum in the ledger."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Mapping as Counts
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from loaders import bronze
from loaders.contracts import contract_of
from loaders.durable import explained
from loaders.errors import AssayError
from loaders.home import Home
from loaders.landing.geography import Databases, Geography
from loaders.landing.mapping import load_mapping
from loaders.landing.numbered import numbered
from loaders.landing.records import Documents, read_documents
from loaders.landing.validator import Validator

PIPELINE_VERSION = version("assay-lakehouse")

AnyLander = TypeVar("AnyLander", bound="Lander")

# Refusals whose bytes must not be kept: they hold what may never land.
_NEVER_KEPT = {"pii_forbidden", "residency_violation"}


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
        """Widen the span of sequence numbers seen of each producer, where the table has them."""
        if "sequence" not in rows.column_names:
            return
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
    if not contract.is_landed:
        raise AssayError(f"{table} is written by Assay itself. Land events in a table of events.")
    mapping = load_mapping(mapping_file, contract)
    checksum = _checksum(path)
    batch_id = hashlib.sha256(f"{table}\n{mapping.digest}\n{checksum}".encode()).hexdigest()[:32]
    result = LandingResult(table, name or path.name, batch_id)
    again = f"land {result.file} again: no half of it is in bronze, and it will land once."
    with explained(home.bronze, again), bronze.batch_lock(home, batch_id):
        bronze.recover(home)  # whoever held the lock may have died between commit and move
        if bronze.is_landed(home, batch_id):
            return _as_landed_before(home, result)
        with (
            Validator(contract, mapping, home.residency) as validator,
            landing(home, validator, result, source_system, databases, Lander) as lander,
        ):
            lander.take(read_documents(path, lander.fields, on_bytes))
            lander.note(checksum, path.stat().st_size)
    return result


@contextlib.contextmanager
def landing(
    home: Home,
    validator: Validator,
    result: LandingResult,
    source_system: str,
    databases: Databases | None,
    kind: type[AnyLander],
    prompt: bool = False,
) -> Iterator[AnyLander]:
    """A batch while it is filled: committed at the end, or forgotten where something fails.

    `prompt` says that somebody waits to see it, rather than that it is cheap to move.
    """
    batch = bronze.Batch(home, result.batch_id, datetime.now(UTC), prompt)
    try:
        with Geography(databases or Databases.of(home)) as geography:
            result.notes = geography.notes
            yield kind(validator, geography, batch, result, source_system)
        batch.commit()
    except BaseException:
        batch.abandon()
        raise


class Lander:
    """Validates blocks of records and hands them to a batch."""

    def __init__(
        self,
        validator: Validator,
        geography: Geography,
        batch: bronze.Batch,
        result: LandingResult,
        source_system: str,
    ) -> None:
        self.fields = validator.fields
        self._contract, self._validator, self._geography = validator.contract, validator, geography
        self._batch, self._result, self._source_system = batch, result, source_system

    def take(self, blocks: Iterable[Documents]) -> None:
        """Land blocks of records."""
        # While DuckDB validates a block, one thread reads the next and one encodes the last.
        written: Future[None] | None = None
        with ThreadPoolExecutor(1) as writer:
            for documents in _read_ahead(blocks):
                rows, cuts = self._validator.rows(documents.table)
                if written is not None:
                    written.result()
                written = writer.submit(self._write, rows, documents, cuts)
            if written is not None:
                written.result()

    def note(self, checksum: str, size: int, trace_ids: Sequence[str] = ()) -> None:
        """Write the batch's line of the ledger: `size` bytes came, with this SHA-256.

        `trace_ids` are those of the requests that sent it.
        """
        line = _ledger_line(
            self._result, checksum, size, self._batch.ingested_at, self._source_system, trace_ids
        )
        self._batch.append("landing_ledger", line)

    def _write(self, rows: pa.Table, documents: Documents, cuts: Counts[int, int]) -> None:
        accepted, refused = rows, rows.slice(0, 0)
        if rows["refusal"].null_count < rows.num_rows:
            is_accepted = pc.is_null(rows["refusal"])
            accepted, refused = rows.filter(is_accepted), rows.filter(pc.invert(is_accepted))
        if accepted.num_rows:
            self._accept(accepted, documents, cuts)
        if refused.num_rows:
            self._refuse(refused, documents)

    def _accept(self, rows: pa.Table, documents: Documents, cuts: Counts[int, int]) -> None:
        self._result.received += rows.num_rows
        self._result.accepted += rows.num_rows
        if cuts:
            landed = set(rows["line_number"].to_pylist())
            self._result.cut += sum(n for line, n in cuts.items() if line in landed)
        self._result.note_sequences(rows)
        # After the payload hash, which is of what was sent.
        filled = self._geography.fill(rows)
        self._batch.append(self._contract.table, self._enveloped(filled))

    def _refuse(self, rows: pa.Table, documents: Documents) -> None:
        self._result.received += rows.num_rows
        self._result.rejected += rows.num_rows
        letters = []
        for refusal in self._refusals(rows, documents):
            letters.append(
                {
                    **refusal,
                    "dead_letter_id": self._letter_id(refusal["line_number"], refusal.pop("part")),
                    "batch_id": self._batch.batch_id,
                    "attempts": 1,
                }
            )
        self._file(letters)

    def _letter_id(self, line: int, part: int) -> str:
        identity = f"{self._batch.batch_id}:{line}:{part}"
        return hashlib.sha256(identity.encode()).hexdigest()[:32]

    def _refusals(self, rows: pa.Table, documents: Documents) -> Iterator[dict[str, Any]]:
        """Why each row was refused, and what is kept of it."""
        index_of = {line: i for i, line in enumerate(documents.table["line_number"].to_pylist())}
        names = ["line_number", "part", "refusal", "event_key", "producer", "sequence"]
        for row in rows.select([n for n in names if n in rows.column_names]).to_pylist():
            code, _, pointer = row["refusal"].partition(" ")
            self._result.codes[code] = self._result.codes.get(code, 0) + 1
            keep = code not in _NEVER_KEPT
            is_of_here = code != "residency_violation"
            sent = (row.get("producer"), row.get("sequence")) if is_of_here else (None, None)
            producer, sequence = numbered(*sent)
            yield {
                "line_number": row["line_number"],
                "part": row["part"],
                "code": code,
                "pointer": pointer or None,
                # Of a person of another residency nothing may be here, no id either.
                "event_id": row["event_key"] if is_of_here else None,
                "producer": producer,
                "sequence": sequence,
                "raw": documents.raw(index_of[row["line_number"]]) if keep else None,
                "header": documents.header if keep else None,
                "source_system": self._source_system,
            }

    def _file(self, letters: list[dict[str, Any]]) -> None:
        """Append dead letters to the batch."""
        envelope = {
            "table_name": self._contract.table,
            "received_at": self._batch.ingested_at,
            "ingested_at": self._batch.ingested_at,
            "pipeline_version": PIPELINE_VERSION,
        }
        rows = [{**envelope, **letter} for letter in letters]
        schema = contract_of("dead_letters").arrow_schema
        self._batch.append("dead_letters", pa.Table.from_pylist(rows, schema=schema))

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


def _read_ahead(blocks: Iterable[Documents]) -> Iterator[Documents]:
    """The blocks, each read while the one before it is worked on."""
    source = iter(blocks)
    with ThreadPoolExecutor(1) as reader:
        following = reader.submit(next, source, None)
        while (block := following.result()) is not None:
            following = reader.submit(next, source, None)
            yield block


def _as_landed_before(home: Home, result: LandingResult) -> LandingResult:
    """What the books say of a batch that is there already."""
    result.already_landed = True
    [line] = bronze.read_rows(home, "landing_ledger", result.batch_id)
    for figure in ("received", "accepted", "rejected", "duplicates", "cut"):
        setattr(result, figure, line[figure] or 0)
    result.sequences = json.loads(line["sequences"] or "{}")
    letters = bronze.read_rows(home, "dead_letters", result.batch_id, ["code"])
    result.codes = dict(Counter(letter["code"] for letter in letters))
    return result


def _checksum(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise AssayError(
            f"{path.name} cannot be read ({type(error).__name__}). Nothing of it was landed."
        ) from None


def _ledger_line(
    result: LandingResult,
    checksum: str,
    size: int,
    started_at: datetime,
    source_system: str,
    trace_ids: Sequence[str],
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
        "trace_ids": json.dumps(trace_ids) if trace_ids else None,
        "ingested_at": started_at,
        "source_system": source_system,
        "pipeline_version": PIPELINE_VERSION,
    }
    return pa.Table.from_pylist([line], schema=contract_of("landing_ledger").arrow_schema)
