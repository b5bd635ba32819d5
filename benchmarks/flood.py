"""A flood by one sender beside a quiet one: who is refused, who waits, and what is lost.

    python benchmarks/flood.py [SECONDS [SIZE [TIMES [PERCENT]]]]

First, senders that wait for each answer show how many events a second land in requests of SIZE
events, 100 if nothing is said. Then a quiet sender posts 20 requests of 10 events a second, for
60 seconds if nothing is said, and as long again while a noisy one, in a process of its own, offers
10 times what lands, or TIMES; its token may send PERCENT of what lands, or else whatever it can.
Its requests go out when they are due, whatever the last ones were told, each on one of 900
connections. Where all of them wait for an answer a request is not sent, and counts as held up.
Prints what each was told, how long the quiet one waited, alone and beside the other, and what
became of all that was accepted. Everything shares the machine.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from figures import percentile
from running import Connection, Running, body, events_in, most, shown

from loaders.home import init_home

RATE, SIZE = 20, 10  # of the quiet sender: requests per second, events in each
CONNECTIONS = 900  # of the noisy one; the collector takes 1,000
FIRST_SECONDS = 10  # in which it is learned what is sustained


def main(seconds: int = 60, size: int = 100, times: int = 10, percent: int = 0) -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory() as folder:
        running = Running(init_home(Path(folder) / "home")[0])
        quiet = running.token("quiet")
        begun = time.monotonic()
        first = asyncio.run(most(running, running.bearer, FIRST_SECONDS, size))
        running.drained()
        sustained = first / (time.monotonic() - begun)
        print(f"sustained in requests of {size}: {sustained:,.0f} events/s", flush=True)
        noisy = running.token("noisy", rate=sustained * percent / 100)
        alone, told_alone = asyncio.run(_be_quiet(running.port, quiet, "alone", seconds))
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            given = (running.port, noisy, seconds, size, sustained * times)
            noise = pool.submit(_make_noise, *given)
            beside, told = asyncio.run(_be_quiet(running.port, quiet, "beside", seconds))
            told_noisy = noise.result()
        print(f"memory: {', '.join(f'{mib:.0f} MiB' for mib in running.peaks())} at most")
        running.drained()
        landed = events_in(running.home)
        running.end()
    held_up = told_noisy.pop("held up", 0)
    offered = told_noisy.total() * size / seconds
    print(f"offered {offered:,.0f} events/s, {offered / sustained:.1f} times; {held_up:,} held up")
    print(f"quiet, alone:        {shown(alone)}")
    print(f"quiet, beside noisy: {shown(beside)}")
    for share in (50, 95, 99):
        print(f"ratio of p{share}: {percentile(beside, share) / percentile(alone, share):.1f}")
    print(f"told, by status: quiet {dict(told)}, noisy {dict(told_noisy)}")
    accepted = first + SIZE * (told_alone["202"] + told["202"]) + size * told_noisy["202"]
    print(f"{accepted:,} accepted, {landed:,} in bronze")
    assert landed >= accepted, "events are lost"
    assert set(told) == {"202"}, "the quiet sender was refused"


async def _be_quiet(
    port: int, bearer: str, name: str, seconds: int
) -> tuple[list[float], Counter[str]]:
    """Seconds to each reply, and the statuses."""
    took: list[float] = []
    told: Counter[str] = Counter()
    begun = time.monotonic()

    async def keep_posting(sender: int, senders: int) -> None:
        connection = Connection(port, bearer)
        for number in range(sender, seconds * RATE, senders):
            due = begun + number / RATE
            await asyncio.sleep(due - time.monotonic())
            given = body([f"{name}-{number}-{n}" for n in range(SIZE)])
            told[str(await connection.post(given))] += 1
            # From when it was due: who is late because the last one took long has waited, too.
            took.append(time.monotonic() - due)

    await asyncio.gather(*(keep_posting(n, 4) for n in range(4)))
    return took, told


def _make_noise(port: int, bearer: str, seconds: int, size: int, rate: float) -> Counter[str]:
    """So many events a second, whatever the answers are. How often each status was told."""
    told: Counter[str] = Counter()
    begun = time.monotonic()

    async def post(connection: Connection, number: int) -> None:
        names = [f"noisy-{number}-{n}" for n in range(size)]
        status = await connection.post(body(names))
        is_bare = status in (429, 503) and not connection.has_to_wait
        told[f"{status or 'no answer'}{' without Retry-After' * is_bare}"] += 1
        free.append(connection)

    free = [Connection(port, bearer) for _ in range(CONNECTIONS)]

    async def offer() -> None:
        number, posts = 0, set[asyncio.Task[None]]()
        while (now := time.monotonic()) < begun + seconds:
            while number < (now - begun) * rate / size:
                number += 1
                if free:
                    task = asyncio.create_task(post(free.pop(), number))
                    posts.add(task)
                    task.add_done_callback(posts.discard)
                else:
                    told["held up"] += 1
            await asyncio.sleep(0.002)
        await asyncio.gather(*posts)

    asyncio.run(offer())
    return told


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
