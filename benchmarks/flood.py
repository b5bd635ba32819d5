"""A flood by one sender beside a quiet one: who is refused, who waits, and what is lost.

    python benchmarks/flood.py [SECONDS [SIZE]]

The quiet sender posts 20 requests of 10 events a second, for 60 seconds if nothing is said. In
every other second a noisy one, in a process of its own, has 64 connections and sends requests of
SIZE events, 100 if nothing is said, each as soon as the last is answered, whatever the answer is.
Prints what each was told and how long the quiet one waited, alone and beside the other. Everything
shares the machine.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from running import Connection, Running, body, events_in, percentile, shown

from loaders.home import init_home

RATE, SIZE = 20, 10  # of the quiet sender: requests per second, events in each
CONNECTIONS = 64  # of the noisy one


def main(seconds: int = 60, noisy_size: int = 100) -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory() as folder:
        running = Running(init_home(Path(folder) / "home")[0])
        quiet, noisy = running.token("quiet"), running.token("noisy")
        begun = time.monotonic() + 3  # until then the tokens are known
        with ProcessPoolExecutor(1) as pool:
            noise = pool.submit(_make_noise, running.port, noisy, begun, seconds, noisy_size)
            alone, beside, told = asyncio.run(_be_quiet(running.port, quiet, begun, seconds))
            told_noisy = noise.result()
        cpu, memory = running.cpu(), running.memory()
        while running.get("/readyz").json()["backlog_records"]:
            time.sleep(0.2)
        landed = events_in(running.home)
        running.end()
    accepted = SIZE * told[202] + noisy_size * told_noisy[202]
    print(f"quiet, alone:        {shown(alone)}")
    print(f"quiet, beside noisy: {shown(beside)}")
    for share in (50, 95, 99):
        print(f"ratio of p{share}: {percentile(beside, share) / percentile(alone, share):.1f}")
    print(f"told, by status: quiet {dict(told)}, noisy {dict(told_noisy)}")
    print(f"{accepted:,} accepted, {landed:,} in bronze")
    print(f"processor: {', '.join(f'{used:.1f} s' for used in cpu)}", end="; ")
    print(f"resident: {', '.join(f'{mib:.0f} MiB' for mib in memory)}")
    assert landed >= accepted, "events are lost"
    assert set(told) == {202}, "the quiet sender was refused"


def _is_noisy(moment: float, begun: float) -> bool:
    return int(moment - begun) % 2 == 1


async def _be_quiet(
    port: int, bearer: str, begun: float, seconds: int
) -> tuple[list[float], list[float], Counter[int]]:
    """Seconds to each reply, in quiet seconds and in noisy ones, and the statuses."""
    took: dict[bool, list[float]] = {False: [], True: []}
    told: Counter[int] = Counter()

    async def post(connection: Connection, number: int) -> None:
        due = begun + number / RATE
        await asyncio.sleep(due - time.monotonic())
        told[await connection.post(body([f"quiet-{number}-{n}" for n in range(SIZE)]))] += 1
        # From when it was due: who is late because the last one took long has waited, too.
        took[_is_noisy(due, begun)].append(time.monotonic() - due)

    async def keep_posting(sender: int, senders: int) -> None:
        connection = Connection(port, bearer)
        for number in range(sender, seconds * RATE, senders):
            await post(connection, number)

    await asyncio.gather(*(keep_posting(n, 4) for n in range(4)))
    return took[False], took[True], told


def _make_noise(port: int, bearer: str, begun: float, seconds: int, size: int) -> Counter[int]:
    told: Counter[int] = Counter()

    async def keep_posting(sender: int) -> None:
        connection, number = Connection(port, bearer), 0
        while (now := time.monotonic()) < begun + seconds:
            if _is_noisy(now, begun):
                number += 1
                names = [f"noisy-{sender}-{number}-{n}" for n in range(size)]
                told[await connection.post(body(names))] += 1
            else:
                await asyncio.sleep(0.01)

    async def all_of_them() -> None:
        await asyncio.gather(*map(keep_posting, range(CONNECTIONS)))

    asyncio.run(all_of_them())
    return told


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
