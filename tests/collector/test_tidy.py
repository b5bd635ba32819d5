"""A collector keeps bronze in few files, while it goes on taking events."""

from __future__ import annotations

import os
import time
from collections import Counter

from collecting import PATIENCE, assert_balanced, collecting, event, landed_ids, token
from small_batches import NOW, files_in, land_small

from loaders.home import Home


def test_a_collector_merges_small_files(home: Home):
    batches = [land_small(home, rows=2) for _ in range(5)]
    before = landed_ids(home)
    for table in ("attempts", "dead_letters", "landing_ledger"):
        for file in files_in(home, table):
            os.utime(file, (NOW.timestamp(), NOW.timestamp()))
    bearer = token(home)
    with collecting(home, "--compact-at", "15") as collector:
        assert collector.post([event("new")], bearer).status_code == 202
        until = time.monotonic() + PATIENCE
        while '"event":"compacted"' not in collector.said():
            assert time.monotonic() < until, collector.said()
            time.sleep(0.05)
        collector.drained()
        assert collector.stop() == 0
    assert '"attempts":[' in collector.said()
    assert len(files_in(home, "dead_letters")) == 1
    assert len([file for file in files_in(home) if file.stem in batches]) == 0
    assert landed_ids(home) == before + Counter(["new"])
    assert_balanced(home)
