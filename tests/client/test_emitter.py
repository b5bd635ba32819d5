"""The emitter against a collector that does what collectors do: all arrives, and once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playing import (
    TOKEN,
    Playing,
    assert_whole,
    attempt,
    emitting,
    numbered,
    playing,
    until,
)

from loaders.client import Emitter, memory, outbox
from loaders.client.batch import Batch
from loaders.client.collector import Verdict, judge
from loaders.client.numbering import KeptNumbers, Numbers

HEAVY = {"duckdb", "pyarrow", "numpy", "dbt", "click", "rich", "yaml", "jsonschema", "cryptography"}
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


@pytest.fixture
def dice() -> random.Random:
    """Randomness of a printed seed. ASSAY_SEED repeats one."""
    seed = int(os.environ.get("ASSAY_SEED") or random.SystemRandom().randrange(2**32))
    print(f"ASSAY_SEED={seed}")
    return random.Random(seed)


def files(folder: Path, pattern: str = "*.jsonl") -> list[Path]:
    return sorted(folder.rglob(pattern))


def assert_same_batch_same_key(collector: Playing) -> None:
    """One key for one batch and one batch for one key, over all requests."""
    sent = {(r.key, tuple(e["event_id"] for e in r.events)) for r in collector.requests}
    assert len({key for key, _ in sent}) == len(sent), "one key, two batches"
    assert len({batch for _, batch in sent}) == len(sent), "one batch, two keys"


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


# Memory and what does not fit into it


def test_memory_is_bounded_and_what_is_dropped_is_a_gap(dice: random.Random):
    """Nobody listens, there is no spool: never more bytes than allowed, and every loss is known."""
    with playing() as collector:
        collector.stop()
        with emitting(collector, max_memory=50_000) as emitter:
            for number in range(2000):
                emitter.emit(attempt(number) | {"resp": "x" * dice.randrange(300)})
                assert emitter.stats()["waiting_bytes"] <= 50_000
            dropped = emitter.stats()["dropped"]
            assert 1000 < dropped < 2000
            collector.start()
            until(lambda: emitter.stats()["waiting_bytes"] == 0)
            emitter.emit(attempt())
            until(lambda: emitter.stats()["sent"] == 2001 - dropped)
        (numbers,) = numbered(collector.events).values()
        assert len(set(numbers)) == len(numbers) == 2001 - dropped
        assert numbers[-1] == 2000  # so the gaps are what was dropped


def test_what_memory_cannot_hold_is_in_the_spool(tmp_path: Path):
    with playing(always=503) as collector:
        with emitting(collector, spool_dir=tmp_path, max_memory=40_000) as emitter:
            for number in range(3000):
                emitter.emit(attempt(number))
                if number % 50 == 0:
                    until(lambda: emitter.stats()["waiting_bytes"] < 20_000)
            assert emitter.stats()["dropped"] == 0
            assert emitter.stats()["spooled"] > 2000
            collector.always = 202
            until(lambda: emitter.stats()["sent"] == 3000)
        assert_whole(collector.events, 3000)


def test_the_spool_is_bounded(tmp_path: Path):
    with playing(always=503) as collector:
        bounds = {"max_memory": 30_000, "max_spool": 60_000, "batch_events": 20}
        with emitting(collector, spool_dir=tmp_path, **bounds) as emitter:
            for number in range(3000):
                emitter.emit(attempt(number))
                if number % 100 == 0:
                    threading.Event().wait(0.01)
            until(lambda: emitter.stats()["dropped"])
            assert sum(f.stat().st_size for f in files(tmp_path)) <= 60_000
            collector.always = 202
            until(lambda: emitter.stats()["sent"] == 3000 - emitter.stats()["dropped"])
        (numbers,) = numbered(collector.events).values()
        assert len(numbers) == len(set(numbers)) == 3000 - emitter.stats()["dropped"]


def test_a_disk_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """While nothing can be written events wait in memory, and none is lost or sent as two."""
    with playing(always=503) as collector:
        with emitting(collector, spool_dir=tmp_path) as emitter:

            def full(_: int) -> None:
                raise OSError(28, "no space")

            with monkeypatch.context() as patch:
                patch.setattr(os, "fsync", full)
                for number in range(300):
                    emitter.emit(attempt(number))
                until(lambda: emitter.stats().get("spool_errors", 0) > 3)
            collector.always = 202
            until(lambda: emitter.stats()["sent"] == 300)
        assert_whole(collector.events, 300)


def test_a_spool_that_cannot_be_had(tmp_path: Path):
    (tmp_path / "file").touch()
    with playing() as collector, emitting(collector, spool_dir=tmp_path / "file") as emitter:
        emitter.emit(attempt())
        until(lambda: collector.events)


# Over restarts


def test_close_leaves_the_rest_to_the_next(tmp_path: Path):
    with playing(always=503) as collector:
        with emitting(collector, spool_dir=tmp_path) as emitter:
            for number in range(1200):
                emitter.emit(attempt(number))
            emitter.close(0.5)
            emitter.emit(attempt())  # too late: dropped, without a number
            assert emitter.stats()["dropped"] == 1
        assert collector.events == []
        collector.always = 202
        with emitting(collector, spool_dir=tmp_path) as emitter:
            emitter.emit(attempt())
            until(lambda: len(collector.events) == 1201)
        assert_whole(collector.events, 1201)
        assert_same_batch_same_key(collector)
    assert files(tmp_path) == []


def test_close_sends_what_is_left():
    with playing() as collector:
        with emitting(collector, linger=0.5) as emitter:
            for number in range(700):
                emitter.emit(attempt(number))
            emitter.close(10)
        assert_whole(collector.events, 700)


def test_close_while_the_collector_hangs(tmp_path: Path):
    """The batch under way is kept as well. Its answer may have been a yes: the key is the same."""
    with playing(always="slow") as collector:
        with emitting(collector, spool_dir=tmp_path) as emitter:
            emitter.emit(attempt())
            until(lambda: collector.requests)
            emitter.close(0.01)
        collector.always = 202
        with emitting(collector, spool_dir=tmp_path) as emitter:
            until(lambda: emitter.stats()["duplicates"] == 1)
        assert_whole(collector.events, 1)
        assert_same_batch_same_key(collector)


VICTIM = """
import sys
sys.path[:0] = [{here!r}]
from playing import QUICK, TOKEN, attempt
from loaders.client import Emitter
emitter = Emitter({url!r}, TOKEN, spool_dir={folder!r}, batch_events=50, **QUICK)
number = 0
while True:
    emitter.emit(attempt(number))
    number += 1
    if number % 40 == 0:
        stats = emitter.stats()
        print(stats["emitted"], stats["spooled"], flush=True)
        import time; time.sleep(0.002)
"""


def victim(url: str, folder: Path) -> subprocess.Popen[str]:
    """A process that emits until it is killed, and says how many it emitted and spooled."""
    code = VICTIM.format(here=str(Path(__file__).parent), url=url, folder=str(folder))
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def test_killed_processes(tmp_path: Path, dice: random.Random):
    """What was fsynced is sent by the next process, which goes on with numbers never used."""
    told_emitted = told_spooled = 0
    with playing(always=503) as collector:
        for _ in range(5):
            with victim(collector.url, tmp_path) as process:
                assert process.stdout
                wanted, line = dice.randrange(1, 400), ""
                while int((line or "0 0").split()[1]) < wanted:
                    line = process.stdout.readline()
                process.send_signal(signal.SIGKILL)
                last = ([line, *process.stdout.read().splitlines()])[-1].split()
            told_emitted += int(last[0])
            told_spooled += int(last[1])
        last_file = files(tmp_path)[-1]
        with last_file.open("ab") as file:  # as a crash in the middle of a write leaves it
            file.write(b'{"producer": "torn')
        collector.always = 202
        with emitting(collector, spool_dir=tmp_path) as emitter:
            emitter.emit(attempt())
            until(lambda: emitter.stats()["spool_bytes"] == 0 and emitter.stats()["sent"])
            until(lambda: emitter.stats()["waiting_bytes"] == 0)
            assert emitter.stats()["torn"] >= 1
        ((_, numbers),) = numbered(collector.events).items()
        assert len(numbers) == len(set(numbers)), "a number was used twice"
        assert len(numbers) > told_spooled
        assert max(numbers) >= told_emitted, "numbers of the killed were used again"
        assert_same_batch_same_key(collector)


def test_after_the_machine_went_down_the_producer_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The count on disk may be an old one then. After a close it is not."""
    numbers = KeptNumbers("app", tmp_path)
    assert [numbers.take() for _ in range(3)] == [0, 1, 2]
    numbers.close()
    monkeypatch.setattr("loaders.client.numbering._boot_id", lambda: "another")
    again = KeptNumbers("app", tmp_path)
    assert (again.producer, again.take()) == (numbers.producer, 3)
    monkeypatch.setattr("loaders.client.numbering._boot_id", lambda: "a third")
    anew = KeptNumbers("app", tmp_path)
    assert anew.producer != numbers.producer
    assert anew.take() == 0


def test_processes_share_a_spool_folder(tmp_path: Path):
    """Each has a place of its own; who comes later sends what those left that are gone."""
    with playing(always=503) as collector:
        with (
            emitting(collector, spool_dir=tmp_path) as one,
            emitting(collector, spool_dir=tmp_path) as two,
        ):
            for number in range(30):
                one.emit(attempt(number))
                two.emit(attempt(number))
            assert one.producer != two.producer
        collector.always = 202
        with emitting(collector, spool_dir=tmp_path):
            until(lambda: len(collector.events) == 60)
        assert_whole(collector.events, 60, producers=2)
    assert files(tmp_path) == []


@pytest.mark.parametrize("has_spool", [False, True])
def test_forks(has_spool: bool, tmp_path: Path):
    """A child numbers for itself, and sends nothing of its parent's."""
    with playing() as collector:
        folder = tmp_path if has_spool else None
        with emitting(collector, spool_dir=folder, linger=0.05) as emitter:
            children = []
            for child in range(3):
                emitter.emit(attempt())
                pid = os.fork()
                if pid == 0:
                    for number in range(20 + child):
                        emitter.emit(attempt(number))
                    emitter.close(5)
                    os._exit(0)
                children.append(pid)
            assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0, 0]
            emitter.emit(attempt())
            until(lambda: len(collector.events) == 20 + 21 + 22 + 4)
        numbers = numbered(collector.events)
        assert all(len(set(found)) == len(found) for found in numbers.values())
        if has_spool:  # a child may go on where one before it stopped
            assert all(found == list(range(len(found))) for found in numbers.values())
        else:
            assert_whole(collector.events, 67, producers=4)


# emit never raises, whatever it is given


class Evil(dict[str, Any]):
    def items(self) -> Any:
        raise RuntimeError

    def __bool__(self) -> bool:
        raise RuntimeError


def endless() -> dict[str, Any]:
    loop: dict[str, Any] = {}
    loop["again"] = loop
    return loop


ANY = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(),
        st.binary(),
        st.dates(),
        st.datetimes(),
        st.decimals(),
        st.uuids(),
        st.complex_numbers(),
        st.builds(object),
        st.just(Evil(a=1)),
        st.builds(endless),
        st.just("\ud800"),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.sets(st.integers(), max_size=3),
        st.dictionaries(
            st.one_of(st.text(), st.integers(), st.tuples(st.integers()), st.none()),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def listening():
    with playing() as collector, emitting(collector) as emitter:
        yield collector, emitter


@given(event=st.one_of(ANY, st.dictionaries(st.text(), ANY, max_size=4)))
@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    print_blob=True,
)
def test_emit_never_raises(listening: tuple[Playing, Emitter], event: Any):
    _, emitter = listening
    before = emitter.stats()["emitted"]
    assert emitter.emit(event) is None
    assert emitter.stats()["emitted"] == before + 1


def test_and_every_event_is_accounted_for(listening: tuple[Playing, Emitter]):
    """After the test above: sent, or counted with a code. Numbers that were not sent are gaps."""
    collector, emitter = listening
    for event in (Evil(a=1), endless(), None, 7, {"a": object()}, {"a": float("nan")}):
        emitter.emit(event)  # type: ignore[arg-type]
    emitter.emit({"resp": "x" * (2 << 20)})
    emitter.emit(attempt())
    until(lambda: emitter.stats()["waiting_bytes"] == 0)
    until(lambda: collector.events and collector.events[-1].get("email") == "u0@example.com")
    stats = emitter.stats()
    unfit = {name: count for name, count in stats.items() if name.startswith("unfit:")}
    assert set(unfit) == {
        "unfit:payload_malformed",
        "unfit:envelope_violation",
        "unfit:size_violation",
    }
    assert stats["failed"] == stats["dropped"] == 0
    assert stats["sent"] + sum(unfit.values()) == stats["emitted"]
    assert max(e["sequence"] for e in collector.events) == stats["emitted"] - 1


def test_emit_within_emit():
    """A signal's handler may emit while its own thread does: it is not waited for."""
    with playing() as collector, emitting(collector) as emitter:
        with emitter.start().memory._lock:
            emitter.emit(attempt())
        assert emitter.stats()["dropped"] == 1
        emitter.emit(attempt())
        until(lambda: len(collector.events) == 1)


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


def test_secrets_do_not_leave_the_process(tmp_path: Path):
    event = attempt() | {"query": "a=1&password=hunter2", "body": {"card": "4111 1111 1111 1111"}}
    with playing(always=503) as collector:
        with emitting(collector, spool_dir=tmp_path) as emitter:
            emitter.emit(event)
            until(lambda: emitter.stats()["spooled"])
            spooled = b"".join(file.read_bytes() for file in files(tmp_path))
        sent = json.dumps([request.events for request in collector.requests])
    for text in (sent, spooled.decode()):
        assert "u0@example.com" in text
        assert "hunter2" not in text
        assert "4111" not in text


def test_importing_it_is_light():
    code = "import sys, loaders.client.middleware; print(*{m.split('.')[0] for m in sys.modules})"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(result.stdout.split())
    assert "loaders" in loaded
    assert not loaded & HEAVY


def test_a_url_of_no_use():
    for url in ("", "collector", "ftp://x", "http://"):
        with pytest.raises(ValueError, match="url"):
            Emitter(url, TOKEN)
    for token in ("", "two words", "line\nbreak", "not äscii"):
        with pytest.raises(ValueError, match="token"):
            Emitter("http://localhost:1", token)


# Twins with a fault: the tests above must see it


def fails(test: Any, *arguments: Any) -> None:
    """That a test is red."""
    with pytest.raises((AssertionError, RuntimeError)):
        test(*arguments)


def test_a_twin_that_uses_numbers_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(KeptNumbers, "_known", lambda self: "app-always-the-same")
    monkeypatch.setattr(KeptNumbers, "take", Numbers.take)  # never written down
    fails(test_close_leaves_the_rest_to_the_next, tmp_path)


def test_a_twin_that_raises(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Emitter, "emit", lambda self, event: self._add(json.dumps(event), ""))
    with playing() as collector, emitting(collector) as emitter, pytest.raises(TypeError):
        emitter.emit({"a": object()})


def test_a_twin_with_a_new_key_each_time(monkeypatch: pytest.MonkeyPatch):
    fresh = property(lambda self: f"{random.getrandbits(128):032x}")
    monkeypatch.setattr(Batch, "key", fresh)
    fails(test_a_collector_of_moods, False, random.Random(1), Path())


def test_a_twin_that_believes_every_202(monkeypatch: pytest.MonkeyPatch):
    taken = judge(202, b'{"accepted": 1, "duplicates": 0, "rejected": []}', None, 1)
    monkeypatch.setattr(
        "loaders.client.collector._taken", lambda said, events: taken if events else None
    )
    fails(test_events_that_the_collector_refuses_are_counted)


def test_a_twin_without_a_bound(monkeypatch: pytest.MonkeyPatch):
    bounded = memory.Memory.__init__
    monkeypatch.setattr(memory.Memory, "__init__", lambda self, n, _: bounded(self, n, 1 << 40))
    fails(test_memory_is_bounded_and_what_is_dropped_is_a_gap, random.Random(1))


def test_a_twin_that_cuts_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(outbox.Outbox, "_cut", lambda self, lines: lines)
    fails(test_secrets_do_not_leave_the_process, tmp_path)


def test_a_twin_that_does_not_notice_forks(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Emitter, "_forked", lambda self: None)
    with playing() as collector, emitting(collector) as emitter:
        pid = os.fork()
        if pid == 0:
            emitter.emit(attempt())
            os._exit(0)
        os.waitpid(pid, 0)
        emitter.emit(attempt())
        until(lambda: collector.events)
        assert {e["producer"] for e in collector.events} == {emitter.producer}
        assert len(collector.events) == 1  # what the child emitted has nobody who sends it
