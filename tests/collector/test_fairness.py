"""One sender who wants all there is, and another who wants little and gets it."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from collecting import (
    PATIENCE,
    Collector,
    assert_balanced,
    collecting,
    event,
    landed_ids,
    token,
)
from in_process import collecting_here
from spooling import root_of, submission

from loaders.collector import fairness, room
from loaders.collector.fairness import Pace, Shares, Turns, fits
from loaders.collector.spool import Spool, SpoolFullError
from loaders.collector.tokens import Token, add_token
from loaders.home import Home

NOISY_CONNECTIONS = 40
SECONDS = 1.5


def test_nobody_who_comes_new_finds_nothing(dice: random.Random):
    """However greedy those are who came before, in whichever order."""
    for senders in range(1, 9):
        total, held = 10_000, Counter[str]()
        shares = Shares(total)
        is_over = 0
        while is_over < 200:
            sender, size = f"greedy {dice.randrange(senders)}", dice.randrange(1, 50)
            taken = shares.take(sender, size)
            held[sender] += size * taken
            is_over = 0 if taken else is_over + 1
        assert held.total() > total * 0.75  # little is left unused
        assert fits(0, 10, total - held.total())
        for sender, size in held.items():
            shares.give_back(sender, size)
        assert shares.take("again", total * 4 // 5)


def test_senders_take_turns(dice: random.Random):
    """Of one who waits with a hundred requests, one at most goes before the only one of another."""

    async def run() -> list[str]:
        turns, order = Turns(2), list[str]()

        async def work(sender: str) -> None:
            async with turns.turn(sender):
                order.append(sender)
                await asyncio.sleep(0)

        noisy = [asyncio.create_task(work("noisy")) for _ in range(100)]
        await asyncio.sleep(0)
        cancelled = dice.sample(noisy[5:], 20)
        quiet = asyncio.create_task(work("quiet"))
        await asyncio.sleep(0)
        for task in cancelled:
            task.cancel()
        await asyncio.gather(*noisy, quiet, return_exceptions=True)
        assert all(task.cancelled() for task in cancelled)
        async with turns.turn("a"), turns.turn("b"):  # both are free again
            return order

    order = asyncio.run(asyncio.wait_for(run(), PATIENCE))
    assert order.count("noisy") == 80
    assert order.index("quiet") <= 5


def test_refusals_are_told_at_a_pace(monkeypatch: pytest.MonkeyPatch):
    """Of each sender for itself; and nobody waits for longer than the most."""
    clock = [100.0]
    monkeypatch.setattr(fairness.time, "monotonic", lambda: clock[0])
    pace = Pace(10, least=0.25, most=5)
    assert [round(pace.wait("noisy"), 3) for _ in range(4)] == [0.25, 0.35, 0.45, 0.55]
    assert pace.wait("quiet") == 0.25
    assert max(pace.wait("noisy") for _ in range(1_000)) == 5
    clock[0] += 60
    assert pace.wait("noisy") == 0.25


def test_a_sender_is_refused_at_a_pace_whatever_its_tokens(
    home: Home, monkeypatch: pytest.MonkeyPatch
):
    """Each refusal waits for the ones before it; those of nobody known are one sender's."""
    waits: list[float] = []
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        waits.append(round(seconds, 3))
        await sleep(0)

    tokens = [add_token(home, Token("", "", "noisy", "", rate=1))[1] for _ in range(2)]
    monkeypatch.setattr(fairness, "time", SimpleNamespace(monotonic=lambda: 100.0))
    with collecting_here(home) as sender:
        monkeypatch.setattr(asyncio, "sleep", noted)
        told = [sender.post([{}] * 100, token).status_code for token in tokens]
        told += [sender.post([{}], token).status_code for token in [*tokens, "nobody's"]]
    assert told == [202, 202, 429, 429, 401]
    assert waits == [0.25, 0.26, 0.25]


def fill(spool: Spool, source: str) -> int:
    """Store until there is no room for this source. How many bytes its records are."""
    before = spool.bytes
    for number in range(1000):
        try:
            spool.submit(submission([f"{source} {number}"], source, path="x" * 9_000)).result()
        except SpoolFullError:
            return spool.bytes - before
    raise AssertionError("there is no end")


def test_a_spool_that_one_sender_fills_takes_from_another(home: Home):
    with Spool(root_of(home), max_bytes=1 << 20) as spool:
        assert fill(spool, "alone") > 0.9 * (1 << 20)  # whoever is alone may have all of it
    with Spool(home.path / "other", max_bytes=1 << 20) as spool:
        spool.submit(submission(["first"], "quiet")).result()
        noisy = fill(spool, "noisy")
        assert noisy > 0.7 * (1 << 20)
        assert not spool.is_full
        spool.submit(submission([f"q{n}" for n in range(100)], "quiet")).result()
    with Spool(home.path / "other", max_bytes=1 << 20) as spool:  # known from the file, too
        with pytest.raises(SpoolFullError):
            spool.submit(submission(["n" * 9_000], "noisy"))
        spool.submit(submission([f"r{n}" for n in range(100)], "quiet")).result()


def test_without_shares_the_other_is_refused(home: Home, monkeypatch: pytest.MonkeyPatch):
    """What the test above is for must be what it sees."""
    monkeypatch.setattr(room, "fits", lambda _held, size, free: size <= free)
    with Spool(root_of(home), max_bytes=1 << 20) as spool:
        spool.submit(submission(["first"], "quiet")).result()
        fill(spool, "noisy")
        with pytest.raises(SpoolFullError):
            spool.submit(submission([f"q{n}" for n in range(100)], "quiet"))


class Noise:
    """Connections that send the next request as soon as the last was answered, however it was.

    They send for a while, and until the answers that are wanted have come.
    """

    def __init__(self, collector: Collector, bearer: str, wanted: set[int]) -> None:
        self._collector, self._bearer, self._wanted = collector, bearer, wanted
        self.told: Counter[int] = Counter()
        self.accepted: set[str] = set()
        self.waits: set[str] = set()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    async def _run(self) -> None:
        until = time.monotonic() + SECONDS
        async with httpx.AsyncClient(timeout=PATIENCE) as client:
            await asyncio.gather(
                *(self._keep_posting(client, n, until) for n in range(NOISY_CONNECTIONS))
            )

    async def _keep_posting(self, client: httpx.AsyncClient, sender: int, until: float) -> None:
        number = 0
        while time.monotonic() < until or not self._wanted <= self.told.keys():
            number += 1
            names = [f"noisy-{sender}-{number}-{n}" for n in range(50)]
            answer = await client.post(
                self._collector.url("/v1/attempts:batch"),
                content=json.dumps([event(name) for name in names]),
                headers={"authorization": f"Bearer {self._bearer}"},
            )
            self.told[answer.status_code] += 1
            if answer.status_code == 202:
                self.accepted.update(names)
            else:
                self.waits.add(answer.headers["retry-after"])


@pytest.mark.parametrize("limits", [{}, {"rate": 200.0}], ids=["without a rate", "with a rate"])
def test_a_flood(home: Home, limits: dict[str, Any], tell: Any, tmp_path: Path):
    """The noisy one is answered with 202, 429 or 503, the quiet one with 202, and nothing is lost.

    How long the quiet one waits is for benchmarks/flood.py.
    """
    quiet, noisy = token(home, "quiet"), token(home, "noisy", **limits)
    sent: set[str] = set()
    with collecting(home, "--max-spool-mb", "4") as collector:
        noise = Noise(collector, noisy, wanted={429} if limits else set())
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            names = [f"quiet-{len(sent)}-{n}" for n in range(5)]
            assert collector.post([event(name) for name in names], quiet).status_code == 202
            sent.update(names)
        noise.end()
        collector.drained()
        assert collector.stop() == 0
    assert set(noise.told) <= {202, 429, 503}
    assert all(int(wait) > 0 for wait in noise.waits)
    assert landed_ids(home) == Counter(sent | noise.accepted)
    assert_balanced(home)
    tell(f"quiet {len(sent)} events, noisy was told {dict(noise.told)}")
