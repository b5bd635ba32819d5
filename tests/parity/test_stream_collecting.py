"""The real collector on a home that lands on BigQuery: what is posted arrives by stream, once."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable

import httpx
import pytest
from bigquery_place import MARK, Place, assay, place, reached, service
from collecting import Collector, collecting, event, token
from spooling import drain, root_of, submission

from loaders.collector.drain import Drain
from loaders.collector.metrics import Metrics
from loaders.collector.spool import Spool

__all__ = ["place", "reached", "service"]  # fixtures

KILLS = 60 if os.environ.get("ASSAY_LONG") == "1" else 1


class Sender(threading.Thread):
    """Posts small batches, each until it is answered, one event of some of them broken."""

    def __init__(self, collector: Collector, bearer: str, dice: random.Random) -> None:
        super().__init__(daemon=True)
        self.collector, self.bearer, self.dice = collector, bearer, dice
        self.answered: list[str] = []
        self.refused: list[str] = []
        self.sent_again: set[str] = set()
        self.is_over = threading.Event()

    def run(self) -> None:
        for number in range(10**6):
            if self.is_over.is_set():
                return
            names = [f"e{number}-{n}" for n in range(self.dice.randint(1, 4))]
            broken = {names[0]} if number % 7 == 0 else set()
            body = [event(n, **({"timestamp": MARK} if n in broken else {})) for n in names]
            while True:
                try:
                    if self.collector.post(body, self.bearer).status_code == 202:
                        break
                except httpx.TransportError:
                    pass
                self.sent_again.update(names)
                time.sleep(0.02)
            self.answered += [name for name in names if name not in broken]
            self.refused += broken
            time.sleep(0.02)


def appended(place: Place, more: int) -> None:
    """Return when so many requests more have been taken."""
    wanted, until = len(place.service.writes.appends) + more, time.monotonic() + 60
    while len(place.service.writes.appends) < wanted:
        assert time.monotonic() < until
        time.sleep(0.001)


@pytest.mark.timeout(3600)
def test_what_is_posted_arrives_whatever_fails_in_between(
    place: Place,
    dice: random.Random,
    tell: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
):
    """The collector is killed, the service is away, loses answers and streams."""
    monkeypatch.setenv("ASSAY_BIGQUERY_RETRY_SECONDS", "2")
    writes = place.service.writes
    bearer = token(place.home)
    with collecting(place.home) as collector:
        sender = Sender(collector, bearer, dice)
        sender.start()
        for _ in range(KILLS):
            appended(place, more=dice.randrange(1, 9))
            writes.fail_next("UNAVAILABLE", after=True, skip=dice.randrange(6), times=2)
            appended(place, more=dice.randrange(1, 9))
            place.service.stop()
            writes.expire("attempts")
            time.sleep(dice.uniform(0, 0.5))
            place.service.start()
            appended(place, more=dice.randrange(1, 9))
            collector.stop(signal.SIGKILL)
            collector.start()
        sender.is_over.set()
        sender.join(60)
        assert not sender.is_alive()
        collector.drained()
        assert collector.stop() == 0
        said = [json.loads(line) for line in collector.said().splitlines()]
    assert MARK not in collector.said()
    found = Counter(row["event_id"] for row in place.rows("attempts"))
    letters = {row["event_id"] for row in place.rows("dead_letters")}
    assert set(sender.answered) <= set(found)
    assert set(sender.refused) <= letters
    assert {name for name, number in found.items() if number > 1} <= sender.sent_again
    lines = Counter((row["batch_id"], row["line_number"]) for row in place.rows("attempts"))
    assert max(lines.values()) == 1
    code, books = assay("ledger", home=place.home)
    assert code == 0, books
    assert place.loads() == []
    assert place.waits() == 0
    landed = sum(line["event"] == "landed" for line in said)
    tell(
        f"{KILLS} kills: {len(sender.answered)} events in {landed} batches, 0 lost; "
        f"{len(writes.streams)} streams"
    )


def test_why_nothing_lands_is_in_the_log(place: Place, capsys: pytest.CaptureFixture[str]):
    """One line with what to do, and no value of an event."""
    place.service.writes.fail_next("PERMISSION_DENIED")
    with Spool(root_of(place.home)) as spool:
        spool.submit(submission(["e1"], resp=MARK)).result()
        Drain(place.home, spool, Metrics()).once()
        [said] = map(json.loads, capsys.readouterr().err.splitlines())
        drain(place.home, spool)
    assert said["event"] == "drain_failed"
    assert "needs roles/bigquery.dataEditor on dataset" in said["message"]
    assert MARK not in said["message"]
    assert [row["event_id"] for row in place.rows("attempts")] == ["e1"]
