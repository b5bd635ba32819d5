"""A retention that is killed: the books balance at once, and the next run takes what is left.

ASSAY_LONG=1 kills before every step.
"""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from small_batches import all_rows, files_in, land_small, leftovers

from loaders import audit
from loaders.books import read_books
from loaders.compaction.compact import compact
from loaders.contracts import contract_of
from loaders.home import Home, init_home
from loaders.retention.retain import retain

pytestmark = pytest.mark.slow

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
STRIDE = 1 if os.environ.get("ASSAY_LONG") == "1" else 9


def aged(folder: Path) -> Home:
    """Batches past their period and not, merged in part, and old gold, so that all is rewritten."""
    home = init_home(folder)[0]
    old = [land_small(home, now=NOW - timedelta(days=200)) for _ in range(2)]
    land_small(home, now=NOW - timedelta(days=200), table="deposit_attempts")
    land_small(home, now=NOW)
    compact(home, ["dead_letters"], older_than=0)
    with duckdb.connect(str(home.warehouse)) as warehouse:
        warehouse.execute("create schema silver; create schema gold")
        for table in ("attempts", "deposit_attempts"):
            warehouse.execute(
                f"create table silver.{contract_of(table).silver} "
                "(batch_id varchar, line_number bigint, attempted_at timestamp, "
                "ingested_at timestamp)"
            )
            for row in all_rows(home, table):
                warehouse.execute(
                    f"insert into silver.{contract_of(table).silver} values (?, ?, ?, ?)",
                    [row["batch_id"], row["line_number"]]
                    + [row["ingested_at"].replace(tzinfo=None)] * 2,
                )
        warehouse.execute(
            "create table silver.int_access__duplicates (table_name varchar, batch_id varchar, "
            "line_number bigint, ingested_at timestamp)"
        )
        warehouse.execute("create table gold.attempts_daily (period_start date)")
        warehouse.execute("insert into gold.attempts_daily values ('1999-01-01'), ('2026-01-01')")
    assert len(old) == 2
    return home


def test_killed_at_some_steps(tmp_path: Path) -> None:
    home = aged(tmp_path / "template")
    kept = {row["batch_id"] for row in all_rows(home, "attempts") if row["ingested_at"] == NOW}
    script = Path(__file__).with_name("retain_steps.py")
    command = [sys.executable, script, tmp_path, str(NOW.date()), str(STRIDE)]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    steps = said.splitlines()
    half_done = 0
    for line in steps:
        number, _, step = line.partition(" ")
        killed, where = Home(tmp_path / number), f"before {line}"
        assert {b.problem for b in read_books(killed)[0]} <= {None}, where
        rest = retain(killed, today=NOW.date())
        half_done += bool(step and rest.due)
        assert retain(killed, today=NOW.date()).due == [], where
        assert {r["batch_id"] for r in all_rows(killed, "attempts")} == kept, where
        assert {r["batch_id"] for r in all_rows(killed, "dead_letters")} == kept, where
        assert files_in(killed, "deposit_attempts") == [], where
        with duckdb.connect(str(killed.warehouse), read_only=True) as warehouse:
            gold = warehouse.execute("select count(*) from gold.attempts_daily").fetchall()
        assert gold == [(1,)], where
        assert [b.problem for b in read_books(killed)[0]] == [None], where
        assert audit.verify(killed).problems == [], where
        assert leftovers(killed) == [], where
        assert not killed.warehouse.with_name("warehouse.next").exists(), where
    print(f"{len(steps)} kills, {half_done} left something to do")
    assert half_done > 3
