"""The figures of challenges as an attacker sees them: which atoms each published number counts.

An atom is the finest cell of raw rows: an hour, a challenge and what became of it. A table is one
step in two months that share a week, since what a day hides may be told of its week or month.
"""

from __future__ import annotations

import os
import random
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import product
from typing import Any

import duckdb
import pyarrow as pa
from compiled import sandbox
from row_space import Vector, computable_sets, reduced_basis, subtract

TABLES = 120 if os.environ.get("ASSAY_LONG") else 12
FIXED_SEED = 20260212
FRESH_SEED = int(os.environ.get("ASSAY_SEED", time.time_ns() % 10**9))
K = 10  # design.md, rule 5
FACT = "int_engagement__published_challenge_steps"
MARTS = ("challenge_performance", "challenge_performance_weekly")
CHALLENGES = ("alpha", "beta", "gamma")
RESULTS = {"viewed": ("none",), "joined": ("open", "completed"), "won": ("1", "2", "3")}

Row = dict[str, Any]
Atoms = frozenset[int]


@dataclass
class Table:
    """The raw rows of one table by atom, and the sets of atoms whose totals are published."""

    members: dict[int, list[Row]] = field(default_factory=lambda: defaultdict(list))
    published: set[Atoms] = field(default_factory=set)

    def disclosed(self) -> list[str]:
        """What is of too few people and follows from the published totals, by what it is of."""
        basis = reduced_basis(self.published)
        asked = [name for name, a in self.questions() if self.is_small(a) and follows(a, basis)]
        return asked + ["a sum" for a in computable_sets(self.published) if self.is_small(a)]

    def questions(self) -> Iterator[tuple[str, Atoms]]:
        """Every span of time of each challenge and result, of all, and of all but one."""
        spans = ("hour", "day", "part", "week", "month")
        for span, of, became in product(spans, ("all", "one", "others"), ("all", "one", "others")):
            for challenge, result in product(
                CHALLENGES, ("none", *RESULTS["joined"], "1", "2", "3")
            ):
                cells: dict[Any, set[int]] = defaultdict(set)
                for atom, (row, *_) in self.members.items():
                    if is_of(row["sent"], of, challenge) and is_of(row["became"], became, result):
                        cells[row[span]].add(atom)
                for atoms in cells.values():
                    yield f"{span} of {of} challenge, {became} result", frozenset(atoms)

    def is_small(self, atoms: Atoms) -> bool:
        return len(people_of(row for atom in atoms for row in self.members[atom])) < K


def is_of(value: str, kind: str, one: str) -> bool:
    return kind == "all" or (value == one) == (kind == "one")


def people_of(rows: Iterator[Row] | list[Row]) -> set[str]:
    return {row["user_key"] for row in rows} - {None}


def follows(atoms: Atoms, basis: list[Vector]) -> bool:
    """Whether the total of a set is a sum and difference of published ones."""
    rest: Vector = dict.fromkeys(atoms, Fraction(1))
    for row in basis:
        pivot = min(row)
        if pivot in rest:
            subtract(rest, rest[pivot], row)
    return not rest


def random_steps(seed: int) -> Iterator[Row]:
    """Days at the end and the beginning of two months, most cells near the threshold."""
    chosen = random.Random(seed)
    number = 0
    for table in range(TABLES):
        first = date(2000 + table // 4, 1 + 3 * (table % 4), 1)
        turn = (first + timedelta(days=31)).replace(day=1)
        people = chosen.choice((15, 40, 200))
        sizes = chosen.choice(((0, 2, 3), (0, 1, 4, 9, 12), (0, 8, 11, 25)))
        for day in sorted(chosen.sample(range(-6, 6), chosen.randint(3, 6))):
            start = datetime.combine(turn + timedelta(days=day), datetime.min.time())
            for step, challenge in product(RESULTS, CHALLENGES):
                for hour, result in product(chosen.sample(range(24), 2), RESULTS[step]):
                    for _ in range(chosen.choice(sizes)):
                        number += 1
                        is_known = chosen.random() < 0.97
                        yield {
                            "event_id": f"e{number}",
                            "batch_id": "b",
                            "table": table,
                            "user_key": f"p{chosen.randrange(people)}" if is_known else None,
                            "step": step,
                            "challenge": challenge,
                            "rank": int(result) if step == "won" else None,
                            "outcome": result if step == "joined" else "none",
                            "occurred_at": start
                            + timedelta(hours=hour, seconds=chosen.randrange(3600)),
                        }


def build(models: dict[str, Any], steps: list[Row]) -> tuple[list[Row], list[list[Row]]]:
    """The raw rows with their labels, and the rows of each mart, as the compiled models say."""
    with sandbox() as connection:
        connection.execute("attach ':memory:' as warehouse")
        connection.execute("create schema warehouse.silver")
        connection.execute("create schema warehouse.gold")
        connection.register("random_steps", pa.Table.from_pylist(steps))
        connection.execute(
            "create table warehouse.silver.int_engagement__challenge_steps as from random_steps"
        )
        for name in (FACT, *MARTS):
            node = models[name]
            connection.execute(f"create table {node['relation_name']} as {node['compiled_code']}")
        labelled = rows_of(
            connection,
            'select fact.*, raw."table", raw.challenge as sent, '
            "case when raw.step = 'won' then cast(raw.rank as varchar) else raw.outcome end "
            "as became, date_trunc('hour', raw.occurred_at) as hour, "
            "cast(raw.occurred_at as date) as day, fact.part_of_week as part, "
            "fact.stepped_week as week, fact.stepped_month as month "
            f"from warehouse.silver.{FACT} as fact "
            "inner join random_steps as raw using (event_id)",
        )
        marts = [rows_of(connection, f"from warehouse.gold.{mart}") for mart in MARTS]
    assert len(labelled) == len(steps)
    return labelled, marts


def rows_of(connection: duckdb.DuckDBPyConnection, query: str) -> list[Row]:
    result = connection.execute(query)
    names = [column[0] for column in result.description]
    return [dict(zip(names, values, strict=True)) for values in result.fetchall()]


def audit(models: dict[str, Any], steps: list[Row]) -> list[Table]:
    """The tables, each with the sets that every number of the marts and metrics is the total of.

    A number that is not that of the rows it is said to be of ends the audit.
    """
    labelled, (performance, weekly) = build(models, steps)
    numbers: dict[Any, int] = {}
    tables: dict[Any, Table] = defaultdict(Table)
    for row in labelled:
        finest = (row["step"], row["hour"], row["sent"], row["became"])
        row["atom"] = numbers.setdefault(finest, len(numbers))
        tables[row["table"], row["step"]].members[row["atom"]].append(row)
    counted = [
        *counts_of_periods(performance, labelled),
        *counts_of_weeks(weekly, labelled),
        *counts_of_metrics(labelled),
    ]
    for rows in counted:
        if rows:
            table = tables[rows[0]["table"], rows[0]["step"]]
            ones = frozenset(row["atom"] for row in rows)
            whole = sum(len(table.members[atom]) for atom in ones)
            assert whole == len(rows), "not the total of whole atoms"
            table.published.add(ones)
    return list(tables.values())


def counts_of_periods(mart: list[Row], labelled: list[Row]) -> Iterator[list[Row]]:
    cells: dict[Any, list[Row]] = defaultdict(list)
    for row in labelled:
        is_shorter, told = row["is_published"], row["challenge"]
        for period, start, is_told, challenge in (
            ("hour", row["published_hour"], is_shorter, told),
            ("day", row["day"], is_shorter, told),
            ("week", row["week"], is_shorter, told),
            ("month", row["month"], row["is_in_month"], row["month_challenge"]),
        ):
            if start is not None and is_told:
                rank = row["month_rank"] if period == "month" else "all"
                cells[period, as_time(start), row["step"], challenge, rank].append(row)
    assert len(mart) == len(cells)
    for row in mart:
        cell = cells[tuple(row[k] for k in ("period", "period_start", "step", "challenge", "rank"))]
        people = len(people_of(cell))
        assert row["events"] == len(cell), "not the rows of the cell"
        assert row["subjects"] == (people if people >= K else None)
        yield cell
        if row["completion_rate"] is not None:
            completed = [member for member in cell if member["became"] == "completed"]
            done = len(people_of(completed))
            assert row["completion_rate"] == done / people, "a rate of a part"
            assert done in (0, people) or min(done, people - done) >= K, "a rate of few people"
            yield completed


def as_time(moment: date | datetime) -> datetime:
    return moment if isinstance(moment, datetime) else datetime.combine(moment, datetime.min.time())


def counts_of_weeks(mart: list[Row], labelled: list[Row]) -> Iterator[list[Row]]:
    """Each that is shown is of all rows of its week and challenge, told or not."""
    cells: dict[Any, list[Row]] = defaultdict(list)
    for row in labelled:
        cells[row["week"], row["sent"], row["step"]].append(row)
    for row in mart:
        place = (row["period_start"], row["challenge"])
        joined = cells[*place, "joined"]
        completed = [member for member in joined if member["became"] == "completed"]
        for column, rows, number in (
            ("views", cells[*place, "viewed"], len(cells[*place, "viewed"])),
            ("participants", joined, len(people_of(joined))),
            ("completed", completed, len(people_of(completed))),
        ):
            if row[column] is not None:
                assert row[column] == number, f"{column} of a part"
                yield rows


def counts_of_metrics(labelled: list[Row]) -> Iterator[list[Row]]:
    """Of hours and days, in total and by each label: what metrics count, and more."""
    cells: dict[Any, list[Row]] = defaultdict(list)
    for row in labelled:
        for time_of, label in product(("day", "published_hour"), ("table", "challenge", "outcome")):
            if row["is_published"] and row[time_of] is not None:
                cells[time_of, row[time_of], row["step"], label, row[label]].append(row)
    yield from cells.values()
