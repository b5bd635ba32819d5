"""`told_periods` against a second implementation, on random tables.

ASSAY_LONG=1 tries 1,000 tables instead of 150; ASSAY_SEED repeats a run.
"""

from __future__ import annotations

import os
import random
from collections import defaultdict

import pyarrow as pa
import pytest
from compiled import compile_inline, sandbox

TABLES = 1_000 if os.environ.get("ASSAY_LONG") else 150
K = 10

Row = tuple[int, str, int, int, int, int, str]  # id, partner, table, day, week, month, subject


@pytest.fixture(scope="module")
def sql() -> dict[str, str]:
    arguments = (
        "'claims', 'subject', {'day': 'day', 'week': 'week', 'month': 'month'}, "
        "['table_id', 'partner']"
    )
    told = f"{{{{ told_periods({arguments}) }}}}"
    blocks = """{{ published_blocks(
        'placed', 'subject', ['table_id', 'told_period', 'told_start'], ['partner']
    ) }}"""
    return compile_inline(
        told=f"with {told} last_one as (select id, told_period, told_start from placed) "
        "select * from last_one",
        blocks=f"with {told} {blocks} last_one as (select * from blocks) select * from last_one",
        careless=f"with {{{{ told_periods({arguments}, k=1) }}}} last_one as ("
        "select * from placed) select * from last_one",
    )


@pytest.fixture
def rows(dice: random.Random) -> list[Row]:
    """Partners of any size in months of four weeks of three days."""
    made: list[Row] = []
    for table in range(TABLES):
        sizes = {f"p{n}": dice.choice([1, 5, 12, 40, 90]) for n in range(dice.randint(1, 4))}
        people = dice.choice([8, 30, 200])
        for partner, size in sizes.items():
            for _ in range(size):
                day = min(dice.randrange(24), dice.randrange(24))
                subject = f"u{dice.randrange(people)}"
                made.append((len(made), partner, table, day, day // 3, day // 12, subject))
    return made


def query(statement: str, rows: list[Row]) -> list[dict[str, object]]:
    names = ["id", "partner", "table_id", "day", "week", "month", "subject"]
    with sandbox() as database:
        columns = zip(*rows, strict=True)
        database.register("claims", pa.table(dict(zip(names, map(list, columns), strict=True))))
        return database.execute(statement).to_arrow_table().to_pylist()


def expected(rows: list[Row]) -> dict[int, tuple[str, int]]:
    """Period and its start by row: what one period tells takes no part in the next."""
    found: dict[int, tuple[str, int]] = {}
    left = rows
    for period, place in (("day", 3), ("week", 4), ("month", 5)):
        people: dict[tuple[int, str, int], set[str]] = defaultdict(set)
        for row in left:
            people[row[2], row[1], int(row[place])].add(row[6])  # type: ignore[call-overload]
        rest = []
        for row in left:
            start = int(row[place])  # type: ignore[call-overload]
            if period == "month" or len(people[row[2], row[1], start]) >= K:
                found[row[0]] = (period, start)
            else:
                rest.append(row)
        left = rest
    return found


def test_every_row_is_told_of_the_shortest_period(sql: dict[str, str], rows: list[Row]) -> None:
    found = query(sql["told"], rows)
    assert len(found) == len(rows)
    placed = {row["id"]: (row["told_period"], row["told_start"]) for row in found}
    assert placed == expected(rows)
    assert {period for period, _ in placed.values()} == {"day", "week", "month"}


def test_every_block_has_k_people(sql: dict[str, str], rows: list[Row]) -> None:
    """And where k counts no more than one, the check sees it."""
    told = [row for row in query(sql["blocks"], rows) if row["is_published"]]
    assert smallest(told) >= K
    careless = query(sql["careless"], rows)
    alone = [row | {"published_partner": row["partner"]} for row in careless]
    assert smallest(alone) < K


def smallest(rows: list[dict[str, object]]) -> int:
    """People of the smallest block."""
    cell = ("table_id", "told_period", "told_start", "published_partner")
    people: dict[tuple[object, ...], set[object]] = defaultdict(set)
    for row in rows:
        people[tuple(row[name] for name in cell)].add(row["subject"])
    return min(map(len, people.values()))
