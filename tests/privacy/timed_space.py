"""Plays as an attacker sees them: which rows each total counts that their labels make known.

A table is one day of a brand in one or two currencies. Nobody can tell apart the rows of a part,
that is of one span of time and one cell of the cube, so parts stand for rows.
"""

from __future__ import annotations

import os
import random
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from itertools import combinations
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from compiled import compile_inline, sandbox
from row_space import reduced_basis
from scipy.optimize import linprog

TABLES = 600 if os.environ.get("ASSAY_LONG") else 60
FIXED_SEED = 20260205
FRESH_SEED = int(os.environ.get("ASSAY_SEED", time.time_ns() % 10**9))
KEYS = ("day", "brand", "currency")
CATEGORIES = ("provider_id", "game_id")
CUBE = ("device", "geo")
SPANS = ("told_hour", "told_five_minutes", "told_minute")
PUBLISHED = ("published_region", "published_provider_id", "published_game_id")
LABELS = (
    *("is_published", "is_hub", "told_granularity", "cube_hour", "cube_device", "cube_geo"),
    *(PUBLISHED + SPANS),
)
CALL = (
    "with {{ timed_blocks('plays', 'user_key', ['day', 'brand', 'currency'], 'region', "
    "['provider_id', 'game_id'], 'settled_at', weight='stake_minor', cube=['device', 'geo'], "
    "k=%s) }} labelled as (select * from blocks) select * from labelled"
)

Row = dict[str, Any]
Part = tuple[Any, ...]


@dataclass(frozen=True)
class Size:
    """How many people a cell needs, and how many there are."""

    k: int
    people: tuple[int, ...]
    rows: tuple[int, ...]


SIZES = {
    "ten": Size(10, (40, 100, 300), (150, 350, 700)),
    "three": Size(3, (15, 20, 30), (80, 200, 400)),  # so few that all pairs of people can be tried
}


def random_plays(seed: int, size: Size) -> Iterator[Row]:
    """Days with a few minutes, games and places, most cells near the threshold."""
    chosen = random.Random(seed)
    number = 0
    for table in range(TABLES):
        midnight = datetime.combine(date(2026, 1, 1) + timedelta(days=table), datetime.min.time())
        people = chosen.choice(size.people)
        moments = [
            midnight + timedelta(hours=hour, minutes=5 * five + minute)
            for hour in chosen.sample(range(24), chosen.randint(1, 3))
            for five in chosen.sample(range(12), chosen.randint(1, 2))
            for minute in chosen.sample(range(5), chosen.randint(1, 2))
        ]
        games = [
            (provider, game)
            for provider in ("p1", "p2", "p3")[: chosen.randint(1, 3)]
            for game in ("g1", "g2", "g3")[: chosen.randint(1, 3)]
        ]
        skew, rare = chosen.choice((0.3, 1, 3)), chosen.choice((5, 12))
        stakes, whales = chosen.choice(((1,), (0, 1, 5, 20))), chosen.choice((0, 0, 0.05))
        times = {game: chosen.sample(moments, min(2, len(moments))) for game in games}
        bonuses = chosen.choice((0, 0.03, 0.3))
        is_regular, is_timely = chosen.random() < 0.4, chosen.random() < 0.5
        for _ in range(chosen.choice(size.rows)):
            number += 1
            person = chosen.randrange(people)
            habit = random.Random(person + 1000 * table) if is_regular else chosen
            likes = [(place + 1) ** -skew for place in range(len(games))]
            provider, game = habit.choices(games, likes)[0]
            own = times[provider, game] if is_timely and chosen.random() < 0.95 else moments
            stake = chosen.choice(stakes) * (500 if chosen.random() < whales else 1)
            is_bonus = chosen.random() < bonuses
            if is_bonus:
                provider, game = "none", "none"
            at = habit.choice(own) + timedelta(seconds=chosen.randrange(60))
            staked = None if is_bonus or chosen.random() < 0.02 else stake
            yield play(number, at, person, game, staked) | {
                "currency": "USD" if person % rare == 0 and table % 2 else "EUR",
                "region": ("de", "de", "fr", "it")[person % (1 + table % 4)],
                "provider_id": provider,
                "device": ("web", "app")[person % (1 + table % 2)],
                "geo": chosen.choice(("DE", "DE", "AT")),
                "user_key": f"u{person}" if chosen.random() < 0.95 else None,
            }


@cache
def compiled() -> dict[str, str]:
    """The macro for each size, in one run of dbt."""
    return compile_inline(**{name: CALL % size.k for name, size in SIZES.items()})


@cache
def plays(seed: int, size: str) -> list[Row]:
    print(f"seed {seed}")
    return list(random_plays(seed, SIZES[size]))


@cache
def labelled_plays(seed: int, size: str) -> list[Row]:
    return labelled(compiled()[size], plays(seed, size))


def play(number: int, at: datetime, person: int, game: str, stake: int | None) -> Row:
    """One row, as plain as can be."""
    return {
        "event_id": f"e{number}",
        "day": at.date(),
        "brand": "acme",
        "currency": "EUR",
        "region": "de",
        "provider_id": "p1",
        "game_id": game,
        "device": "web",
        "geo": "DE",
        "user_key": f"u{person}",
        "settled_at": at,
        "stake_minor": stake,
    }


def labelled(sql: str, plays: list[Row]) -> list[Row]:
    """The rows with the labels that the compiled macro gives them, in their order."""
    with sandbox() as connection:
        connection.register("random_plays", pa.Table.from_pylist(plays))
        connection.execute("create table plays as from random_plays")
        found = rows_of(connection, f"from ({sql}) order by cast(substr(event_id, 2) as int64)")
    assert [row["event_id"] for row in found] == [row["event_id"] for row in plays]
    return found


def rows_of(connection: duckdb.DuckDBPyConnection, query: str) -> list[Row]:
    result = connection.execute(query)
    names = [column[0] for column in result.description]
    return [dict(zip(names, values, strict=True)) for values in result.fetchall()]


@dataclass
class Table:
    """The published rows of one day by part, and the totals that are told, each as its parts."""

    k: int
    members: list[list[Row]] = field(default_factory=list)
    told: set[frozenset[int]] = field(default_factory=set)

    def people(self, parts: Any) -> set[str]:
        return {row["user_key"] for part in parts for row in self.members[part]} - {None}

    def disclosed(self) -> list[str]:
        """Sums and differences of told totals that touch too few people, if any are found.

        Any at all, where few enough people can be named: every set of k - 1 people is tried, for a
        combination that is zero on all rows of others. Else the simplest ones: a reduced basis in
        which large parts come first, so that what vanishes on those is in it.
        """
        if self.k > 3:
            order = sorted(range(len(self.members)), key=lambda p: -len(self.people([p])))
            place = {part: number for number, part in enumerate(order)}
            basis = reduced_basis(frozenset(place[p] for p in ones) for ones in self.told)
            return ["a vector" for v in basis if len(self.people(order[p] for p in v)) < self.k]
        rank = len(reduced_basis(self.told))
        found = []
        known = sorted(
            {person for part in range(len(self.members)) for person in self.people([part])}
        )
        tried = set()
        for few in combinations(known, self.k - 1):
            others = frozenset(
                part for part in range(len(self.members)) if not self.people([part]) <= {*few}
            )
            if len(others) == len(self.members) or others in tried:
                continue
            tried.add(others)
            if len(reduced_basis(ones & others for ones in self.told if ones & others)) < rank:
                found.append(f"of {self.k - 1} people")
        return found

    def overexposed(self) -> int:
        """In how many parts somebody's stake is bounded by less than its double.

        What a part holds at most is a linear program: no stake is negative, and all told totals are
        as they are.
        """
        weights = [sum(stake_of(row) for row in rows) for rows in self.members]
        matrix = np.array([[part in ones for part in range(len(weights))] for ones in self.told])
        found = 0
        for part, rows in enumerate(self.members):
            largest = max(stakes_of(rows).values())
            if largest:
                goal = [-float(other == part) for other in range(len(weights))]
                most = linprog(goal, A_eq=matrix, b_eq=matrix @ weights)
                assert most.status == 0, most.message
                found += -most.fun < 2 * largest * (1 - 1e-6)
        return found

    def is_of_few(self, parts: Any) -> bool:
        """Whether too few people staked something, or one person more than half of it."""
        staked = [r for part in parts for r in self.members[part] if r["stake_minor"] is not None]
        stakes = stakes_of(staked)
        return bool(staked) and (
            len(stakes.keys() - {None}) < self.k or 2 * max(stakes.values()) > sum(stakes.values())
        )


def stake_of(row: Row) -> int:
    return abs(row["stake_minor"] or 0)


def stakes_of(rows: list[Row]) -> dict[str | None, int]:
    """What each person staked; rows of nobody are one person's."""
    stakes: dict[str | None, int] = defaultdict(int)
    for row in rows:
        stakes[row["user_key"]] += stake_of(row)
    return stakes


def tables_of(rows: list[Row], k: int) -> list[Table]:
    """Tables of labelled rows, with all totals that their labels allow: more than marts tell."""
    days: dict[date, dict[Part, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row["is_published"]:
            days[row["day"]][part_of(row)].append(row)
    tables = []
    for parts in days.values():
        table = Table(k, list(parts.values()))
        totals: dict[Part, set[int]] = defaultdict(set)
        for number, (row, *_) in enumerate(table.members):
            for total in totals_with(row):
                totals[total].add(number)
        table.told = {frozenset(ones) for ones in totals.values()}
        tables.append(table)
    return tables


def place_of(row: Row) -> Part:
    return (*(row[key] for key in KEYS), row["published_region"])


def block_of(row: Row) -> Part:
    return (*(row[key] for key in KEYS), *(row[label] for label in PUBLISHED))


def span_of(row: Row) -> Part:
    return (*place_of(row), *(row[span] for span in SPANS))


def cube_cell_of(row: Row) -> Part:
    return (*block_of(row), row["cube_hour"], row["cube_device"], row["cube_geo"])


def part_of(row: Row) -> Part:
    return span_of(row) + cube_cell_of(row)


def totals_with(row: Row) -> Iterator[Part]:
    """Every total that a row is counted in: of spans, of categories by the day, of the cube."""
    for span in SPANS:
        if row[span] is not None:
            yield (span, row[span], *place_of(row))
    yield ("day", *place_of(row))
    yield ("provider", *block_of(row)[:-1])
    yield ("game", *block_of(row))
    if row["cube_hour"] is not None:
        yield ("cube", *cube_cell_of(row))
