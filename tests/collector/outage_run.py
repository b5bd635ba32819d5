"""A day on which nothing can land, by a clock of its own: what test_outage.py runs.

    python outage_run.py FOLDER SEED REQUESTS EVENTS

In every hour come so many requests of so many events. For an hour all is well, for 24 nothing
lands, for three it does and does not by dice, and then all is well again. On that day the spool
becomes full; who is told so sends again later, as the client does. Nothing may be lost or there
twice, no more may wait than is allowed, and memory may not grow. Then the same with faults, each of
which must be found out. Exits with 1 where that does not hold.
"""

from __future__ import annotations

import random
import re
import shutil
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from collecting import rows
from processes import in_child
from spooling import root_of, submission

from loaders.books import read_books
from loaders.collector import drain as draining
from loaders.collector import spool as spools
from loaders.collector.drain import Drain
from loaders.collector.metrics import Metrics
from loaders.collector.spool import Spool, SpoolFullError
from loaders.collector.store import Stream
from loaders.errors import AssayError
from loaders.home import Home, init_home
from loaders.sinks.parquet import ParquetSink

HOURS = {"before": 1, "away": 24, "flapping": 3}
FULL_AFTER = 18  # hours of the day
MEMORY = 32 << 20  # bytes that allocators may take late; the planted fault keeps three times that


class Bronze:
    """Bronze, which can be away: a batch cannot be moved there, or not even be begun."""

    def __init__(self, home: Home, dice: random.Random) -> None:
        self._in_the_way, self._dice, self._is_away = home.bronze / ".staging", dice, False
        publish = ParquetSink.publish

        def published(sink: ParquetSink, committed: Path) -> None:
            if self._is_away:
                raise AssayError("bronze is away")
            publish(sink, committed)

        ParquetSink.publish = published

    def set(self, is_away: bool) -> None:
        if self._in_the_way.is_file():
            self._in_the_way.unlink()
        self._is_away = is_away
        if is_away and self._dice.random() < 0.5:
            shutil.rmtree(self._in_the_way, ignore_errors=True)
            self._in_the_way.write_text("where batches are written")


@dataclass
class Senders:
    """Requests that come in their order, each until it was taken."""

    events: int
    begun: int = 0
    told_full: int = 0
    _waiting: deque[int] = field(default_factory=deque)

    def one_more(self) -> None:
        self._waiting.append(self.begun)
        self.begun += 1

    def send(self, spool: Spool) -> bool:
        """Send all that waits. Whether nothing does any more."""
        while self._waiting:
            number = self._waiting[0]
            try:
                spool.submit(submission(self.names(number), key=f"k{number}")).result()
            except SpoolFullError:
                self.told_full += 1
                return False
            self._waiting.popleft()
        return True

    def names(self, number: int) -> list[str]:
        return [f"{number}-{n}" for n in range(self.events)]


def main(folder: Path, seed: int, requests: int, events: int) -> None:
    """Live through the day without a fault, then with each."""
    for fault in ("", *FAULTS):
        home, many = folder / (fault or "home"), (requests, events) if not fault else (1, 20)
        told = in_child(partial(live, home, seed, *many, fault))
        print(f"{fault or 'no fault'}: {told['said']}; wrong: {told['wrong'] or 'nothing'}")
        if bool(told["wrong"]) != bool(fault):
            raise SystemExit(1)


def live(folder: Path, seed: int, requests: int, events: int, fault: str) -> dict[str, Any]:
    """A day. What came of it in words, and what is wrong with it."""
    spools._KNOWN_EVENTS = 1_000  # full at once: what is measured is all else
    dice, home, metrics = random.Random(seed), init_home(folder)[0], Metrics()
    clock, bronze, senders = SimpleNamespace(now=0.0), Bronze(home, dice), Senders(events)
    draining.time = SimpleNamespace(monotonic=lambda: clock.now)
    if fault:
        FAULTS[fault]()
    most = submission(senders.names(0)).size * requests * FULL_AFTER
    sizes, bytes_waiting, bytes_of_files = [], 0, 0
    with Spool(root_of(home), most) as spool:
        drain = Drain(home, spool, metrics)
        for is_away in timeline(dice, requests):
            bronze.set(is_away)
            senders.one_more()
            senders.send(spool)
            clock.now += 3600 / requests
            drain.once()
            sizes.append(resident())
            bytes_waiting = max(bytes_waiting, spool.bytes)
            files = sum(file.stat().st_size for file in root_of(home).rglob("*.sqlite*"))
            bytes_of_files = max(bytes_of_files, files)
        bronze.set(is_away=False)
        while not senders.send(spool) or spool.waiting():
            clock.now += 60
            drain.once()
    landed = Counter(row["event_id"] for row in rows(home, "attempts"))
    every = [name for number in range(senders.begun) for name in senders.names(number)]
    warm, away = 2 * requests, (HOURS["before"] + HOURS["away"]) * requests
    wrong = {
        "lost": len(set(every) - set(landed)),
        "twice": landed.total() - len(landed),
        "books": sum(batch.problem is not None for batch in read_books(home)[0]),
        "never full": senders.told_full == 0,
        "more waits than may": bytes_waiting > most,
        "memory grows": max(sizes[warm:away]) > sizes[warm] + MEMORY,
    }
    said = (
        f"{len(every)} events, told full {senders.told_full} times, "
        f"{metrics.drain_failures._value.get():.0f} tries failed, {most >> 10} KiB might wait, "
        f"files of {bytes_of_files >> 10} KiB, memory from {sizes[warm] >> 20} to "
        f"{max(sizes[warm:away]) >> 20} MiB"
    )
    return {"said": said, "wrong": {name: value for name, value in wrong.items() if value}}


def timeline(dice: random.Random, requests: int) -> Iterator[bool]:
    """Whether bronze is away, at each request."""
    for part, hours in HOURS.items():
        for _ in range(hours * requests):
            yield {"before": False, "away": True, "flapping": dice.random() < 0.7}[part]


def resident() -> int:
    """Bytes of memory that this process holds."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) << 10


def _forgets_what_cannot_land() -> None:
    land = Drain._drain

    def lands_or_not(drain: Drain, stream: Stream, *more: Any) -> None:
        try:
            land(drain, stream, *more)
        except AssayError:
            drain._spool.drained(drain._spool.seal(stream)[0], [])

    Drain._drain = lands_or_not


def _knows_no_bound() -> None:
    make = Spool.__init__
    Spool.__init__ = lambda spool, root, _: make(spool, root, 1 << 40)


def _keeps_what_it_was_given() -> None:
    submit, kept = Spool.submit, []

    def leaking(spool: Spool, given: Any) -> Any:
        kept.append(random.randbytes(4 << 20))
        return submit(spool, given)

    Spool.submit = leaking


FAULTS: dict[str, Callable[[], None]] = {
    "forgets what cannot land": _forgets_what_cannot_land,
    "knows no bound": _knows_no_bound,
    "keeps what it was given": _keeps_what_it_was_given,
}

if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), *map(int, sys.argv[2:5]))
