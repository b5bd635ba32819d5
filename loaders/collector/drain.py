"""From the spool to bronze: ranges of a stream, each landed as one batch.

A range is written down before it is landed, and its batch is named by it. Whoever dies in between
forms the same batch again; the ledger says whether it is there, and then only the spool is behind.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from collections.abc import Mapping as Counts
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from loaders import bronze
from loaders.collector import log, store
from loaders.collector.frames import Event, Record, decode
from loaders.collector.metrics import Metrics
from loaders.collector.salvage import find_records, record_of
from loaders.collector.spool import Spool
from loaders.collector.store import Range, Stream
from loaders.contracts import contract_of
from loaders.durable import durable_rename, explained
from loaders.errors import AssayError
from loaders.home import Home
from loaders.landing.batches import Lander, LandingResult, landing
from loaders.landing.mapping import Mapping
from loaders.landing.records import Documents

_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0  # seconds between tries
_IDLE_SECONDS = 1.0
_KEPT_TRACES = 1000
_SALVAGED_AT_ONCE = 20_000


class Drain:
    """Use as a context: a thread drains the spool until it ends. The backlog stays where it is."""

    def __init__(self, home: Home, spool: Spool, metrics: Metrics) -> None:
        self._home, self._spool, self._metrics = home, spool, metrics
        self._is_over = threading.Event()
        self._waits: dict[str, tuple[float, float]] = {}  # what failed: seconds, and until when
        self._thread = threading.Thread(target=self._run, name="drain", daemon=True)

    def __enter__(self) -> Drain:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._spool.arrived.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_over.is_set():
            self._spool.arrived.wait(_IDLE_SECONDS)
            self._spool.arrived.clear()
            self.once()

    def once(self) -> None:
        """Land what is there, a range of each stream; what fails is tried again later."""
        for folder in list(self._spool.damaged_folders):
            self._try(f"damaged {folder.name}", partial(self._salvage, folder))
        for stream in self._spool.waiting():
            if self._is_over.is_set():
                return
            name = f"{stream.table} {stream.source}"
            self._try(name, partial(self._drain, stream, name))
        if self._spool.waiting() and not self._waits:
            self._spool.arrived.set()

    def _try(self, name: str, work: Callable[[], None]) -> None:
        seconds, until = self._waits.get(name, (_FIRST_WAIT / 2, 0.0))
        if time.monotonic() < until:
            return
        try:
            work()
        except Exception as error:  # whatever it is: the next range may be well, this one stays
            seconds = min(seconds * 2, _LONGEST_WAIT)
            self._waits[name] = (seconds, time.monotonic() + seconds)
            self._metrics.drain_failures.inc()
            said = str(error) if isinstance(error, AssayError) else None  # never a value
            log.say(
                "drain_failed",
                what=name,
                error=type(error).__name__,
                message=said,
                retry_after_s=seconds,
            )
        else:
            self._waits.pop(name, None)

    def _drain(self, stream: Stream, name: str) -> None:
        began = time.monotonic()
        given, is_old = self._spool.seal(stream)
        records, damaged = self._read(given)
        batch_id = _batch_id(self._spool.spool_id, given)
        result = LandingResult(
            given.table, f"{_file_of(self._spool.spool_id)}{given.first}-{given.last}", batch_id
        )
        with (
            explained(self._home.bronze, "it is tried again."),
            bronze.batch_lock(self._home, batch_id),
        ):
            if is_old or name in self._waits:
                bronze.recover(self._home)
            if is_old and bronze.is_landed(self._home, batch_id):
                damaged = _damaged_in(self._home, batch_id, given)  # some records may be gone
            else:
                self._land(given, records, damaged, result)
        self._spool.drained(given, damaged)
        seconds = time.monotonic() - began
        for outcome in ("accepted", "rejected", "duplicates"):
            number = getattr(result, outcome)
            self._metrics.landed.labels(given.table, outcome).inc(number)
        self._metrics.batches.labels(given.table).inc()
        self._metrics.landing_seconds.observe(seconds)
        self._metrics.damaged.inc(len(damaged))
        log.say(
            "landed",
            table=given.table,
            batch_id=batch_id,
            first=given.first,
            last=given.last,
            received=result.received,
            accepted=result.accepted,
            rejected=result.rejected,
            duplicates=result.duplicates,
            codes=sorted(result.codes),
            damaged=damaged,
            duration_ms=round(seconds * 1000, 2),
        )

    def _read(self, given: Range) -> tuple[list[Record], list[int]]:
        """The records of a range, and the numbers of those that are damaged."""
        with self._spool.reading() as connection:
            frames = dict(store.read_frames(connection, given))
        records, damaged = [], []
        for number in range(given.first, given.last + 1):
            record = decode(frames.get(number, b""))
            if record is None or record.sequence != number:
                damaged.append(number)
            else:
                records.append(record)
        return records, damaged

    def _land(
        self, given: Range, records: list[Record], damaged: list[int], result: LandingResult
    ) -> None:
        contract = contract_of(given.table)
        with landing(
            self._home, contract, Mapping(), result, given.source, None, _Drainer, prompt=True
        ) as lander:
            lander.take_records(given.first, records, damaged)
            raws = [record.event.raw or b"" for record in records]
            traces = list(dict.fromkeys(record.origin.trace_id for record in records))
            checksum = hashlib.sha256(b"\n".join(raws)).hexdigest()
            lander.note(checksum, sum(map(len, raws)), traces[:_KEPT_TRACES])

    def _salvage(self, folder: Path) -> None:
        """Store anew what a damaged spool held and had not landed, damaged records as such."""
        spool_id = folder.stem
        bronze.recover(self._home)
        landed = _landed_to(self._home, spool_id)
        counts = {"saved": 0, "damaged": 0}
        for (table, source), frames in sorted(find_records(folder).items()):
            last, first = max(frames), landed.get((table, source), 0) + 1
            origin = record_of(frames[last]).origin
            lost = [number for number in range(first, last + 1) if number not in frames]
            for begin in range(first, last + 1, _SALVAGED_AT_ONCE):
                found = [
                    (record.origin, [record.event])
                    if (record := decode(frames.get(number, b"")))
                    else (origin, [Event(None, "buffer_corrupt")])
                    for number in range(begin, min(begin + _SALVAGED_AT_ONCE, last + 1))
                ]
                self._spool.add_salvaged(f"{spool_id} {table} {source} {begin}", found)
                counts["saved"] += len(found)
            counts["damaged"] += len(lost)
            if lost:
                log.say("damaged", spool=spool_id, table=table, source=source, sequences=lost)
        counts["saved"] -= counts["damaged"]
        durable_rename(folder, folder.with_suffix(".salvaged"))
        self._spool.damaged_folders.remove(folder)
        self._metrics.damaged.inc(counts["damaged"])
        log.say("salvaged", spool=spool_id, **counts)


class _Drainer(Lander):
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
            "raw": event.raw,
            "header": None,
            "source_system": self._source_system,
            "attempts": 1,
        }


def _documents(lines: list[int], raws: list[bytes]) -> Documents:
    docs = pa.array(raws, pa.large_binary()).cast(pa.large_string())
    table = pa.table({"line_number": pa.array(lines, pa.int64()), "doc": docs})
    return Documents(table, lambda index: raws[index])


def _line(refused: tuple[int, Event]) -> int:
    return refused[0]


def _file_of(spool_id: str) -> str:
    return f"spool {spool_id} "


def _batch_id(spool_id: str, given: Range) -> str:
    parts = (spool_id, given.table, given.source, given.first, given.last, given.salt)
    return hashlib.sha256("\n".join(map(str, ("spool", *parts))).encode()).hexdigest()[:32]


def _damaged_in(home: Home, batch_id: str, given: Range) -> list[int]:
    """The numbers of the records that landed as damaged."""
    letters = bronze.read_rows(home, "dead_letters", batch_id, ["line_number", "code"])
    return [
        given.first + letter["line_number"] - 1
        for letter in letters
        if letter["code"] == "buffer_corrupt"
    ]


def _landed_to(home: Home, spool_id: str) -> Counts[tuple[str, str], int]:
    """The last number of each stream that the ledger has of a spool."""
    files = bronze.query(
        home,
        ["landing_ledger"],
        "select table_name, source_system, source_file from bronze.landing_ledger "
        "where starts_with(source_file, $file)",
        file=_file_of(spool_id),
    )
    landed: dict[tuple[str, str], int] = {}
    for line in files.to_pylist():
        stream = (line["table_name"], line["source_system"])
        last = int(line["source_file"].rpartition("-")[2])
        landed[stream] = max(landed.get(stream, 0), last)
    return landed
