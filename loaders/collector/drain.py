"""Empties the spool: what is there is cut into ranges, and each is landed and then forgotten.

A range is written down before it is landed, so that whoever goes on after a crash lands the same.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from collections.abc import Mapping as Counts
from functools import partial
from pathlib import Path

from loaders import bronze
from loaders.collector import log, store
from loaders.collector.frames import Event, decode
from loaders.collector.metrics import Metrics
from loaders.collector.ranges import Landed, Landing, LandingError, Ranges, file_of
from loaders.collector.salvage import find_records, record_of
from loaders.collector.spool import Spool
from loaders.collector.store import DamagedError, Range, Stream
from loaders.durable import durable_rename
from loaders.home import Home

_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0  # seconds between tries
_IDLE_SECONDS = 1.0
_GATHER_SECONDS = 0.3  # between batches, so that each is worth its price
_SALVAGED_AT_ONCE = 20_000


class Drain:
    """Use as a context: a thread drains the spool until it ends. The backlog stays where it is.

    `landing` lands the ranges, by default this process.
    """

    def __init__(
        self, home: Home, spool: Spool, metrics: Metrics, landing: Landing | None = None
    ) -> None:
        self._home, self._spool, self._metrics = home, spool, metrics
        self._landing = landing or Ranges(home)
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
            if self._spool.records < store.RANGE_RECORDS:
                self._is_over.wait(_GATHER_SECONDS)

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
            told = error if isinstance(error, LandingError) else LandingError.of(error)
            log.say(
                "drain_failed",
                what=name,
                error=told.kind,
                message=told.message,
                retry_after_s=seconds,
            )
        else:
            self._waits.pop(name, None)

    def _drain(self, stream: Stream, name: str) -> None:
        began = time.monotonic()
        given, is_old = self._spool.seal(stream)
        try:
            landed = self._landing.land(self._spool.folder, given, is_old or name in self._waits)
        except DamagedError:
            self._spool.condemn()
            raise
        self._spool.drained(given, landed.damaged)
        self._tell(given, landed, time.monotonic() - began)

    def _tell(self, given: Range, landed: Landed, seconds: float) -> None:
        result = landed.result
        for outcome in ("accepted", "rejected", "duplicates"):
            number = getattr(result, outcome)
            self._metrics.landed.labels(given.table, outcome).inc(number)
        self._metrics.batches.labels(given.table).inc()
        self._metrics.landing_seconds.observe(seconds)
        self._metrics.damaged.inc(len(landed.damaged))
        log.say(
            "landed",
            table=given.table,
            batch_id=result.batch_id,
            first=given.first,
            last=given.last,
            received=result.received,
            accepted=result.accepted,
            rejected=result.rejected,
            duplicates=result.duplicates,
            codes=sorted(result.codes),
            damaged=landed.damaged,
            duration_ms=round(seconds * 1000, 2),
        )

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


def _landed_to(home: Home, spool_id: str) -> Counts[tuple[str, str], int]:
    """The last number of each stream that the ledger has of a spool."""
    files = bronze.query(
        home,
        ["landing_ledger"],
        "select table_name, source_system, source_file from bronze.landing_ledger "
        "where starts_with(source_file, $file)",
        file=file_of(spool_id),
    )
    landed: dict[tuple[str, str], int] = {}
    for line in files.to_pylist():
        stream = (line["table_name"], line["source_system"])
        last = int(line["source_file"].rpartition("-")[2])
        landed[stream] = max(landed.get(stream, 0), last)
    return landed
