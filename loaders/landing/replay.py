"""Dead letters tried again: what landing accepts by now becomes a batch of its own.

Nothing is written over. Each try of a record is a row of the dead letters, and the one with the
most `attempts` says how it stands: waiting, or `replayed`. A record stays in the books of the batch
that it came with; the batch of a replay has received what it tried.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping as Counts
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from loaders import bronze
from loaders.contracts import contract_of
from loaders.durable import explained
from loaders.home import Home
from loaders.landing.batches import PIPELINE_VERSION, Lander, LandingResult, landing
from loaders.landing.mapping import load_mapping
from loaders.landing.records import Documents, read_again
from loaders.landing.validator import Validator

_BLOCK = 20_000
_SAID_ANEW = ("code", "pointer", "event_id", "producer", "sequence", "raw", "header")

# How each refused record stands.
NEWEST = """
    select * from bronze.dead_letters
    qualify row_number() over (partition by dead_letter_id order by attempts desc) = 1
"""


@dataclass(slots=True)
class ReplayResult:
    """What became of the dead letters of one table."""

    table: str
    batches: list[str] = field(default_factory=list)  # one per source and header
    tried: int = 0
    accepted: int = 0
    refused: int = 0
    not_kept: int = 0  # letters without bytes: they hold what may never land
    codes: dict[str, int] = field(default_factory=dict)  # of what was refused again


def waiting(home: Home) -> dict[str, int]:
    """How many refused records wait, by code, most first."""
    counts = bronze.query(
        home,
        ["dead_letters"],
        f"select code, count(*) as letters from ({NEWEST}) as newest where resolution is null "
        "group by code order by letters desc, code",
    )
    return {row["code"]: row["letters"] for row in counts.to_pylist()}


def replay(
    home: Home,
    table: str | None = None,
    code: str | None = None,
    batch_id: str | None = None,
    mapping_file: Path | None = None,
) -> list[ReplayResult]:
    """Land the waiting dead letters again, all or those of one table, code or batch.

    Returns a result per table that had any. Raises AssayError where the mapping does not fit, or
    where the disk fails; nothing has changed then, and the next replay does it.
    """
    again = "replay again: nothing was changed."
    with explained(home.bronze, again), bronze.batch_lock(home, "replay"):
        bronze.recover(home)  # or what another replay has committed would be tried twice
        letters = _letters(home, table, code, batch_id)
        tables = sorted({letter["table_name"] for letter in letters})
        return [
            _replay_table(home, name, [x for x in letters if x["table_name"] == name], mapping_file)
            for name in tables
        ]


def _letters(
    home: Home, table: str | None, code: str | None, batch_id: str | None
) -> list[dict[str, Any]]:
    of_batch = "select dead_letter_id from bronze.dead_letters where batch_id = $batch_id"
    wanted = {
        "table_name": (table, "table_name = $table_name"),
        "code": (code, "code = $code"),
        "batch_id": (batch_id, f"dead_letter_id in ({of_batch})"),
    }
    given = {name: value for name, (value, _) in wanted.items() if value is not None}
    conditions = "".join(f" and {wanted[name][1]}" for name in given)
    found = bronze.query(
        home,
        ["dead_letters"],
        f"select * from ({NEWEST}) as newest where resolution is null{conditions} "
        "order by received_at, batch_id, line_number, dead_letter_id",
        **given,
    )
    return list(found.to_pylist())


def _replay_table(
    home: Home, table: str, letters: list[dict[str, Any]], mapping_file: Path | None
) -> ReplayResult:
    contract = contract_of(table)
    mapping = load_mapping(mapping_file, contract)
    kept = [letter for letter in letters if letter["raw"] is not None]
    outcome = ReplayResult(table, tried=len(kept), not_kept=len(letters) - len(kept))
    # Letters of one source and header are read together, as a batch.
    groups: dict[tuple[str, bytes | None], list[dict[str, Any]]] = {}
    for letter in kept:
        groups.setdefault((letter["source_system"], letter["header"]), []).append(letter)
    for (source_system, header), group in groups.items():
        tries = "".join(f"{letter['dead_letter_id']}:{letter['attempts']}\n" for letter in group)
        identity = hashlib.sha256(f"replay\n{table}\n{mapping.digest}\n{tries}".encode())
        result = LandingResult(table, "dead letters", identity.hexdigest()[:32])
        with (
            bronze.batch_lock(home, result.batch_id),
            Validator(contract, mapping, home.residency) as validator,
            landing(home, validator, result, source_system, None, _Replayer) as lander,
        ):
            for first in range(0, len(group), _BLOCK):
                lander.try_again(group[first : first + _BLOCK], header)
            checksum = hashlib.sha256(b"\n".join(letter["raw"] for letter in group)).hexdigest()
            lander.note(checksum, sum(len(letter["raw"]) for letter in group))
        outcome.batches.append(result.batch_id)
        outcome.accepted += lander.resolved
        outcome.refused += len(group) - lander.resolved
        for name, count in result.codes.items():
            outcome.codes[name] = outcome.codes.get(name, 0) + count
    return outcome


class _Replayer(Lander):
    """Lands dead letters: each gets another row, whatever becomes of it."""

    resolved = 0

    def try_again(self, letters: list[dict[str, Any]], header: bytes | None) -> None:
        self._letters = letters
        self.take([read_again([letter["raw"] for letter in letters], header)])

    def _accept(self, rows: pa.Table, documents: Documents, cuts: Counts[int, int]) -> None:
        super()._accept(rows, documents, cuts)
        lines = sorted(set(rows["line_number"].to_pylist()))
        self.resolved += len(lines)
        self._file(
            [
                {**self._tried(line), "raw": None, "header": None, "resolution": "replayed"}
                for line in lines
            ]
        )

    def _refuse(self, rows: pa.Table, documents: Documents) -> None:
        self._result.received += rows.num_rows
        self._result.rejected += rows.num_rows
        self._file(
            [
                {
                    **self._tried(refusal["line_number"]),
                    **{name: refusal[name] for name in _SAID_ANEW},
                }
                for refusal in self._refusals(rows, documents)
            ]
        )

    def _tried(self, line: int) -> dict[str, Any]:
        letter = self._letters[line - 1]
        return {
            **letter,
            "batch_id": self._batch.batch_id,
            "line_number": line,
            "attempts": letter["attempts"] + 1,
            "ingested_at": self._batch.ingested_at,
            "pipeline_version": PIPELINE_VERSION,
        }
