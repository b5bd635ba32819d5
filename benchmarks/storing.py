"""Events that become durable a second, in groups of 100 for each fsync.

The collector's spool, asked as its endpoint does but without HTTP: checksums, numbers and what was
seen before are in it. Beside it a file that the same events are appended to, with fdatasync after
each hundred, and bare SQLite.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path

from figures import Row, Spread, at_least, number, ratios
from measuring import Bench
from running import event

from loaders.collector.frames import Event, Origin
from loaders.collector.replies import Reply
from loaders.collector.spool import Spool, Submission

SIZE, TURNS = 100, 3
GOAL = 400_000


def section(bench: Bench) -> Iterator[Row]:
    """Rows of the spool, of a bare file and of bare SQLite."""
    groups = max(20, min(bench.events, 200_000) // SIZE)
    rates: dict[str, list[float]] = {}
    for turn in range(TURNS):
        raws = [[event(f"{turn}-{g}-{n}") for n in range(SIZE)] for g in range(groups)]
        for name, store in (("spool", _spool), ("file", _file), ("SQLite", _sqlite)):
            folder = bench.folder / f"storing-{name}"
            folder.mkdir()
            rates.setdefault(name, []).append(groups * SIZE / store(folder, raws))
            shutil.rmtree(folder)
    bench.say(str({name: [round(rate) for rate in of] for name, of in rates.items()}))
    yield Row(
        f"the collector's spool, {SIZE} events per fsync",
        f"bare file {number(statistics.median(rates['file']))} events/s, "
        f"bare SQLite {number(statistics.median(rates['SQLite']))}",
        Spread.of(*rates["spool"]),
        "events/s",
        goal=at_least(GOAL),
    )
    for other in ("file", "SQLite"):
        yield Row(
            "the same",
            "",
            ratios(rates["spool"], rates[other]),
            to=f"rate of bare {other}, {SIZE} events per commit",
        )


Groups = list[list[bytes]]
Store = Callable[[Path, Groups], float]


def _spool(folder: Path, groups: Groups) -> float:
    """Seconds. Each group waits for the one before, so that none shares its commit."""
    origin = Origin("attempts", "bench", "t", "2026-05-01T00:00:00+00:00", "0" * 32)
    with Spool(folder) as spool:
        begun = time.monotonic()
        for raws in groups:
            events = [Event(raw, digest=blake2b(raw, digest_size=16).digest()) for raw in raws]
            spool.submit(Submission(origin, events, b"", Reply(SIZE, 0, [], ""))).result()
        return time.monotonic() - begun


def _file(folder: Path, groups: Groups) -> float:
    with (folder / "events.jsonl").open("ab", buffering=0) as file:
        begun = time.monotonic()
        for raws in groups:
            file.write(b"\n".join(raws) + b"\n")
            os.fdatasync(file.fileno())
        return time.monotonic() - begun


def _sqlite(folder: Path, groups: Groups) -> float:
    connection = sqlite3.connect(folder / "events.sqlite", isolation_level=None)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    connection.execute("create table events (number integer primary key, body blob)")
    begun = time.monotonic()
    for raws in groups:
        connection.execute("begin")
        connection.executemany("insert into events (body) values (?)", ((raw,) for raw in raws))
        connection.execute("commit")
    took = time.monotonic() - begun
    connection.close()
    return took
