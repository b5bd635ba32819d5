"""A storm of duplicates: each event sent up to ten times, and silver has each once.

Over 48 hours by a clock that now and then goes back, across restarts, in any order; some of them
with another payload under the same id, some of the requests again under their key.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from clocks import Clock
from collecting import LONG, assert_balanced, event, rows, sums, token
from conftest import MODELS_ONLY, run_dbt
from in_process import collecting_here

from loaders.collector import spool as spools
from loaders.home import Home

EVENTS, PARTS = (20_000, 12) if LONG else (400, 4)
SILVER = ("+stg_access__attempts", "+int_access__duplicates")

Variants = dict[str, list[int]]  # of each event in bronze, in silver's order


def requests(dice: random.Random) -> Iterator[list[dict[str, Any]]]:
    """Each event 1 to 10 times, most as the same and some as up to three, in no order."""
    sends = [
        event(f"e{number}", duration=dice.choice((1, 1, 1, 1, 2, 3)) if is_odd else 1)
        for number in range(EVENTS)
        for is_odd in [dice.random() < 0.3]
        for _ in range(dice.randint(1, 10))
    ]
    dice.shuffle(sends)
    while sends:
        size = dice.choice((1, 5, 20, 60))
        yield sends[:size]
        del sends[:size]


@pytest.fixture
def storm(
    home: Home, dice: random.Random, monkeypatch: pytest.MonkeyPatch
) -> tuple[Home, Counter[str]]:
    """The home after it, and how often each event was stored or counted."""
    monkeypatch.setattr(spools, "_KNOWN_EVENTS", EVENTS // 10)
    clock, bearer, sent = Clock(), token(home), Counter[str]()
    clock.install(monkeypatch)
    every = list(requests(dice))
    for part in range(PARTS):
        with collecting_here(home) as sender:
            for number, request in enumerate(every[part::PARTS]):
                clock.jump(48 / len(every) - (dice.random() < 0.05) * dice.uniform(0, 6))
                key = f"{part}-{number}" if dice.random() < 0.5 else ""
                reply = sender.post(request, bearer, key)
                assert reply.status_code == 202
                sent.update(event["event_id"] for event in request)
                if key and dice.random() < 0.3:
                    assert sender.post(request, bearer, key).json() == reply.json()
                if dice.random() < PARTS * 2 / len(every):
                    sender.drain()
            sender.drain()
        if LONG or part == PARTS - 1:
            run_dbt(home, "build", "--select", *SILVER, *MODELS_ONLY)
    return home, sent


def in_bronze(home: Home) -> Variants:
    """What bronze holds, in the order that silver promises: by time, batch and line."""
    landed = sorted(
        rows(home, "attempts"), key=lambda r: (r["ingested_at"], r["batch_id"], r["line_number"])
    )
    found: Variants = defaultdict(list)
    for row in landed:
        found[row["event_id"]].append(row["duration"])
    return found


def wrong_in_silver(warehouse: Path, bronze: Variants) -> list[str]:
    """Events that are not there once as their first variant, or whose others are not told."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        kept, others = defaultdict(list), defaultdict(Counter)
        for name, variant in connection.execute(
            "select event_id, duration_ns from silver.stg_access__attempts"
        ).fetchall():
            kept[name].append(variant)
        for name, code in connection.execute(
            "select event_id, code from silver.int_access__duplicates"
        ).fetchall():
            others[name][code] += 1
    wrong = []
    for name, variants in bronze.items():
        conflicts = sum(variant != variants[0] for variant in variants)
        expected = Counter(
            duplicate_conflict=conflicts, duplicate_exact=len(variants) - conflicts - 1
        )
        if kept[name] != variants[:1] or others[name] != expected:
            wrong.append(name)
    return wrong + sorted(set(kept) - set(bronze))


@pytest.mark.timeout(3600)
def test_each_event_is_in_silver_once(storm: tuple[Home, Counter[str]], tmp_path: Path):
    home, sent = storm
    bronze = in_bronze(home)
    assert bronze.keys() == sent.keys()
    landed = sum(map(len, bronze.values()))
    books = sums(home)
    assert (books["received"], books["accepted"]) == (sent.total(), landed)
    assert books["duplicates"] == sent.total() - landed
    assert wrong_in_silver(home.warehouse, bronze) == []
    assert_balanced(home)
    conflicts = sum(len(set(variants)) > 1 for variants in bronze.values())
    assert conflicts > EVENTS // 20
    print(f"{EVENTS} events sent {sent.total()} times, {landed} in bronze, {conflicts} in conflict")
    twins_are_found_out(home, bronze)


def twins_are_found_out(home: Home, bronze: Variants) -> None:
    """A row that is there twice, one that is gone, and a conflict that was not told."""
    for fault in (
        "insert into silver.stg_access__attempts from silver.stg_access__attempts limit 1",
        "delete from silver.stg_access__attempts where event_id = 'e7'",
        "delete from silver.int_access__duplicates where code = 'duplicate_conflict'",
    ):
        twin = home.path / "twin.duckdb"
        twin.write_bytes(home.warehouse.read_bytes())
        with duckdb.connect(str(twin)) as connection:
            connection.execute(fault)
        assert wrong_in_silver(twin, bronze), fault
