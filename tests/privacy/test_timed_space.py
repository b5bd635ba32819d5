"""Nothing small follows from times and categories together: rule 5a.6, attack R4, exactly.

An attacker who knows every total that the labels of `timed_blocks` allow, and even which rows each
counts, adds and subtracts. ASSAY_LONG=1 tries 600 tables of each size instead of 60; ASSAY_SEED
repeats a run.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime

import pytest
from row_space import computable_sets
from timed_space import (
    FIXED_SEED,
    FRESH_SEED,
    SIZES,
    TABLES,
    Row,
    Table,
    compiled,
    labelled,
    labelled_plays,
    play,
    plays,
    tables_of,
)

SEEDS = pytest.mark.parametrize("seed", [FIXED_SEED, FRESH_SEED], ids=["fixed seed", "fresh seed"])
BY_SIZE = pytest.mark.parametrize("size", SIZES)


@SEEDS
@BY_SIZE
def test_nothing_small_follows(size: str, seed: int) -> None:
    """No sum or difference of told totals touches fewer than k people, of whatever rows it is."""
    tables = tables_of(labelled_plays(seed, size), SIZES[size].k)
    leaking = sum(bool(table.disclosed()) for table in tables)
    parts = sum(len(table.members) for table in tables)
    small = sum(len(t.people([p])) < t.k for t in tables for p in range(len(t.members)))
    print(
        f"{size}: {len(tables)} tables, {parts} parts, {small} of them small, "
        f"{sum(len(table.told) for table in tables)} totals: {leaking} tables leak"
    )
    assert len(tables) > TABLES / 2
    assert small > TABLES / 3
    assert leaking == 0


@SEEDS
@BY_SIZE
def test_nobody_has_more_than_half(size: str, seed: int) -> None:
    """Neither of what is told or follows, nor is a stake bounded by less than its double."""
    found = [exposed(table) for table in tables_of(labelled_plays(seed, size), SIZES[size].k)]
    print(f"{size}: {sum(found)} sets show a stake")
    assert sum(found) == 0


def exposed(table: Table) -> int:
    """How many sets, told or computable, show stakes of few; and how many parts bound one's."""
    sets = {*table.told, *computable_sets(table.told)}
    return sum(table.is_of_few(ones) for ones in sets) + table.overexposed()


@BY_SIZE
def test_random_tables_reach_every_branch(size: str) -> None:
    """Else the audit would prove little."""
    rows = labelled_plays(FIXED_SEED, size)
    seen = Counter(row["told_granularity"] or "withheld" for row in rows)
    for row in rows:
        seen["cube"] += row["cube_hour"] is not None
        seen["cube of a device"] += row["cube_device"] not in (None, "Other")
        seen["cube of a place"] += row["cube_geo"] not in (None, "Other")
        seen["other game"] += row["is_published"] and row["published_game_id"] == "Other"
        seen["in the day only"] += row["cube_hour"] is None and not row["is_hub"]
    print(size, dict(seen))
    assert {"1m", "5m", "1h", "1d", "withheld"} <= {*seen}
    assert min(seen.values()) >= 20


ANY_REST = r"({}_rests as .*?)\(\s+\(\s+count"
IS_TRUE = r"\1(true or (count"
LEAKS = {
    "spans count all people": (r"case when \w+.is_hub then (.*?) end as of_hub", r"\1 as of_hub"),
    "the hub is told by the hour": ("where not is_hub", "where true"),
    "a rest of categories of any size": (ANY_REST.format(r"by_category\w*"), IS_TRUE),
    "a rest of spans of any size": (ANY_REST.format("told_hour"), IS_TRUE),
    "a rest of the cube of any size": (ANY_REST.format(r"cube\w*"), IS_TRUE),
    "what is withheld is published": (r"(having\s+)\(\s+\(\s+count", IS_TRUE),
}
EXPOSURES = {
    "spans weigh all people": (r"<= sum\((joined_)?counted\)", r"<= sum(\1weight)"),
    "nobody is weighed": (r"and 2 \* max\(\w+\) <= sum\(\w+\)", ""),
}


def faulty_tables(fault: tuple[str, str], size: str, rows: list[Row]) -> list[Table]:
    sql, replaced = re.subn(*fault, compiled()[size], flags=re.DOTALL)
    assert replaced
    return tables_of(labelled(sql, rows), SIZES[size].k)


@pytest.mark.parametrize("fault", LEAKS)
def test_a_planted_leak_is_seen(fault: str) -> None:
    """Each rule of the proof is needed: without it something small follows."""
    leaking = {
        size: sum(
            bool(table.disclosed())
            for table in faulty_tables(LEAKS[fault], size, plays(FIXED_SEED, size))
        )
        for size in SIZES
    }
    print(f"{fault}: leaking tables {leaking}")
    assert any(leaking.values())


@pytest.mark.parametrize("fault", EXPOSURES)
def test_a_planted_exposure_is_seen(fault: str) -> None:
    rows = [*plays(FIXED_SEED, "ten"), *high_rollers()]
    exposing = sum(exposed(table) > 0 for table in faulty_tables(EXPOSURES[fault], "ten", rows))
    print(f"{fault}: {exposing} tables show a stake")
    assert exposing


def high_rollers() -> list[Row]:
    """A day with a popular game for pennies, and one person who plays a dear one an hour early.

    That hour less what is told of the third game is her stake and pennies, were it told.
    """
    early, late = datetime(2025, 1, 1, 9), datetime(2025, 1, 1, 10)
    stakes = [("penny", at, person, 1) for at in (early, late) for person in range(30)]
    stakes += [("third", early, person, 100) for person in range(40, 52)]
    stakes += [("dear", late if person > 60 else early, person, 1000) for person in range(60, 72)]
    return [
        play(10**6 + number, at, person, game, stake)
        for number, (game, at, person, stake) in enumerate(stakes)
    ]


def test_one_stake_is_not_told_by_the_hour() -> None:
    """Of the high rollers' day the hours are not told, nor does anything else show her stake."""
    rows = labelled(compiled()["ten"], high_rollers())
    assert {row["told_hour"] for row in rows} == {None}
    assert {row["cube_hour"].hour for row in rows if row["cube_hour"]} == {9}
    assert [exposed(table) for table in tables_of(rows, SIZES["ten"].k)] == [0]
