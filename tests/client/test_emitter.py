"""The emitter against a collector that does what collectors do: all arrives, and once."""

from __future__ import annotations

import json
import random
import threading
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from playing import (
    TOKEN,
    assert_same_batch_same_key,
    assert_whole,
    attempt,
    emitting,
    files,
    playing,
    until,
)

from loaders.client import Emitter
from loaders.client.collector import Verdict, judge
from loaders.client.numbering import new_producer
from loaders.landing.numbered import numbered

GARBAGE: list[Any] = [
    (202, {}, b""),
    (202, {}, b"<html>welcome to the hotel</html>"),
    (202, {}, b"[1, 2]"),
    (202, {}, b'{"accepted": 1000000, "duplicates": 0, "rejected": []}'),
    (202, {}, b'{"accepted": true, "duplicates": 0, "rejected": []}'),
    (200, {}, b'{"accepted": 1, "duplicates": 0, "rejected": []}'),
    (302, {"Location": "/elsewhere"}, b""),
    (500, {}, b"\xff\xfe"),
    (502, {}, b'{"code": "NOT A CODE\\n"}'),
]


@pytest.mark.parametrize("name", ["signup", "10 services", "Anmeldung/ä@b", "", "x" * 300])
def test_a_producer_has_a_plain_name(name: str):
    """Whatever it is called, so that its losses can be shown under it."""
    producer = new_producer(name)
    assert numbered(producer, 1) == (producer, 1)


def test_what_is_sent():
    with playing() as collector, emitting(collector, producer="signup") as emitter:
        emitter.emit(attempt())
        emitter.emit(attempt() | {"event_id": "mine", "producer": "x", "sequence": 7, "no": None})
        until(lambda: len(collector.events) == 2)
        request, events = collector.requests[0], collector.events
    assert request.path == "/v1/attempts:batch"
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    version, trace, span, flags = request.headers["traceparent"].split("-")
    assert (version, len(trace), len(span), flags) == ("00", 32, 16, "01")
    assert events[1]["event_id"] == "mine"
    assert {e["producer"] for e in events} == {emitter.producer}
    assert emitter.producer.startswith("signup-")
    assert [e["sequence"] for e in events] == [0, 1]
    assert events[0]["event_id"][14] == "7"
    assert attempt().items() <= events[0].items()


@pytest.mark.parametrize("has_spool", [False, True])
def test_a_collector_of_moods(has_spool: bool, dice: random.Random, tmp_path: Path):
    """Whatever it answers, in the end it has every event, under the same key on every try."""
    moods: list[Any] = [202, 202, 429, 503, 408, 425, 409, "reset", "reset after taking", *GARBAGE]
    with playing(script=dice.choices(moods, k=60)) as collector:
        folder = tmp_path if has_spool else None
        with emitting(collector, spool_dir=folder, batch_events=20) as emitter:
            for number in range(1500):
                emitter.emit(attempt(number))
                if dice.random() < 0.02:
                    threading.Event().wait(0.002)
            until(lambda: len(collector.events) >= 1500 and not collector.script)
            until(lambda: emitter.stats()["sent"] + emitter.stats()["duplicates"] == 1500)
            assert emitter.stats()["dropped"] == 0
        assert_whole(collector.events, 1500)
        assert_same_batch_same_key(collector)
        assert len({r.key for r in collector.requests}) < len(collector.requests)
    assert files(tmp_path) == []


@pytest.mark.parametrize("has_spool", [False, True])
def test_gone_and_back(has_spool: bool, tmp_path: Path):
    with playing() as collector:
        folder = tmp_path if has_spool else None
        with emitting(collector, spool_dir=folder) as emitter:
            for number in range(100):
                emitter.emit(attempt(number))
            until(lambda: len(collector.events) == 100)
            collector.stop()
            for number in range(2000):
                emitter.emit(attempt(number))
            until(lambda: emitter.stats()["retries"] > 3)
            collector.start()
            until(lambda: len(collector.events) == 2100)
        assert_whole(collector.events, 2100)


def test_connections_are_used_again():
    with playing() as collector, emitting(collector) as emitter:
        for number in range(20):
            emitter.emit(attempt(number))
            until(lambda number=number: len(collector.events) == number + 1)
        assert len(collector.requests) == 20
        assert collector.connections == 1


def test_a_slow_collector_is_not_waited_for(tmp_path: Path):
    """It hangs; meanwhile events go to the spool, although the sender waits for its answer."""
    with playing(always="slow") as collector:
        with emitting(collector, spool_dir=tmp_path, timeout=0.2) as emitter:
            for number in range(200):
                emitter.emit(attempt(number))
            until(lambda: emitter.stats()["spooled"] == 200)
            assert emitter.stats()["retry:timeout"] >= 1
            collector.always = 202
            until(lambda: emitter.stats()["spool_bytes"] == 0)
        assert_whole(collector.events, 200)
        assert_same_batch_same_key(collector)


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured(status: int):
    """No request comes before the time that the collector asked for. Not a measure of speed."""
    wait = (status, {"Retry-After": "1"}, b"{}")
    with playing(script=[wait]) as collector, emitting(collector) as emitter:
        emitter.emit(attempt())
        until(lambda: collector.events)
        first, second = collector.requests
        assert second.at - first.at >= 0.99


def test_retry_after_as_a_date():
    answer = judge(503, b"", formatdate(4102444800, usegmt=True), 1)
    assert answer.retry_after > 10**6
    for text in ("soon", "-3", "", None, "Thu, 99 Foo"):
        assert judge(503, b"", text, 1).retry_after == 0


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_what_is_refused_for_good_is_set_aside(status: int, tmp_path: Path):
    with playing(script=[status]) as collector:
        with emitting(collector, spool_dir=tmp_path) as emitter:
            emitter.emit(attempt(1))
            until(lambda: emitter.stats().get("rejected:told_so") == 1)
            emitter.emit(attempt(2))
            until(lambda: emitter.stats()["sent"] == 1)
        (aside,) = files(tmp_path)
        assert aside.name == "rejected-told_so.jsonl"
        assert json.loads(aside.read_text())["email"] == "u1@example.com"
        assert len(collector.requests) == 2  # it was not sent again


def test_events_that_the_collector_refuses_are_counted():
    said = {
        "accepted": 1,
        "duplicates": 1,
        "rejected": [{"index": 0, "code": "time_violation", "pointer": "/timestamp"}],
    }
    taken = judge(202, json.dumps(said).encode(), None, 3)
    assert (taken.verdict, taken.duplicates) == (Verdict.TAKEN, 1)
    assert taken.refused == {"time_violation": 1}
    assert judge(202, json.dumps(said).encode(), None, 4).verdict is Verdict.LATER


def test_many_threads(dice: random.Random):
    with playing() as collector, emitting(collector) as emitter:
        threads = [
            threading.Thread(target=lambda: [emitter.emit(attempt(n)) for n in range(300)])
            for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        until(lambda: len(collector.events) == 1800)
        assert_whole(collector.events, 1800)


def test_a_url_of_no_use():
    for url in ("", "collector", "ftp://x", "http://"):
        with pytest.raises(ValueError, match="url"):
            Emitter(url, TOKEN)
    for token in ("", "two words", "line\nbreak", "not äscii"):
        with pytest.raises(ValueError, match="token"):
            Emitter("http://localhost:1", token)
