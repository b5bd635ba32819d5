"""The figures of messages as an attacker sees them: which atoms each published number counts.

An atom is the finest cell of raw rows: an hour, a channel and a status. A table is two months that
share a week, with a few days each, since rare statuses are told of a month.
"""

from __future__ import annotations

import os
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa
from compiled import sandbox
from row_space import Vector, reduced_basis, subtract

TABLES = 200 if os.environ.get("ASSAY_LONG") else 20
FIXED_SEED = 20260117
FRESH_SEED = int(os.environ.get("ASSAY_SEED", time.time_ns() % 10**9))
K = 10  # design.md, rule 5
FACT, MART = "int_engagement__published_messages", "notification_delivery"
STATUSES = ("delivered", "failed", "unheard")

Row = dict[str, Any]


@dataclass
class Table:
    """The raw messages of one table by atom, and the sets of atoms whose totals are published."""

    members: dict[int, list[Row]] = field(default_factory=lambda: defaultdict(list))
    published: set[frozenset[int]] = field(default_factory=set)

    def disclosed(self) -> list[str]:
        """What is of too few people and follows from the published totals, by what it is of.

        Tried are all raw cells that somebody may ask for, and unions of a day's statuses.
        """
        basis = reduced_basis(self.published)
        found = []
        for name, cells in self.cells().items():
            for atoms in cells:
                if self.is_small(atoms) and follows(atoms, basis):
                    found.append(name)
        return found

    def cells(self) -> dict[str, list[frozenset[int]]]:
        keys: dict[str, Callable[[Row], Any]] = {
            "hour": lambda row: (row["hour"], row["channel"], row["status"]),
            "hour of a channel": lambda row: (row["hour"], row["channel"]),
            "day": lambda row: (row["day"], row["channel"], row["status"]),
            "day of a channel": lambda row: (row["day"], row["channel"]),
            "whole day": lambda row: row["day"],
            "day of a status": lambda row: (row["day"], row["status"]),
            "month": lambda row: (row["month"], row["channel"], row["status"]),
            "week": lambda row: (row["week"], row["channel"], row["status"]),
        }
        for left_out in STATUSES:
            keys[f"day without {left_out}"] = lambda row, left_out=left_out: (
                row["day"], row["channel"], row["status"] == left_out
            )  # fmt: skip
        found = {}
        for name, key in keys.items():
            cells: dict[Any, set[int]] = defaultdict(set)
            for atom, rows in self.members.items():
                cells[key(rows[0])].add(atom)
            found[name] = [frozenset(atoms) for atoms in cells.values()]
        return found

    def is_small(self, atoms: frozenset[int]) -> bool:
        return len({row["user_key"] for atom in atoms for row in self.members[atom]} - {None}) < K


def follows(atoms: frozenset[int], basis: list[Vector]) -> bool:
    """Whether the total of a set is a sum and difference of published ones."""
    rest: Vector = dict.fromkeys(atoms, 1)  # type: ignore[arg-type]  # whole numbers are fractions
    for row in basis:
        pivot = min(row)
        if pivot in rest:
            subtract(rest, rest[pivot], row)
    return not rest


def random_messages(seed: int) -> Iterator[Row]:
    """Days at the end and the beginning of two months, most cells near the threshold."""
    chosen = random.Random(seed)
    number = 0
    for table in range(TABLES):
        first = date(2000 + table // 4, 1 + 3 * (table % 4), 1)
        turn = (first + timedelta(days=31)).replace(day=1)
        people = chosen.choice((15, 40, 200))
        sizes = chosen.choice(((0, 2, 3), (1, 4, 9, 10, 12), (0, 8, 11, 25)))
        for day in sorted(chosen.sample(range(-5, 5), chosen.randint(2, 5))):
            start = datetime.combine(turn + timedelta(days=day), datetime.min.time())
            of_day = chosen.choice((sizes, sizes, sizes, (0, 1)))
            for channel in ("email", "sms"):
                of_channel = chosen.choice((of_day, of_day, (0, 1))) if channel == "sms" else of_day
                for hour in chosen.sample(range(24), 2):
                    for status in STATUSES:
                        many = 3 if status == "delivered" else 1
                        for _ in range(many * chosen.choice(of_channel)):
                            number += 1
                            person = f"p{chosen.randrange(people)}"
                            yield {
                                "event_id": f"e{number}",
                                "batch_id": "b",
                                "table": table,
                                "user_key": person if chosen.random() < 0.97 else None,
                                "channel": channel,
                                "status": status,
                                "occurred_at": start
                                + timedelta(hours=hour, seconds=chosen.randrange(3600)),
                            }


def lonely_days() -> Iterator[Row]:
    """Two days of a month, of which only the first hides what is delivered.

    Nine people's messages are not delivered on it: too few to be told, even of a month.
    """
    days = {
        3: {"delivered": 20, "failed": 6, "unheard": 3},
        9: {"delivered": 20, "failed": 5, "unheard": 6},
    }
    for day, statuses in days.items():
        for status, people in statuses.items():
            for person in range(people):
                name = f"{day}-{status}-{person}"
                yield {
                    "event_id": name,
                    "batch_id": "b",
                    "table": TABLES,
                    "user_key": name,
                    "channel": "email",
                    "status": status,
                    "occurred_at": datetime(1990, 5, day, 10),
                }


def labelled_messages(models: dict[str, Any], messages: list[Row]) -> tuple[list[Row], list[Row]]:
    """The raw messages with their labels, and the rows of the mart, as the compiled models say."""
    with sandbox() as connection:
        connection.execute("attach ':memory:' as warehouse")
        connection.execute("create schema warehouse.silver")
        connection.execute("create schema warehouse.gold")
        connection.register("random_messages", pa.Table.from_pylist(messages))
        connection.execute(
            "create table warehouse.silver.int_engagement__messages as from random_messages"
        )
        for name in (FACT, MART):
            node = models[name]
            connection.execute(f"create table {node['relation_name']} as {node['compiled_code']}")
        labelled = rows_of(
            connection,
            'select raw.event_id, raw.user_key, raw.channel, raw.status, raw."table", '
            "date_trunc('hour', raw.occurred_at) as hour, cast(raw.occurred_at as date) as day, "
            "date_trunc('week', raw.occurred_at) as week, "
            "date_trunc('month', raw.occurred_at) as month, fact.is_published, "
            "fact.published_hour, fact.channel as told_channel, fact.status as told_status "
            f"from warehouse.silver.{FACT} as fact "
            "inner join random_messages as raw using (event_id)",
        )
        mart = rows_of(connection, f"from warehouse.gold.{MART}")
    assert len(labelled) == len(messages)
    return labelled, mart


def rows_of(connection: duckdb.DuckDBPyConnection, query: str) -> list[Row]:
    result = connection.execute(query)
    names = [column[0] for column in result.description]
    return [dict(zip(names, values, strict=True)) for values in result.fetchall()]


def audit(models: dict[str, Any], messages: list[Row]) -> list[Table]:
    """The tables, each with the sets that every number of the mart and the metrics is the total of.

    A count that is not that of all its raw messages ends the audit, and so does a rate or a share
    that is not the one of all messages of the period, withheld ones too.
    """
    labelled, mart = labelled_messages(models, messages)
    numbers: dict[Any, int] = {}
    atoms: dict[str, int] = {}
    tables: dict[int, Table] = defaultdict(Table)
    cells: dict[Any, list[Row]] = defaultdict(list)
    periods: dict[Any, list[Row]] = defaultdict(list)
    for row in labelled:
        atom = numbers.setdefault((row["hour"], row["channel"], row["status"]), len(numbers))
        atoms[row["event_id"]] = atom
        tables[row["table"]].members[atom].append(row)
        starts = {p: as_time(row[p]) for p in ("day", "week", "month")}
        for period, start in starts.items():
            periods[period, start].append(row)
        if row["is_published"]:
            for period, start in [*starts.items(), ("hour", row["published_hour"])]:
                cells[period, start, row["told_channel"]].append(row)
    totals = [
        [row for row in cells[place] if column == "sent" or row["status"] == column]
        for place, column in checked_counts(mart, cells)
    ]
    check_rates(mart, periods)
    # Of the metrics: messages of a day and an hour, in total, and by each label.
    by_label: dict[Any, list[Row]] = defaultdict(list)
    for row in labelled:
        if row["is_published"]:
            for time_of in ("day", "published_hour"):
                for label in ("table", "told_channel", "told_status"):
                    if row[time_of] is not None:
                        by_label[time_of, row[time_of], label, row[label]].append(row)
    for rows in [*totals, *by_label.values()]:
        if rows:
            ones = frozenset(atoms[row["event_id"]] for row in rows)
            whole = sum(len(tables[rows[0]["table"]].members[atom]) for atom in ones)
            assert whole == len(rows), "not the total of whole atoms"
            tables[rows[0]["table"]].published.add(ones)
    return list(tables.values())


def as_time(moment: date | datetime) -> datetime:
    return moment if isinstance(moment, datetime) else datetime.combine(moment, datetime.min.time())


def checked_counts(mart: list[Row], cells: dict[Any, list[Row]]) -> Iterator[tuple[Any, str]]:
    """Cell and column of every count that is shown."""
    for row in mart:
        place = (row["period"], row["period_start"], row["channel"])
        for column in ("sent", *STATUSES):
            if row[column] is not None:
                counted = [m for m in cells[place] if column in ("sent", m["status"])]
                assert row[column] == len(counted), f"{column} of a part, or of too much"
                yield place, column


def check_rates(mart: list[Row], periods: dict[Any, list[Row]]) -> None:
    for row in mart:
        shown = {name: row[name] for name in ("delivered_rate", "failed_rate", "channel_share")}
        if row["period"] == "hour":
            assert all(value is None for value in shown.values()), "a rate by the hour, of a part"
            continue
        every = periods[row["period"], row["period_start"]]
        own = [m for m in every if row["channel"] in (m["channel"], m["told_channel"])]
        for name, value in shown.items():
            if value is not None:
                part = (
                    own
                    if name == "channel_share"
                    else [m for m in own if name.startswith(m["status"])]
                )
                of = every if name == "channel_share" else own
                assert abs(value - len(part) / len(of)) < 1e-12, f"{name} of a part"
