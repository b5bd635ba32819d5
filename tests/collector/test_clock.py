"""A clock that jumps: nothing is lost or refused for it, and days are those of UTC."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from clocks import Clock
from collecting import assert_balanced, event, landed_ids, rows, token
from in_process import Sender, collecting_here

from loaders.collector import limits, replies
from loaders.home import Home, init_home

QUOTA = 12
# The end of a leap day and its morrow, hours that local clocks skip or repeat, the last second of
# 31 bits, a year without a leap day, and moments long before and after.
MOMENTS = [
    "2028-02-29T23:59:58",
    "2028-03-01T00:00:01",
    "2026-03-29T00:59:59",
    "2026-03-29T01:00:01",
    "2026-10-25T00:30:00",
    "2026-10-25T01:30:00",
    "2038-01-19T03:14:08",
    "2100-02-28T23:59:59",
    "1999-12-31T23:59:59",
    "2026-05-01T09:00:00",
]
HOURS = [1, -1, 5, -5, 24, -24, 49, -49, 3 * 365 * 24, -3 * 365 * 24]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    clock.install(monkeypatch)
    return clock


def post(sender: Sender, names: list[str], bearer: str, key: str = "") -> httpx.Response:
    return sender.post([event(name) for name in names], bearer, key)


def test_jumps(clock: Clock, home: Home, dice: random.Random):
    """Whatever the clock does between requests and restarts."""
    free, scarce = token(home, "free"), token(home, "scarce", quota=QUOTA)
    jumps = [*MOMENTS, *HOURS, *HOURS]
    dice.shuffle(jumps)
    sent: list[str] = []
    for part in range(3):
        with collecting_here(home) as sender:
            for number, jump in enumerate(jumps[part::3]):
                clock.set(jump) if isinstance(jump, str) else clock.jump(jump)
                names = [f"{part}-{number}-{n}" for n in range(dice.randrange(1, 9))]
                for _ in range(2):
                    assert post(sender, names, free, key=names[0]).status_code == 202
                sent += names
                names = [f"scarce {name}" for name in names]
                reply = post(sender, names, scarce)
                sent += names if reply.status_code == 202 else []
                assert int(reply.headers.get("retry-after", 0)) <= 24 * 3600
            sender.drain()
    assert landed_ids(home) == Counter(sent)
    assert rows(home, "dead_letters") == []
    assert_balanced(home)


@pytest.fixture(params=["Pacific/Kiritimati", "America/New_York"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A place whose days are not those of UTC, and the second has a summer time."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def test_the_days_of_a_quota_are_those_of_utc(zone: str, clock: Clock, home: Home):
    """Also of those that are shorter or longer elsewhere, and of a leap day."""
    bearer = token(home, quota=2)
    with collecting_here(home) as sender:
        for day in ("2026-03-08", "2026-11-01", "2028-02-29", "2026-05-01"):
            clock.set(f"{day}T00:01:00")
            assert post(sender, [f"{day} a"], bearer).status_code == 202
            clock.set(f"{day}T23:40:00")
            assert post(sender, [f"{day} b"], bearer).status_code == 202
            refused = post(sender, ["c"], bearer)
            assert refused.status_code == 429
            assert refused.json()["code"] == "QUOTA_EXCEEDED"
            assert 19 * 60 < int(refused.headers["retry-after"]) <= 20 * 60
            clock.jump(0.5)
            assert post(sender, [f"{day} d"], bearer).status_code == 202


def test_the_rate_goes_by_time_that_went_by(clock: Clock, home: Home):
    bearer = token(home, rate=10)
    with collecting_here(home) as sender:
        for jump in (0, -3 * 365 * 24, 24, 3 * 365 * 24):
            clock.jump(jump)
            clock.wait(60)
            assert post(sender, [f"{jump} {n}" for n in range(50)], bearer).status_code == 202
            refused = post(sender, ["more"], bearer)
            assert refused.status_code == 429
            assert 3 <= int(refused.headers["retry-after"]) <= 4  # 30 borrowed, at 10 a second
            clock.jump(-jump)
            assert post(sender, ["more"], bearer).status_code == 429
            clock.wait(4)
            assert post(sender, [f"{jump} more"], bearer).status_code == 202


def test_a_key_is_known_for_48_hours(clock: Clock, home: Home):
    """And is another's after that. A clock that went back makes none of it a refusal."""
    bearer = token(home)
    with collecting_here(home) as sender:
        first = post(sender, ["a"], bearer, key="k").json()
        clock.jump(47)
        assert post(sender, ["a"], bearer, key="k").json() == first
        assert post(sender, ["b"], bearer, key="k").status_code == 422
        clock.jump(2)
        assert post(sender, ["b"], bearer, key="k").json()["accepted"] == 1
        clock.jump(-3 * 365 * 24)
        assert post(sender, ["b"], bearer, key="k").json()["accepted"] == 1
        assert post(sender, ["c"], bearer, key="k2").json()["accepted"] == 1
        clock.jump(3 * 365 * 24 + 50)
        assert post(sender, ["c"], bearer, key="k2").json()["duplicates"] == 1  # the key is gone
        sender.drain()
    assert landed_ids(home) == {"a": 1, "b": 1, "c": 1}


def test_quota_and_keys_outlive_the_process(clock: Clock, home: Home):
    bearer = token(home, quota=3)
    with collecting_here(home) as sender:
        first = post(sender, ["a", "b"], bearer, key="k").json()
    with collecting_here(home) as sender:
        assert post(sender, ["a", "b"], bearer, key="k").status_code == 429
        assert post(sender, ["c"], bearer).status_code == 202
        assert post(sender, ["d"], bearer).status_code == 429
        clock.jump(24)
        assert post(sender, ["a", "b"], bearer, key="k").json() == first
        assert post(sender, ["d"], bearer).status_code == 202
        sender.drain()
    assert landed_ids(home) == {"a": 1, "b": 1, "c": 1, "d": 1}


# Twins with a fault: the tests above must see it


def test_a_twin_whose_rate_goes_by_the_wall(
    clock: Clock, home: Home, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(limits.time, "monotonic", clock.time)
    with pytest.raises(AssertionError):
        test_the_rate_goes_by_time_that_went_by(clock, home)


def test_a_twin_whose_days_are_local(clock: Clock, home: Home, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(replies, "day", lambda: f"{clock.now() + timedelta(hours=14):%Y-%m-%d}")
    with pytest.raises(AssertionError):
        test_the_days_of_a_quota_are_those_of_utc("", clock, home)


def test_a_twin_that_forgets_at_its_end(
    clock: Clock, home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """What was used, or what was answered."""
    for name, load in (("Usage", lambda *_: None), ("Replies", lambda self, _: None)):
        with monkeypatch.context() as patch, pytest.raises(AssertionError):
            patch.setattr(getattr(replies, name), "load", load)
            if name == "Replies":
                patch.setattr(replies.Replies, "find", lambda *_: None)
            test_quota_and_keys_outlive_the_process(clock, init_home(tmp_path / name)[0])
