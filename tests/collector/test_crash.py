"""A collector that is killed at random moments: what it has answered is in bronze, once.

Senders send a batch until it is answered. What was answered must be in bronze or the dead letters.
An event may be there twice only if its batch was sent again, since nobody had answered it; silver
takes one of them. ASSAY_LONG=1 kills 200 times, ASSAY_SEED repeats the dice of a run.
"""

from __future__ import annotations

import os
import random
import secrets
import signal
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from collecting import (
    LONG,
    Collector,
    assert_balanced,
    event,
    landed_ids,
    rows,
    sums,
    token,
)

from loaders.home import Home, init_home

KILLS = 200 if LONG else 20
SENDERS = 4
EARLY = [sys.executable, str(Path(__file__).with_name("early_collect.py"))]


@dataclass
class History:
    """What senders saw: ids in the order of their numbers, answered, and those sent twice."""

    answered: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    sent_again: set[str] = field(default_factory=set)
    duplicates: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


def send(collector: Collector, bearer: str, name: int, history: History, over: threading.Event):
    """Send batches of random size, each until it is answered."""
    dice = random.Random(name)
    client, number = httpx.Client(timeout=10), 0
    while not over.is_set():
        size = dice.choice((1, 1, 5, 200))
        ids = [f"{name}-{number + n}" for n in range(size)]
        number += size
        broken = set(ids[:: dice.choice((3, 50))]) if size > 1 else set()
        body = [event(i, **({"timestamp": "never"} if i in broken else {})) for i in ids]
        tries = 0
        while True:
            tries += 1
            try:
                reply = client.post(
                    collector.url("/v1/attempts:batch"),
                    json=body,
                    headers={"authorization": f"Bearer {bearer}"},
                )
                if reply.status_code == 202:
                    break
            except httpx.TransportError:
                pass
            time.sleep(0.02)
        with history.lock:
            history.answered.update(set(ids) - broken)
            history.refused.update(broken)
            history.duplicates += reply.json()["duplicates"]
            if tries > 1:
                history.sent_again.update(ids)
    client.close()


def run(home: Home, kills: int, dice: random.Random, command: list[str] | None = None) -> History:
    """Kill a collector under load again and again, then let the last one drain all."""
    collector, history, over = Collector(home, command=command), History(), threading.Event()
    bearer = token(home)
    collector.start()
    names = [dice.randrange(10**9) for _ in range(SENDERS)]
    senders = [
        threading.Thread(target=send, args=(collector, bearer, name, history, over), daemon=True)
        for name in names
    ]
    for sender in senders:
        sender.start()
    for _ in range(kills):
        time.sleep(dice.uniform(0, 1.2))
        collector.stop(signal.SIGKILL)
        collector.start()
    over.set()
    for sender in senders:
        sender.join(60)
    assert not any(sender.is_alive() for sender in senders)
    collector.drained()
    assert collector.stop() == 0
    return history


def lost(home: Home, history: History) -> set[str]:
    """Events that were answered and are nowhere."""
    letters = {row["event_id"] for row in rows(home, "dead_letters")}
    return (history.answered - set(landed_ids(home))) | (history.refused - letters)


@pytest.mark.timeout(3600)
def test_kill_at_random_moments(tmp_path: Path):
    seed = int(os.environ.get("ASSAY_SEED") or secrets.randbelow(2**32))
    print(f"ASSAY_SEED={seed}")
    home = init_home(tmp_path / "home")[0]
    history = run(home, KILLS, random.Random(seed))
    landed = landed_ids(home)
    assert lost(home, history) == set()
    twice = {name for name, number in landed.items() if number > 1}
    assert twice <= history.sent_again
    lines = Counter((row["batch_id"], row["line_number"]) for row in rows(home, "attempts"))
    assert max(lines.values()) == 1
    assert_balanced(home)
    books = sums(home)
    assert books["accepted"] == landed.total()
    assert books["duplicates"] >= history.duplicates
    again, spools = len(history.sent_again), len(list((home.path / "spool").glob("*")))
    print(
        f"{KILLS} kills: {len(history.answered)} answered, {len(history.refused)} refused, 0 lost; "
        f"{again} sent again, {len(twice)} of them twice in bronze, {spools - 1} spools salvaged"
    )


def test_a_collector_that_answers_early_is_found_out(tmp_path: Path):
    """The same harness must see what it is made for."""
    home = init_home(tmp_path / "home")[0]
    history = run(home, 3, random.Random(7), EARLY)
    assert lost(home, history) != set()
