"""`k_generalize` on random tables, judged by pycanon and by a second implementation.

And `l_diverse`, judged by pycanon, on what it made of them.

ASSAY_LONG=1 tries 1,000 tables instead of 200, half of them of a fixed seed; ASSAY_SEED repeats a
run.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import cache
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from compiled import compile_inline, sandbox
from pycanon.anonymity import alpha_k_anonymity, k_anonymity, l_diversity

TABLES = 1_000 if os.environ.get("ASSAY_LONG") else 200
SEEDS = (20260401, int(os.environ.get("ASSAY_SEED", time.time_ns() % 10**9)))
K = 10
LEVELS = [["city", "age10"], ["state", "age10"], ["country", "age30"], ["world", "age_any"]]
CALL = (
    "k_generalize('people', subject='subject', keys=['table_id'], "
    f"levels={LEVELS}, labels=['place', 'age'])"
)
COLUMNS = [
    "table_id",
    "row_id",
    "subject",
    "verdict",
    *{name for level in LEVELS for name in level},
]
FLAVOURS = ("plain", "skewed", "heavy users", "nulls", "no subjects", "same people", "tiny")

Row = dict[str, Any]
Told = dict[int, tuple[int, str, str, bool]]  # row -> level, place, age, whether published


@cache
def random_tables() -> list[Row]:
    """All rows of all tables; a table is one of the macro's keys."""
    rows: list[Row] = []
    for half, seed in enumerate(SEEDS):
        chosen = random.Random(seed)
        for table_id in range(half * TABLES // 2, (half + 1) * TABLES // 2):
            rows += random_table(table_id, chosen)
    for row_id, row in enumerate(rows):
        row["row_id"] = row_id
    print(f"seeds {SEEDS}: {TABLES} tables, {len(rows)} rows")
    return rows


def random_table(table_id: int, chosen: random.Random) -> list[Row]:
    """People of some places and ages, most classes of them near the threshold."""
    flavour = chosen.choice(FLAVOURS)
    size = chosen.randint(1, 20) if flavour == "tiny" else chosen.choice((15, 60, 150, 400))
    spread = chosen.choice((1, 4, 12))
    usual = chosen.choice((0.5, 0.75, 0.9, 1))  # how many have the same verdict
    made = []
    for person in range(size):
        steps = chosen.paretovariate(1) if flavour == "skewed" else chosen.uniform(0, spread)
        place, age = min(int(steps), 11), chosen.randrange(chosen.choice((10, 90)))
        number = person % 12 if flavour == "same people" else person
        row: Row = {
            "table_id": table_id,
            "subject": f"p{number}",
            "verdict": "usual" if number * 37 % 100 < usual * 100 else f"rare {number % 2}",
            "city": f"city {place}",
            "state": f"state {place // 2}",
            "country": f"country {place // 6}",
            "world": "anywhere",
            "age10": str(age // 10),
            "age30": str(age // 30 * 3),
            "age_any": "any",
        }
        if flavour == "no subjects" and chosen.random() < 0.4:
            row["subject"] = None
        if flavour == "nulls":
            row |= {name: None for name in row if name[:4] in ("city", "age1") and coin(chosen)}
            row |= {"country": None} if coin(chosen) else {}
        often = chosen.choice((5, 30)) if flavour == "heavy users" and coin(chosen) else 1
        made += [dict(row) for _ in range(often)]
    return made


def coin(chosen: random.Random) -> bool:
    return chosen.random() < 0.3


def people(rows: list[Row]) -> int:
    return len({row["subject"] for row in rows} - {None})


def values(row: Row, level: list[str]) -> tuple[str, ...]:
    return tuple("unknown" if row[name] is None else row[name] for name in level)


def expected(rows: list[Row]) -> Told:
    """What the macro's comment says, in Python, for one table."""
    classes: dict[tuple[int, tuple[str, ...]], list[Row]] = {}
    left = rows
    for number, level in enumerate(LEVELS, 1):
        whole, rest = by_values(rows, level), by_values(left, level)
        left = []
        for place, members in rest.items():
            if people(members) < K:
                left += members
                continue
            lacks_some = any(row in taken for row in whole[place] for taken in classes.values())
            told = tuple(
                f"{value} (other)" if lacks_some and name != finest else value
                for value, name, finest in zip(place, level, LEVELS[0], strict=True)
            )
            classes[number, told] = members
    if left and people(left) < K and classes:
        coarsest = max(number for number, _ in classes)
        absorbed = min(
            (people(members), len(members), told)
            for (number, told), members in classes.items()
            if number == coarsest
        )
        left = left + classes.pop((coarsest, absorbed[2]))
    found: Told = {
        row["row_id"]: (number, told[0], told[1], True)
        for (number, told), members in classes.items()
        for row in members
    }
    other = (len(LEVELS) + 1, "Other", "Other", people(left) >= K)
    return found | {row["row_id"]: other for row in left}


def by_values(rows: list[Row], level: list[str]) -> dict[tuple[str, ...], list[Row]]:
    found: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        found[values(row, level)].append(row)
    return found


DIVERSE = (
    "test_l_diverse('told', cell=['gen_level', 'published_place', 'published_age'], "
    "sensitive='verdict', subject='subject')"
)


@pytest.fixture(scope="module")
def compiled() -> dict[str, str]:
    return compile_inline(classes=f"{{{{ {CALL} }}}}", diverse=f"{{{{ {DIVERSE} }}}}")


@pytest.fixture(scope="module")
def sql(compiled: dict[str, str]) -> str:
    return compiled["classes"]


def told_by(sql: str) -> Told:
    """What the macro makes of all tables, in one statement."""
    rows = random_tables()
    table = pa.table({name: [row[name] for row in rows] for name in COLUMNS})
    with sandbox() as connection:
        connection.register("people", table)
        found = connection.execute(
            f"with {sql} told as (select row_id, gen_level, published_place, published_age, "
            "is_published from classes) select * from told"
        ).fetchall()
    assert len(found) == len(rows), "a row is lost, or there twice"
    return {row_id: tuple(labels) for row_id, *labels in found}


def violations(told: Told) -> tuple[int, int]:
    """Tables that pycanon finds a class of too few people in, and tables that publish anything.

    It counts rows and passes over nulls, so it is given one row per person and class.
    """
    published = pd.DataFrame(
        [
            (row["table_id"], row["subject"], *told[row["row_id"]][:3])
            for row in random_tables()
            if told[row["row_id"]][3]
        ],
        columns=["table_id", "subject", "level", "place", "age"],
    )
    known = published.dropna(subset="subject").drop_duplicates()
    found = 0
    tables = published.groupby("table_id")
    for table_id, rows in tables:
        frame = known[known["table_id"] == table_id]
        cell = ["level", "place", "age"]
        lost = rows.drop_duplicates(cell).shape != frame.drop_duplicates(cell).shape
        found += lost or k_anonymity(frame.reset_index(drop=True), cell) < K
    return found, len(tables)


def test_no_class_is_too_small(sql: str, tell: Callable[[str], None]) -> None:
    told = told_by(sql)
    found, tables = violations(told)
    counts = Counter(level if shown else "withheld" for level, _, _, shown in told.values())
    shares = {name: f"{count / len(told):.1%}" for name, count in sorted(counts.items(), key=str)}
    tell(
        f"{TABLES} tables, seeds {SEEDS}: {found} violations in {tables} that publish, "
        f"0 lost of {len(told)} rows; by level, {len(LEVELS) + 1} is Other: {shares}"
    )
    assert found == 0
    assert set(counts) == {1, 2, 3, 4, 5, "withheld"}


def test_equals_the_second_implementation(sql: str) -> None:
    tables: dict[int, list[Row]] = defaultdict(list)
    for row in random_tables():
        tables[row["table_id"]].append(row)
    everything: Told = {}
    for rows in tables.values():
        everything |= expected(rows)
    assert told_by(sql) == everything


def test_diversity_is_that_of_pycanon(compiled: dict[str, str]) -> None:
    """A table has a class that is too alike, or none, in the eyes of both."""
    cell = ["gen_level", "published_place", "published_age"]
    rows = random_tables()
    alike = 0
    with sandbox() as connection:
        columns = {name: [row[name] for row in rows] for name in COLUMNS}
        connection.register("people", pa.table(columns))
        connection.execute(
            f"create table made as with {compiled['classes']} told as (select table_id, subject, "
            f"verdict, {', '.join(cell)} from classes where is_published and subject is not null) "
            "select * from told"
        )
        made = connection.table("made").df().drop_duplicates()
        for table_id, rows_of_table in made.groupby("table_id"):
            found = connection.execute(
                f"with told as (select * from made where table_id = {table_id}) "
                f"select * from ({compiled['diverse']})"
            ).fetchall()
            frame = rows_of_table.reset_index(drop=True)
            share, _ = alpha_k_anonymity(frame, cell, ["verdict"])
            is_alike = l_diversity(frame, cell, ["verdict"]) < 2 or share > 0.8
            assert bool(found) == is_alike, table_id
            alike += is_alike
    print(f"{alike} of {made['table_id'].nunique()} tables have a class that is too alike")
    assert 0 < alike < made["table_id"].nunique()


SMALL = {
    "no star repair": ("other_fails and ranked", "false and ranked"),
    "nothing is withheld": ("or coarsest_level is not null as", "or true as"),
    "rows of a class instead of people": ("distinct case when level_0", "case when level_0"),
    "rows of Other": ("distinct case when level_4", "case when level_4"),
    "counts whom finer classes have": (
        "when level_1 is null then subject",
        "when true then subject",
    ),
}
UNLIKE = {
    "largest class is absorbed": ("order by people, row", "order by people desc, row"),
    "finest class is absorbed": ("max(level_4)", "min(level_4)"),
    "a remainder does not say so": ("count(level_1) > 0", "false"),
    "tables share what is left": ("labelled.table_id = ranked.table_id", "true"),
}


@pytest.mark.parametrize("fault", SMALL)
def test_pycanon_sees_a_twin_that_publishes_too_much(fault: str, sql: str) -> None:
    right, wrong = SMALL[fault]
    assert right in sql
    found, tables = violations(told_by(sql.replace(right, wrong)))
    print(f"{fault}: {found} of {tables} tables")
    assert found


@pytest.mark.parametrize("fault", UNLIKE)
def test_the_second_implementation_sees_any_other(fault: str, sql: str) -> None:
    right, wrong = UNLIKE[fault]
    assert right in sql
    try:
        twin = told_by(sql.replace(right, wrong))
    except AssertionError:
        return
    assert twin != told_by(sql)
