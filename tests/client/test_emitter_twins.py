"""Twins of the emitter with a fault: the other tests must see it."""

from __future__ import annotations

import json
import random
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import test_emitter
import test_emitter_events
import test_emitter_processes
import test_emitter_waiting
from playing import emitting, playing, until

from loaders.client import Emitter, memory, outbox
from loaders.client.batch import Batch
from loaders.client.collector import judge
from loaders.client.numbering import KeptNumbers, Numbers


def fails(test: Any, *arguments: Any) -> None:
    """That a test is red."""
    with pytest.raises((AssertionError, RuntimeError)):
        test(*arguments)


def test_a_twin_that_uses_numbers_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(KeptNumbers, "_known", lambda self: "app-always-the-same")
    monkeypatch.setattr(KeptNumbers, "take", Numbers.take)  # never written down
    fails(test_emitter_waiting.test_close_leaves_the_rest_to_the_next, tmp_path)


def test_a_twin_that_raises(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Emitter, "emit", lambda self, event: self._add(json.dumps(event), ""))
    raised = pytest.raises((TypeError, ExceptionGroup))  # a group, if several kinds were found
    with playing() as collector, emitting(collector) as emitter, raised:
        test_emitter_events.test_emit_never_raises((collector, emitter))


def test_a_twin_with_a_new_key_each_time(monkeypatch: pytest.MonkeyPatch):
    fresh = property(lambda self: f"{random.getrandbits(128):032x}")
    monkeypatch.setattr(Batch, "key", fresh)
    fails(test_emitter.test_a_collector_of_moods, False, random.Random(1), Path())


def test_a_twin_that_believes_every_202(monkeypatch: pytest.MonkeyPatch):
    taken = judge(202, b'{"accepted": 1, "duplicates": 0, "rejected": []}', None, 1)
    monkeypatch.setattr(
        "loaders.client.collector._taken", lambda said, events: taken if events else None
    )
    fails(test_emitter.test_events_that_the_collector_refuses_are_counted)


def test_a_twin_without_a_bound(monkeypatch: pytest.MonkeyPatch):
    bounded = memory.Memory.__init__
    monkeypatch.setattr(memory.Memory, "__init__", lambda self, n, _: bounded(self, n, 1 << 40))
    fails(
        test_emitter_waiting.test_memory_is_bounded_and_what_is_dropped_is_a_gap, random.Random(1)
    )


def test_a_twin_that_cuts_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(outbox.Outbox, "_cut", lambda self, lines: lines)
    fails(test_emitter_events.test_secrets_do_not_leave_the_process, tmp_path)


def test_a_twin_that_does_not_wait_as_it_is_asked_to(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("loaders.client.collector._seconds", lambda _: 0.0)
    fails(test_emitter.test_retry_after_is_honoured, 503)


def test_a_twin_that_does_not_notice_forks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(Emitter, "_forked", lambda self: None)
    patience = partial(until, seconds=5)  # it waits for what never comes
    monkeypatch.setattr(test_emitter_processes, "until", patience)
    fails(test_emitter_processes.test_forks, False, tmp_path)
