"""A collector that is killed at random moments: what it has answered is in silver, once.

Senders send a request until it is answered (crash_sender.py). What was answered must be in bronze
or the dead letters. An event may be in bronze twice only if its request was sent again, since
nobody had answered it, and had no key; silver takes one of them.

ASSAY_LONG=1 kills 1,000 times while 5,000,000 events are sent, and writes the report. ASSAY_KILLS,
ASSAY_EVENTS and ASSAY_SECONDS (after which nobody is killed any more) bound a run; ASSAY_SEED
repeats its dice.
"""

from __future__ import annotations

import os
import random
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from collecting import LONG
from conftest import MODELS_ONLY, run_dbt
from crash_report import machine, write_report
from crash_sender import BROKEN
from crashing import SENDERS, Found, Run, look, run, salvaged_spools

from loaders.books import read_books
from loaders.home import Home, init_home

KILLS = int(os.environ.get("ASSAY_KILLS") or (1_000 if LONG else 12))
EVENTS = int(os.environ.get("ASSAY_EVENTS") or (5_000_000 if LONG else 24_000))
SECONDS = float(os.environ.get("ASSAY_SECONDS") or "inf")
EARLY = [sys.executable, str(Path(__file__).with_name("early_collect.py"))]


@dataclass(frozen=True)
class Silver:
    """Rows of silver, and the rows of bronze that it did not keep, by code."""

    rows: int
    events: int
    others: dict[str, int]


def build(home: Home) -> Silver:
    """Build silver of the attempts from bronze, and count."""
    wanted = ("+stg_access__attempts", "+int_access__duplicates")
    run_dbt(home, "build", "--select", *wanted, *MODELS_ONLY)
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        [counts] = warehouse.execute(
            "select count(*), count(distinct event_id) from silver.stg_access__attempts"
        ).fetchall()
        others = warehouse.execute(
            "select code, count(*) from silver.int_access__duplicates group by code"
        ).fetchall()
    return Silver(*counts, dict(others))


@pytest.mark.timeout(4 * 3600)
def test_kill_at_random_moments(tmp_path: Path):
    seed = int(os.environ.get("ASSAY_SEED") or secrets.randbelow(2**32))
    print(f"ASSAY_SEED={seed}")
    home = init_home(tmp_path / "home")[0]
    done = run(home, KILLS, EVENTS, random.Random(seed), SECONDS)
    found = look(home, done)
    assert (found.lost, found.strange) == (0, 0)
    assert not found.twice_wrongly or salvaged_spools(home)  # which have no keys any more
    assert found.landed + found.refused - found.twice == done.sent
    silver, broken = build(home), sum(-(-s["sent"] // BROKEN) for s in done.senders)
    assert silver.rows == silver.events == done.sent - broken
    assert silver.others.keys() <= {"duplicate_exact"}
    assert silver.rows + sum(silver.others.values()) == found.landed
    batches, note = read_books(home)
    assert ([batch for batch in batches if batch.problem], note) == ([], None)
    facts = told(seed, home, done, found, silver)
    facts["ledger"] = f"{len(batches):,} batches, all of them balance"
    print("\n".join(f"{name}: {value}" for name, value in facts.items()))
    if LONG:
        write_report(facts)


def told(seed: int, home: Home, done: Run, found: Found, silver: Silver) -> dict[str, str]:
    """The facts of the report."""
    by_phase = ", ".join(f"{done.kills[phase]:,} while {phase}" for phase in sorted(done.kills))
    requests = sum(sender["requests"] for sender in done.senders)
    without_key = found.twice - found.twice_wrongly
    return {
        "seed": str(seed),
        "kills (`kill -9`)": f"{done.kills.total():,}: {by_phase}",
        "events sent": f"{done.sent:,} in {requests:,} requests, by {SENDERS} senders",
        "answered": f"{done.sent:,}; every {BROKEN}th was refused, as it should",
        "sent again": f"{done.sent_again:,} events whose request had got no answer",
        "lost": f"{found.lost:,}",
        "twice in bronze": f"{without_key:,} of those sent again without a key; "
        f"{found.twice_wrongly:,} of all others",
        "in silver": f"{silver.rows:,}, 0 of them twice",
        "spools taken for damaged": str(salvaged_spools(home)),
        "time": f"{done.seconds:,.0f} s with all restarts, "
        f"so {done.sent / done.seconds:,.0f} events/s",
        "machine": machine(home.path),
    }


def test_a_collector_that_answers_early_is_found_out(tmp_path: Path):
    """The same harness must see what it is made for."""
    home = init_home(tmp_path / "home")[0]
    done = run(home, 6, 12_000, random.Random(7), command=EARLY, aims={"accepting": 1})
    assert look(home, done).lost > 0
