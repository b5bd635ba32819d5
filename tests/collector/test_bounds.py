"""What waits may grow; what the collector holds of it in memory, or remembers for good, may not."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from collecting import assert_balanced, collecting, landed_ids
from spooling import root_of, submission

from loaders.collector import replies
from loaders.collector.replies import Reply
from loaders.collector.spool import Spool
from loaders.home import Home, init_home

HOARDING = [sys.executable, str(Path(__file__).with_name("hoarding_collect.py"))]
SMALL, LARGE = 4_500, 13_500  # records of 8 KB: one range of 32 MiB and a bit, and four

MEMORY = 170  # MiB that three times the backlog may take more; without a bound it is twice that


def peak(home: Home, records: int, command: list[str] | None = None) -> int:
    """The most memory that its processes took to drain a backlog, in MiB."""
    with Spool(root_of(home)) as spool:
        for first in range(0, records, 500):
            names = [f"{first + n}" for n in range(500)]
            spool.submit(submission(names, path="/api/login", user_agent="x" * 8_000)).result()
    with collecting(home, command=command) as collector:
        collector.drained()
        assert collector.process
        tasks = Path(f"/proc/{collector.process.pid}/task").glob("*/children")
        children = [pid for file in tasks for pid in file.read_text().split()]
        assert children
        stati = [Path(f"/proc/{pid}/status") for pid in (collector.process.pid, *children)]
        found = [re.search(r"VmHWM:\s+(\d+)", status.read_text()) for status in stati]
    assert landed_ids(home).total() == records
    assert_balanced(home)
    return sum(int(high[1]) >> 10 for high in found if high)


def test_memory_does_not_grow_with_the_backlog(tmp_path: Path, tell: Callable[[str], None]):
    """Three times as much of it takes a little more at most, unless ranges have no bound."""
    homes = [init_home(tmp_path / name)[0] for name in ("small", "large", "hoarded")]
    small, large = peak(homes[0], SMALL), peak(homes[1], LARGE)
    hoarded = peak(homes[2], LARGE, HOARDING)
    tell(f"{SMALL:,} records: {small} MiB, {LARGE:,}: {large} MiB, in one range: {hoarded} MiB")
    assert large < small + MEMORY < hoarded


def test_replies_are_remembered_within_a_bound(home: Home, monkeypatch: pytest.MonkeyPatch):
    """Long ones count for more, and the oldest go first."""
    monkeypatch.setattr(replies, "KEPT_REPLIES", 300)
    monkeypatch.setattr(replies, "_PRUNED_AT_ONCE", 5)
    refused = [{"index": n, "code": "time_violation", "pointer": "/timestamp"} for n in range(1000)]

    def post(spool: Spool, number: int) -> Reply:
        given = submission([f"e{number}"], key=f"k{number}")
        return spool.submit(replace(given, reply=Reply(0, 0, refused, f"{number}"))).result()

    def size(spool: Spool) -> int:
        query = "select sum(length(reply)) from replies"
        return spool.do(lambda connection: connection.execute(query).fetchone()[0]).result()

    with Spool(root_of(home)) as spool:
        for number in range(30):
            assert post(spool, number).trace_id == f"{number}"
            assert size(spool) < 400 << 10
        assert post(spool, 29).trace_id == "29"
        assert post(spool, 29).rejected == refused
    with Spool(root_of(home)) as spool:
        again = submission(["e0"], key="k0")
        assert spool.submit(replace(again, reply=Reply(1, 0, [], "new"))).result().trace_id == "new"
        assert size(spool) < 400 << 10
