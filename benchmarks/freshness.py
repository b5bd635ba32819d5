"""How long an event takes until a reader of bronze sees it, and until it is in published gold.

    python benchmarks/freshness.py [SECONDS [RATE]]

Sends RATE events a second, 2,000 if nothing is said, in requests of 10, for 60 seconds if nothing
is said, and tells of bronze. In `make bench`, `assay refresh hourly --every 1s` runs meanwhile, on
a home of the marts of access that was built before. An event counts as published when the requests
of the hours in the published file are as many as events were stored up to it.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
from figures import Row, Spread, at_most, number, percentile
from measuring import ASSAY, Bench, command
from running import Connection, Running, shown

from loaders.home import Home, init_home

SIZE, SENDERS = 10, 32
RATE = 2_000
PATIENCE = 600

Seen = list[tuple[float, int]]  # when there were so many events


@dataclass(frozen=True, slots=True)
class Fresh:
    """Seconds from the reply to each event until it was seen, and how often one looked anew."""

    rate: float  # that was really sent
    to_bronze: list[float]
    batches: int
    to_gold: list[float]
    rounds: list[float]  # between one release and the next
    cpu: list[float]


def section(bench: Bench) -> Iterator[Row]:
    """Rows of an event's way to published gold."""
    os.environ["ASSAY_DOMAINS"] = "access"
    base = bench.folder / "fresh"
    home, _ = init_home(base / "home")
    os.environ["DBT_TARGET_PATH"], os.environ["DBT_LOG_PATH"] = f"{base}/target", f"{base}/log"
    seconds = max(20, min(90, bench.events // 2_500))
    found = measured(home, seconds, RATE, with_gold=True)
    bench.say(f"{found.rate:,.0f} events/s sent, {len(found.rounds)} rounds")
    for what, delays, goal in (
        ("to bronze", found.to_bronze, 1),
        ("to published gold, marts of access", found.to_gold, 15),
    ):
        yield Row(
            f"reply {what}, {seconds} s at {RATE:,} events/s",
            f"p50 {number(statistics.median(delays))} s; {number(found.rate)} events/s were sent",
            Spread.of(percentile(delays, 95)),
            "s, p95",
            goal=at_most(goal),
        )
    yield Row(
        "from one release to the next, `assay refresh hourly --every 1s`",
        "one build of the marts of access, and its publication",
        Spread.of(*found.rounds),
        "s",
    )


def main(seconds: int = 60, rate: int = RATE) -> None:
    """Measure bronze alone, and print."""
    with tempfile.TemporaryDirectory() as folder:
        found = measured(init_home(Path(folder) / "home")[0], seconds, rate)
    used = ", ".join(f"{each:.1f} s" for each in found.cpu)
    print(f"{found.rate:,.0f} events a second; processor of the collector, landing: {used}")
    print(f"event to bronze: {shown(found.to_bronze)}; {found.batches} batches")


def measured(home: Home, seconds: int, rate: int, with_gold: bool = False) -> Fresh:
    """Send to a collector of this home, and watch. With gold, refresh again and again meanwhile."""
    with ExitStack() as stack:
        running = Running(home)
        stack.callback(running.end)
        sent: list[float] = []  # when each event was answered
        bronze: Seen = []
        gold: Seen = []
        watches: list[tuple[Callable[..., None], Seen]] = [(_watch_bronze, bronze)]
        before = 0
        if with_gold:
            asyncio.run(_send(running, 2, 1_000, [], "before"))
            running.drained()
            command(ASSAY, "refresh", "--home", home.path)  # what comes first builds everything
            before = _published(home)
            watches.append((_watch_gold, gold))
            stack.enter_context(_rounds(home))
        over = threading.Event()
        stack.callback(over.set)
        for watch, seen in watches:
            threading.Thread(target=watch, args=(home, seen, over), daemon=True).start()
        begun = time.monotonic()
        asyncio.run(_send(running, seconds, rate, sent, "sent"))
        took = time.monotonic() - begun
        until = time.monotonic() + PATIENCE
        while any(not seen or seen[-1][1] < len(sent) + before for _, seen in watches):
            assert time.monotonic() < until, "events are missing"
            time.sleep(0.1)
        cpu = running.cpu()
    return Fresh(
        len(sent) / took,
        _delays(sent, bronze, before),
        len(bronze),
        _delays(sent, gold, before) if with_gold else [],
        [then - at for (at, _), (then, _) in pairwise(gold)],
        cpu,
    )


def _delays(sent: list[float], reached: Seen, before: int) -> list[float]:
    """Seconds from each reply until so many events were there. `reached` rises."""
    counts = [count for _, count in reached]
    return [
        reached[bisect_left(counts, before + n)][0] - at for n, at in enumerate(sorted(sent), 1)
    ]


async def _send(running: Running, seconds: int, rate: int, sent: list[float], name: str) -> None:
    begun = time.monotonic()

    async def keep_sending(sender: int) -> None:
        connection = Connection(running.port, running.bearer)
        for number_ in range(sender, seconds * rate // SIZE, SENDERS):
            await asyncio.sleep(max(0.0, begun + number_ * SIZE / rate - time.monotonic()))
            assert await connection.post(_body(f"{name}-{number_}")) == 202
            sent.extend([time.monotonic()] * SIZE)

    await asyncio.gather(*map(keep_sending, range(SENDERS)))


def _body(name: str) -> bytes:
    """Events of as many people, of now."""
    at = f"{datetime.now(UTC):%FT%T.%fZ}"
    events = (
        f'{{"event_id":"{name}-{n}","timestamp":"{at}","action":"login","status":"success",'
        f'"ip":"192.0.2.1","email":"u{name}-{n}@example.com","fp":"f{name}-{n}"}}'
        for n in range(SIZE)
    )
    return f"[{','.join(events)}]".encode()


def _watch_bronze(home: Home, seen: Seen, over: threading.Event) -> None:
    known: set[Path] = set()
    total = 0
    while not over.is_set():
        fresh = set((home.bronze / "attempts").glob("ingest_date=*/*.parquet")) - known
        for at, file in sorted((file.stat().st_ctime, file) for file in fresh):
            known.add(file)
            total += pq.ParquetFile(file).metadata.num_rows
            # When it was renamed to where readers look.
            seen.append((at - time.time() + time.monotonic(), total))
        time.sleep(0.05)


def _watch_gold(home: Home, seen: Seen, over: threading.Event) -> None:
    """What a reader sees that asks again and again."""
    while not over.is_set():
        total = _published(home)
        if not seen or total > seen[-1][1]:
            seen.append((time.monotonic(), total))
        time.sleep(0.1)


def _published(home: Home) -> int:
    with duckdb.connect(str(home.published_file), read_only=True) as reader:
        found = reader.execute("select coalesce(sum(attempts), 0) from gold.attempts_hourly")
        return int(found.fetchall()[0][0])


@contextmanager
def _rounds(home: Home) -> Iterator[None]:
    words = [ASSAY, "refresh", "hourly", "--every", "1s", "--home", home.path]
    rounds = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        rounds.terminate()
        rounds.wait()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
