"""From the spool to bronze: a range of a stream lands as one batch that is named by it.

Whoever dies in between forms the same batch again. The ledger says whether it is there, and then
only the spool is behind.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from loaders import bronze
from loaders.collector import store
from loaders.collector.frames import Event, Record, decode
from loaders.collector.store import DamagedError, Range
from loaders.contracts import contract_of
from loaders.durable import explained
from loaders.errors import AssayError
from loaders.home import Home
from loaders.landing.batches import Lander, LandingResult, landing
from loaders.landing.mapping import Mapping
from loaders.landing.records import Documents
from loaders.landing.validator import Validator

_KEPT_TRACES = 1000


@dataclass(frozen=True, slots=True)
class Landed:
    """What became of a range. `damaged` are the numbers of records that failed their checksum."""

    result: LandingResult
    damaged: list[int]


class LandingError(Exception):
    """A range was not landed by another process: what it raised, and its words if they are ours."""

    def __init__(self, kind: str, message: str | None = None) -> None:
        super().__init__(kind)
        self.kind, self.message = kind, message

    @classmethod
    def of(cls, error: Exception) -> LandingError:
        """What may be told of an error: never a value."""
        return cls(type(error).__name__, str(error) if isinstance(error, AssayError) else None)


class Landing(Protocol):
    """Whatever lands ranges. One at a time."""

    def land(self, folder: Path, given: Range, is_again: bool) -> Landed:
        """Land a range of the spool in a folder; `is_again` where somebody may have begun to.

        Raises DamagedError where it is the spool's file that is damaged, and whatever else fails.
        """


class Ranges:
    """Lands ranges in this process, with one validator per table for all of them.

    `check` is called when nobody else can land the range any more, and raises where this process
    must not do it either.
    """

    def __init__(self, home: Home, check: Callable[[], None] = lambda: None) -> None:
        self._home, self._check = home, check
        self._validators: dict[str, Validator] = {}

    def land(self, folder: Path, given: Range, is_again: bool) -> Landed:
        """Land a range, or learn that it has landed; see `Landing`."""
        records, damaged = _read(folder, given)
        batch_id = _batch_id(folder.name, given)
        name = f"{file_of(folder.name)}{given.first}-{given.last}"
        result = LandingResult(given.table, name, batch_id)
        with (
            explained(self._home.bronze, "it is tried again."),
            bronze.batch_lock(self._home, batch_id),
        ):
            self._check()
            if is_again:
                bronze.recover(self._home)
            if is_again and bronze.is_landed(self._home, batch_id):
                return Landed(result, _damaged_in(self._home, batch_id, given))
            try:
                self._land(given, records, damaged, result)
            except BaseException:
                self._validators.pop(given.table, None)  # whatever is wrong with it
                raise
        return Landed(result, damaged)

    def _land(
        self, given: Range, records: list[Record], damaged: list[int], result: LandingResult
    ) -> None:
        validator = self._validators.get(given.table)
        if validator is None:
            validator = Validator(contract_of(given.table), Mapping(), self._home.residency)
            self._validators[given.table] = validator
        with landing(
            self._home, validator, result, given.source, None, _RangeLander, prompt=True
        ) as lander:
            lander.take_records(given.first, records, damaged)
            raws = [record.event.raw or b"" for record in records]
            traces = list(dict.fromkeys(record.origin.trace_id for record in records))
            checksum = hashlib.sha256(b"\n".join(raws)).hexdigest()
            lander.note(checksum, sum(map(len, raws)), traces[:_KEPT_TRACES])


class _RangeLander(Lander):
    """Lands records of the spool; `line_number` counts them from the first of the range."""

    def take_records(self, first: int, records: list[Record], damaged: list[int]) -> None:
        events = [(r.sequence - first + 1, r.event) for r in records]
        fresh = [(line, event.raw) for line, event in events if event.code is None]
        if fresh:
            self.take([_documents([line for line, _ in fresh], [raw or b"" for _, raw in fresh])])
        refused = [(line, e) for line, e in events if e.code and not e.duplicates]
        refused += [(number - first + 1, Event(None, "buffer_corrupt")) for number in damaged]
        known = sum(event.duplicates for _, event in events)
        self._result.received += known + len(refused)
        self._result.duplicates += known
        self._result.rejected += len(refused)
        for _, event in refused:
            code = event.code or ""
            self._result.codes[code] = self._result.codes.get(code, 0) + 1
        if refused:
            self._file([self._letter(line, event) for line, event in sorted(refused, key=_line)])

    def _letter(self, line: int, event: Event) -> dict[str, Any]:
        return {
            "dead_letter_id": self._letter_id(line, 1),
            "batch_id": self._batch.batch_id,
            "line_number": line,
            "code": event.code,
            "pointer": event.pointer,
            "event_id": event.event_id,
            "producer": event.producer,
            "sequence": event.sequence,
            "raw": event.raw,
            "header": None,
            "source_system": self._source_system,
            "attempts": 1,
        }


def _read(folder: Path, given: Range) -> tuple[list[Record], list[int]]:
    """The records of a range, and the numbers of those that are damaged."""
    whole: dict[int, Record] = {}
    try:
        connection = store.connect_to_look(folder / store.NAME)
        try:
            for number, frame in store.read_frames(connection, given):
                record = decode(frame)
                if record is not None and record.sequence == number:
                    whole[number] = record
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        if store.is_damage(error):
            raise DamagedError(type(error).__name__) from None
        raise
    numbers = range(given.first, given.last + 1)
    return list(whole.values()), [number for number in numbers if number not in whole]


def _documents(lines: list[int], raws: list[bytes]) -> Documents:
    docs = pa.array(raws, pa.large_binary()).cast(pa.large_string())
    table = pa.table({"line_number": pa.array(lines, pa.int64()), "doc": docs})
    return Documents(table, lambda index: raws[index])


def _line(refused: tuple[int, Event]) -> int:
    return refused[0]


def file_of(spool_id: str) -> str:
    """How the ledger names what comes from a spool, up to the numbers of the range."""
    return f"spool {spool_id} "


def _batch_id(spool_id: str, given: Range) -> str:
    parts = (spool_id, given.table, given.source, given.first, given.last, given.salt)
    return hashlib.sha256("\n".join(map(str, ("spool", *parts))).encode()).hexdigest()[:32]


def _damaged_in(home: Home, batch_id: str, given: Range) -> list[int]:
    """The numbers of the records that landed as damaged. Those of the spool may be gone by now."""
    letters = bronze.read_rows(home, "dead_letters", batch_id, ["line_number", "code"])
    return [
        given.first + letter["line_number"] - 1
        for letter in letters
        if letter["code"] == "buffer_corrupt"
    ]
