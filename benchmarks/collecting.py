"""The collector under load, in processes of its own, on this machine.

    python benchmarks/collecting.py [SECONDS [ROUNDS]]

Prints reply times at 2,000 events/s, how many events/s it takes in requests of 1, 100 and 1,000
events, next to bare SQLite (WAL, synchronous=FULL) that commits the same events in the same sizes,
and the processor time that an event costs. Sustained is what landed as well: the events over the
time until nothing waits any more. Rounds, 3 if nothing is said, take turns between the collector
and SQLite; what is told is their medians. The senders share the machine with it.
"""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path

from running import Connection, Running, body, event, most, shown

from loaders.home import init_home

RATE = 2_000  # events per second


def main(seconds: int = 10, rounds: int = 3) -> None:
    """Measure one after the other, each in a home of its own."""
    for size in (10, 1):
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as folder:
                running = Running(init_home(Path(folder) / "home")[0], "--compact-at", "0")
                replies, sent = asyncio.run(_steady(running, seconds, size))
                cpu = _per_event(running, RATE * seconds)
                running.end()
            print(
                f"{RATE} events/s in requests of {size}: sent {sent:.0%} of the rate; "
                f"reply {shown(replies)}; {cpu}",
                flush=True,
            )
    for size in (1, 100, 1_000):
        collector, sustained, bare = [], [], []
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as folder:
                running = Running(init_home(Path(folder) / "home")[0], "--compact-at", "0")
                begun = time.monotonic()
                taken = asyncio.run(most(running, running.bearer, seconds, size))
                running.drained()
                sustained.append(taken / (time.monotonic() - begun))
                cpu = _per_event(running, taken)
                running.end()
                collector.append(taken / seconds)
                bare.append(_bare(Path(folder) / "bare.sqlite", seconds, size))
        rate, alone = statistics.median(collector), statistics.median(bare)
        print(
            f"requests of {size}: {rate:,.0f} events/s, sustained "
            f"{statistics.median(sustained):,.0f}; bare SQLite {alone:,.0f} events/s; "
            f"ratio {rate / alone:.2f}; {cpu}",
            flush=True,
        )


def _per_event(running: Running, events: float) -> str:
    used = [seconds / events * 1e6 for seconds in running.cpu()]
    return f"processor per event: {' + '.join(f'{each:.0f} µs' for each in used)}"


async def _steady(running: Running, seconds: int, size: int) -> tuple[list[float], float]:
    """At a steady rate: seconds to the reply, share of the rate sent."""
    replies: list[float] = []
    senders = 32
    begun = time.monotonic()

    async def keep_sending(sender: int) -> None:
        connection = Connection(running.port, running.bearer)
        for number in range(sender, seconds * RATE // size, senders):
            await asyncio.sleep(max(0.0, begun + number * size / RATE - time.monotonic()))
            given = body([f"{number}-{n}" for n in range(size)])
            began = time.monotonic()
            assert await connection.post(given) == 202
            replies.append(time.monotonic() - began)

    await asyncio.gather(*map(keep_sending, range(senders)))
    return replies, seconds / (time.monotonic() - begun)


def _bare(path: Path, seconds: int, size: int) -> float:
    """Events per second of SQLite alone, one commit per request."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    connection.execute("create table events (number integer primary key, body blob)")
    began, number = time.monotonic(), 0
    while time.monotonic() < began + seconds:
        rows = [(event(f"{number}-{n}"),) for n in range(size)]
        connection.execute("begin")
        connection.executemany("insert into events (body) values (?)", rows)
        connection.execute("commit")
        number += 1
    connection.close()
    return number * size / (time.monotonic() - began)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
