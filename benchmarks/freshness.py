"""How long an event takes until a reader of bronze sees it, and until it is in published gold.

    python benchmarks/freshness.py [SECONDS [RATE]]

Sends RATE events a second, 2,000 if nothing is said, in requests of 10, for 300 seconds if nothing
is said. Meanwhile `assay refresh` runs again and again, each run after the last; at the end there
is one more. An event counts as published when the attempts of its day in the published file are as
many as events were stored up to it. Without a refresh: SECONDS of 60 or less measure bronze alone.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import threading
import time
from bisect import bisect_left
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
from running import ASSAY, Connection, Running, shown

from loaders.home import Home, init_home

SIZE, SENDERS = 10, 32
BRONZE_ALONE = 60  # seconds up to which nothing is refreshed
PATIENCE = 600


def main(seconds: int = 300, rate: int = 2_000) -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory() as folder:
        running = Running(init_home(Path(folder) / "home")[0])
        sent: list[float] = []  # when each event was answered, in the order of their numbers
        seen: list[tuple[float, int]] = []  # when bronze had so many events
        published: list[tuple[float, int]] = []  # when gold had
        over = threading.Event()
        watchers = [threading.Thread(target=_watch_bronze, args=(running.home, seen, over))]
        if seconds > BRONZE_ALONE:
            watchers.append(
                threading.Thread(
                    target=_refresh_again_and_again, args=(running.home, published, over)
                )
            )
        for watcher in watchers:
            watcher.start()
        asyncio.run(_send(running, seconds, rate, sent))
        until = time.monotonic() + PATIENCE
        while any(not of or of[-1][1] < len(sent) for of in (seen, published)[: len(watchers)]):
            assert time.monotonic() < until, "events are missing"
            time.sleep(0.1)
        over.set()
        for watcher in watchers:
            watcher.join()
        cpu = running.cpu()
        running.end()
    print(
        f"{len(sent):,} events at {rate:,} a second; processor of the collector, landing: ", end=""
    )
    print(", ".join(f"{used:.1f} s" for used in cpu))
    print(f"event to bronze: {shown(_delays(sent, seen))}; {len(seen)} batches")
    if published:
        print(f"event to published gold: {shown(_delays(sent, published))}; {len(published)} runs")


def _delays(sent: list[float], reached: list[tuple[float, int]]) -> list[float]:
    """Seconds from each reply until so many events were there. `reached` rises."""
    counts = [count for _, count in reached]
    return [reached[bisect_left(counts, n + 1)][0] - at for n, at in enumerate(sorted(sent))]


async def _send(running: Running, seconds: int, rate: int, sent: list[float]) -> None:
    begun = time.monotonic()

    async def keep_sending(sender: int) -> None:
        connection = Connection(running.port, running.bearer)
        for number in range(sender, seconds * rate // SIZE, SENDERS):
            await asyncio.sleep(max(0.0, begun + number * SIZE / rate - time.monotonic()))
            given = _body(number)
            began = time.monotonic()
            assert await connection.post(given) == 202
            sent.extend([began] * SIZE)

    await asyncio.gather(*map(keep_sending, range(SENDERS)))
    took = time.monotonic() - begun
    if took > seconds * 1.1:
        print(f"the machine sends {len(sent) / took:,.0f} events a second at most")


def _body(number: int) -> bytes:
    """Events of as many people, of now."""
    at = f"{datetime.now(UTC):%FT%T.%fZ}"
    events = (
        f'{{"event_id":"{number}-{n}","timestamp":"{at}","action":"login","status":"success",'
        f'"ip":"192.0.2.1","email":"u{number}-{n}@example.com","fp":"f{number}-{n}"}}'
        for n in range(SIZE)
    )
    return f"[{','.join(events)}]".encode()


def _watch_bronze(home: Home, seen: list[tuple[float, int]], over: threading.Event) -> None:
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


def _refresh_again_and_again(
    home: Home, published: list[tuple[float, int]], over: threading.Event
) -> None:
    while not over.is_set():
        done = subprocess.run(
            [ASSAY, "refresh", "--home", home.path], capture_output=True, text=True, check=False
        )
        if done.returncode:  # a home without a batch cannot be built
            print(f"assay refresh: {done.stderr[-500:]}")
            continue
        with duckdb.connect(str(home.published_file), read_only=True) as reader:
            query = "select coalesce(sum(attempts), 0) from gold.attempts_daily"
            published.append((time.monotonic(), int(reader.sql(query).fetchall()[0][0])))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
