"""A backlog that is reopened and drained: how long, and in how much memory.

    python benchmarks/backlog.py [MIB]

Fills a spool, 1,024 MiB if nothing is said, starts a collector on it, and prints how long it took
until it was ready, how many events a second landed, and the resident memory of its two processes:
their peaks, the collector's when it was ready too, and the medians of the first and the last
quarter of the time that draining took.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from running import Running, event, events_in

from loaders.collector.frames import Event, Origin
from loaders.collector.replies import Reply
from loaders.collector.serve import spool_root
from loaders.collector.spool import Spool, Submission
from loaders.home import init_home

AT_ONCE = 5_000


def main(mib: int = 1024) -> None:
    """Fill, reopen, drain."""
    with tempfile.TemporaryDirectory() as folder:
        home = init_home(Path(folder) / "home")[0]
        with Spool(spool_root(home)) as spool:
            for submission in _submissions():
                if spool.bytes >= mib << 20:
                    break
                spool.submit(submission).result()
            records, size = spool.records, spool.bytes
        print(f"a backlog of {size >> 20:,} MiB, {records:,} events", flush=True)
        begun = time.monotonic()
        running = Running(home)
        while running.get("/readyz").status_code != 200:
            time.sleep(0.05)
        took = time.monotonic() - begun
        print(f"ready after {took:.1f} s, peak {running.peaks()[0]:.0f} MiB", flush=True)
        drained = _watched(running)
        landed = events_in(home)
        running.end()
    assert landed == records, f"{records - landed} are not in bronze"
    print(f"drained in {drained:.0f} s: {records / drained:,.0f} events/s")


def _submissions() -> Iterator[Submission]:
    origin = Origin("attempts", "bench", "t", "2026-05-01T00:00:00+00:00", "0" * 32)
    number = 0
    while True:
        raws = [event(f"{number}-{n}") for n in range(AT_ONCE)]
        yield Submission(origin, [Event(raw) for raw in raws], b"", Reply(AT_ONCE, 0, [], ""))
        number += 1


def _watched(running: Running) -> float:
    """Seconds until nothing waits any more. Prints what the processes took meanwhile."""
    begun, seen = time.monotonic(), []
    while running.get("/readyz").json()["backlog_records"]:
        seen.append(running.memory())
        time.sleep(0.2)
    seconds, peaks = time.monotonic() - begun, running.peaks()
    quarter = max(1, len(seen) // 4)
    for place, name in enumerate(("collector", "landing process")):
        took = [memory[place] for memory in seen if len(memory) > place]
        first, last = statistics.median(took[:quarter]), statistics.median(took[-quarter:])
        print(f"{name}: {first:.0f} MiB at first, {last:.0f} at last, peak {peaks[place]:.0f}")
    return seconds


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
