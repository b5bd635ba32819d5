"""A spool without HTTP: what is submitted, and what is in bronze when it was drained."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from collecting import event, rows

from loaders.collector.drain import Drain
from loaders.collector.frames import Event, Origin
from loaders.collector.metrics import Metrics
from loaders.collector.ranges import Ranges
from loaders.collector.replies import Reply
from loaders.collector.spool import Spool, Submission
from loaders.home import Home
from loaders.landing.validator import Validator


def submission(names: list[str], source: str = "web", key: str | None = None, **more: object):
    raws = [json.dumps(event(name, **more)).encode() for name in names]
    origin = Origin(
        "attempts", source, "t", "2026-05-01T00:00:00+00:00", "ab" * 16, idempotency_key=key
    )
    events = [Event(raw, digest=hashlib.blake2b(raw, digest_size=16).digest()) for raw in raws]
    return Submission(origin, events, b"body", Reply(len(raws), 0, [], "ab" * 16))


_VALIDATORS: dict[str, dict[str, Validator]] = {}  # by residency and table


def drain_of(home: Home, spool: Spool) -> Drain:
    """Drains in this process, with the validators of all that drained here: they take long."""
    landing = Ranges(home)
    landing._validators = _VALIDATORS.setdefault(home.residency, {})
    return Drain(home, spool, Metrics(), landing)


def drain(home: Home, spool: Spool) -> None:
    """Land all there is."""
    work = drain_of(home, spool)
    for _ in range(1000):
        work.once()
        if not spool.waiting() and not spool.damaged_folders:
            return
    raise AssertionError("the spool does not drain")


def root_of(home: Home) -> Path:
    return home.path / "spool"


def damaged_letters(home: Home) -> int:
    return sum(row["code"] == "buffer_corrupt" for row in rows(home, "dead_letters"))
