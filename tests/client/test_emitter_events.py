"""Whatever is emitted: nothing raises, everything is accounted for, no secret leaves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playing import (
    Playing,
    attempt,
    emitting,
    files,
    playing,
    until,
)

from loaders.client import Emitter


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
        emitter.emit(event)
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
