"""What is too large for the collector goes in parts, and what has no parts is set aside."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from playing import (
    assert_same_batch_same_key,
    assert_whole,
    attempt,
    emitting,
    files,
    playing,
    until,
)

EVENTS = 200


@pytest.mark.parametrize("was_down", [False, True])
@pytest.mark.parametrize("has_spool", [False, True])
def test_a_batch_that_is_too_large_goes_in_parts(has_spool: bool, was_down: bool, tmp_path: Path):
    """From memory and from the spool, where those wait for whom the collector was down."""
    with playing(too_large=lambda events: len(events) > 7) as collector:
        if was_down:
            collector.always = 503
        folder = tmp_path if has_spool else None
        with emitting(collector, spool_dir=folder, batch_events=64) as emitter:
            for number in range(EVENTS):
                emitter.emit(attempt(number))
            if was_down:
                until(lambda: emitter.stats()["spooled" if has_spool else "retries"] > 3)
                collector.always = 202
            until(lambda: emitter.stats()["sent"] == EVENTS)
            stats = emitter.stats()
        assert_whole(collector.events, EVENTS)
        assert_same_batch_same_key(collector)
    assert stats["split"] > 0
    assert stats["dropped"] == 0
    assert not [name for name in stats if name.startswith("rejected")]
    assert files(tmp_path) == []
    refused = [request for request in collector.requests if request.answered == 413]
    assert len(refused) == stats["split"]
    # After the first, memory gives no more than the collector takes.
    assert was_down or has_spool or len(refused) < EVENTS / 7


@pytest.mark.parametrize("has_spool", [False, True])
def test_an_event_that_is_too_large_is_set_aside(
    has_spool: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """The others of its batch arrive, and it is not tried again and again."""

    def holds_giant(events: list[dict[str, Any]]) -> bool:
        return any(event["email"] == "u17@example.com" for event in events)

    with playing(too_large=holds_giant) as collector:
        folder = tmp_path if has_spool else None
        with emitting(collector, spool_dir=folder, batch_events=64) as emitter:
            for number in range(40):
                emitter.emit(attempt(number))
            until(lambda: emitter.stats()["sent"] == 39)
            outcome = "rejected:size_violation" if has_spool else "dropped"
            until(lambda: emitter.stats().get(outcome) == 1)
            tries = len(collector.requests)
            threading.Event().wait(0.2)
            assert len(collector.requests) == tries
        assert len(collector.events) == 39
    assert "the collector refused 1 events: size_violation" in caplog.text
    if has_spool:
        (aside,) = files(tmp_path)
        assert aside.name == "rejected-size_violation.jsonl"
        assert json.loads(aside.read_text())["email"] == "u17@example.com"


def test_a_spool_that_is_full_can_still_be_split(tmp_path: Path):
    """The parts need room beside the whole, for a moment, whatever the limit is."""
    with playing(always=503, too_large=lambda events: len(events) > 7) as collector:
        settings = {"spool_dir": tmp_path, "batch_events": 64, "max_spool": 8_000}
        with emitting(collector, **settings) as emitter:
            for number in range(EVENTS):
                emitter.emit(attempt(number))
            until(lambda: emitter.stats().get("spool_errors", 0) > 0)
            collector.always = 202
            until(lambda: emitter.stats()["sent"] == EVENTS)
        assert_whole(collector.events, EVENTS)
    assert files(tmp_path) == []
