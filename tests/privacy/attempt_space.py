"""The marts of attempts as an attacker sees them: which atoms each published number counts.

A new mart of the fact is described here, in MARTS, or the audit of test_row_space.py is red.
"""

import os
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any

import duckdb
import pyarrow as pa
from compiled import sandbox
from row_space import computable_sets, inseparable_sets

TABLES = 600 if os.environ.get("ASSAY_LONG") else 60
FIXED_SEED = 20260104
FRESH_SEED = int(os.environ.get("ASSAY_SEED", time.time_ns() % 10**9))
K, SAFE_ROWS = 10, 100  # design.md, rule 5
FACT = "int_access__published_attempts"
FIRST_DAY = date(2026, 1, 1)
SAFE_KEYS = ("domain", "action", "status", "error_code", "field")
OUTCOMES = [
    ("success", "none", "none"),
    ("error", "email_taken", "email"),
    ("error", "rate_limited", "none"),
    ("error", "validation_failed", "email"),
    ("error", "validation_failed", "phone"),
    ("blocked", "account_blocked", "none"),
    ("test", "none", "none"),
]

Row = dict[str, Any]
Published = Callable[[Row], bool]
Total = tuple[date, frozenset[int], int]  # day, atoms, and the number of their attempts
Also = Callable[
    [duckdb.DuckDBPyConnection, dict[str, Any], list[Row], dict[str, int]], Iterator[Total]
]


@dataclass(frozen=True)
class Mart:
    """How the rows of a mart are said to be made of labelled attempts.

    `keys` maps its columns to labels. Each of `counts` is the number of attempts that also satisfy
    a condition. `part_of_total` is a count and its share of all attempts but tests of `total_keys`,
    from which the total can be computed. Each of `people` is the number of distinct keys among the
    attempts that satisfy a condition, null below k; the audit grants the attacker the number of
    these attempts too. Each of `shares` is the share, in the count named first, of the attempts
    that satisfy a condition. Each of `parts` splits the registrations of a row by how many their
    device made: not along blocks, but once per day and never crossed with an hour.
    """

    keys: dict[str, str]
    where: Published
    counts: dict[str, Published]
    part_of_total: tuple[str, str] | None = None
    total_keys: tuple[str, ...] = ("period_start", "domain", "action")
    people: dict[str, tuple[str, Published]] = field(default_factory=dict)
    shares: dict[str, tuple[str, Published]] = field(default_factory=dict)
    parts: dict[str, int] = field(default_factory=dict)  # column: more than so many


def everything(row: Row) -> bool:
    return True


def no_test(row: Row) -> bool:
    return bool(row["status"] != "test")


def signup(row: Row) -> bool:
    return bool(row["action"] == "signup")


def registration(row: Row) -> bool:
    return signup(row) and bool(row["status"] == "success")


def by_one_device(row: Row) -> int:
    """Which part of its day's registrations a registration is in: 0, 1 or 2."""
    return sum(row["registrations_of_device"] > limit for limit in LIMITS)


LIMITS = (10, 30)
CELL = {k: k for k in ("domain", "action", "status", "error_code", "country")}
ERRORS = {"attempts": everything, "errors": lambda row: row["status"] == "error"}
MARTS = {
    "attempts_hourly": Mart(
        {"period_start": "published_hour", **CELL},
        lambda row: row["published_hour"] is not None,
        ERRORS,
        ("errors", "error_rate"),
    ),
    "attempts_daily": Mart(
        {"period_start": "attempted_on", **CELL}, everything, ERRORS, ("errors", "error_rate")
    ),
    "attempt_errors_daily": Mart(
        {
            "period_start": "attempted_on",
            **{k: k for k in ("domain", "action", "error_code", "field")},
        },
        no_test,
        {
            "attempts": everything,
            "blocked": lambda row: row["status"] == "blocked",
            "registered": lambda row: row["status"] == "success" and row["action"] == "signup",
            "email_already_used": lambda row: row["error_code"] == "email_taken",
        },
        ("attempts", "share"),
    ),
    "response_times_daily": Mart(
        {"period_start": "attempted_on", "country": "country", "action": "action"},
        no_test,
        {"attempts": everything},
    ),
    "registration_funnel_daily": Mart(
        {"period_start": "attempted_on", "domain": "domain"},
        no_test,
        {"attempts": everything},
        people={
            "visitors": ("fp_key", everything),
            "validations": ("subject_key", lambda row: row["action"] == "validate"),
            "submitted": ("subject_key", signup),
            "registered": ("subject_key", registration),
        },
    ),
    "registrations_per_fingerprint_daily": Mart(
        {"period_start": "attempted_on", "domain": "domain"},
        lambda row: no_test(row) and signup(row),
        {"attempts": everything, "registrations": registration},
        people={"fingerprints": ("fp_key", registration)},
        shares={"rate_limited_share": ("attempts", lambda r: r["error_code"] == "rate_limited")},
        parts={"registrations_over_10": 10, "registrations_over_30": 30},
    ),
}


# Labels of their own, of which nothing is published but a partition without a total: a mail domain
# that is no typo is in no row, so there is nothing to take a row from. k is recounted by dbt.
ONE_WAY = {"int_access__published_typos", "email_domain_typos_weekly"}


@dataclass
class Table:
    """The raw rows of one day by atom, and the sets of atoms whose totals are published."""

    members: dict[int, list[Row]] = field(default_factory=dict)
    published: set[frozenset[int]] = field(default_factory=set)
    parts: set[tuple[frozenset[int], int]] = field(default_factory=set)  # atoms, lowest part

    def is_small(self, atoms: Iterable[int]) -> bool:
        """Whether the atoms together say something about fewer people than may be."""
        rows = [row for atom in atoms for row in self.members[atom]]
        if len({row["subject_key"] for row in rows} - {None}) >= K:
            return False
        return len(rows) < SAFE_ROWS or not self.is_named_by_safe_keys(atoms)

    def is_named_by_safe_keys(self, atoms: Iterable[int]) -> bool:
        """Whether the atoms are all the countries of their hours."""
        hours = {self.hour_cell(atom) for atom in atoms}
        return set(atoms) == {atom for atom in self.members if self.hour_cell(atom) in hours}

    def small_parts(self) -> list[frozenset[int]]:
        """Too small sets that follow once registrations are also told apart by their device.

        Every atom of a split row is cut into all its parts, empty ones too: which atoms a part has
        rows in is nowhere published.
        """
        number = len(LIMITS) + 1
        cut = {atom for atoms, _ in self.parts for atom in atoms}
        totals = {
            frozenset(a * number + p for a in atoms for p in range(number if a in cut else 1))
            for atoms in self.published
        }
        totals |= {
            frozenset(atom * number + p for atom in atoms for p in range(lowest, number))
            for atoms, lowest in self.parts
        }
        found = computable_sets(totals)
        for atoms in {atoms for atoms, _ in self.parts}:
            edges = sorted({0, number, *(lowest for a, lowest in self.parts if a == atoms)})
            found += [  # what is between two published numbers, or beside one
                frozenset(atom * number + p for atom in atoms for p in range(low, high))
                for low, high in pairwise(edges)
            ]
        return [pieces for pieces in found if self.is_small_piece(pieces, cut)]

    def is_small_piece(self, pieces: frozenset[int], cut: set[int]) -> bool:
        """Whether pieces of atoms hold rows, but of too few people."""
        number = len(LIMITS) + 1
        atoms = {piece // number for piece in pieces}
        if all(atom * number + p in pieces for atom in atoms & cut for p in range(number)):
            return self.is_small(atoms)
        rows = [
            row
            for atom in atoms
            for row in self.members[atom]
            if atom not in cut or atom * number + by_one_device(row) in pieces
        ]
        return bool(rows) and len({row["subject_key"] for row in rows} - {None}) < K

    def hour_cell(self, atom: int) -> tuple[Any, ...]:
        row = self.members[atom][0]
        return (row["hour"], *(row[key] for key in SAFE_KEYS))

    def small_atoms(self) -> int:
        return sum(self.is_small([atom]) for atom in self.members)

    def disclosed_atoms(self) -> list[frozenset[int]]:
        """Small atoms whose exact number follows from the published ones."""
        return [s for s in computable_sets(self.published) if len(s) == 1 and self.is_small(s)]

    def small_unions(self) -> list[frozenset[int]]:
        """Smallest sets that any published number tells apart, where they are too small."""
        return [s for s in inseparable_sets(self.published) if self.is_small(s)]


def random_attempts(seed: int) -> Iterator[Row]:
    """Small days: a few safe cells of a few hours of a few countries, most near a threshold."""
    chosen = random.Random(seed)
    number = 0
    for table in range(TABLES):
        start = datetime.combine(FIRST_DAY + timedelta(days=table), datetime.min.time())
        people = chosen.choice((25, 60, 400))
        sizes = chosen.choice(((1, 2, 3), (1, 3, 9, 10, 12), (2, 8, 10, 11, 25), (1, 1, 1, 30)))
        domains = ["a.example", "b.example"][: chosen.randint(1, 2)]
        actions = ["signup", "login"][: chosen.randint(1, 2)]
        for domain in domains:
            for action in actions:
                for status, error_code, about in chosen.sample(OUTCOMES, chosen.randint(1, 4)):
                    for hour in chosen.sample(range(24), chosen.randint(1, 4)):
                        for country in chosen.sample(
                            ["DE", "FR", "JP", "TR"], chosen.randint(1, 4)
                        ):
                            is_storm = chosen.random() < 0.04
                            for _ in range(100 if is_storm else chosen.choice(sizes)):
                                number += 1
                                person = chosen.randrange(2 if is_storm else people)
                                yield {
                                    "event_id": f"e{number}",
                                    "batch_id": "b",
                                    "attempted_at": start
                                    + timedelta(hours=hour, seconds=chosen.randrange(3600)),
                                    "domain": domain,
                                    "action": action,
                                    "status": status,
                                    "error_code": error_code,
                                    "field": about,
                                    "country": country,
                                    "subject_key": f"p{person}" if chosen.random() < 0.97 else None,
                                    "fp_key": f"d{person // 3}" if person % 11 != 5 else None,
                                    "email_domain": "gmul.com",
                                    "duration_ns": chosen.randrange(10**6, 10**9),
                                }


def build(models: dict[str, Any], attempts: list[Row]) -> duckdb.DuckDBPyConnection:
    """A database in which the compiled fact and its marts were made of these attempts."""
    connection = sandbox()
    connection.execute("attach ':memory:' as warehouse")
    connection.execute("create schema warehouse.silver")
    connection.execute("create schema warehouse.gold")
    connection.execute(
        "create table warehouse.silver.domains as "
        "select 'a.example' as domain, 'landing' as domain_kind"
    )
    connection.execute(
        "create table warehouse.silver.countries as "
        "select unnest(['DE', 'FR', 'JP', 'TR']) as country, unnest([true, true, false, false]) "
        "as is_eu"
    )
    connection.register("random_attempts", pa.Table.from_pylist(attempts))
    connection.execute(
        "create table warehouse.silver.stg_access__attempts as select * from random_attempts"
    )
    for name in (FACT, *MARTS):
        node = models[name]
        connection.execute(f"create table {node['relation_name']} as {node['compiled_code']}")
    return connection


def rows_of(connection: duckdb.DuckDBPyConnection, query: str) -> list[Row]:
    result = connection.execute(query)
    names = [column[0] for column in result.description]
    return [dict(zip(names, values, strict=True)) for values in result.fetchall()]


def audit(models: dict[str, Any], attempts: list[Row], also: Also | None = None) -> list[Table]:
    """The tables, each with the sets that every number of every mart is the total of.

    A number that is not the total of a set of whole atoms ends the audit. `also` makes another mart
    of the labelled attempts, and gives its numbers.
    """
    with build(models, attempts) as connection:
        tables = audited(connection, partial(also, connection, models) if also else None)
    assert sum(len(rows) for table in tables for rows in table.members.values()) == len(attempts)
    return tables


def audited(
    connection: duckdb.DuckDBPyConnection,
    also: Callable[[list[Row], dict[str, int]], Iterator[Total]] | None = None,
) -> list[Table]:
    """The same of a database that has the fact, its marts and the attempts."""
    labelled = rows_of(
        connection,
        "select fact.*, raw.country as raw_country, "
        f"date_trunc('hour', raw.attempted_at) as hour from warehouse.silver.{FACT} as fact "
        "inner join warehouse.silver.stg_access__attempts as raw using (event_id)",
    )
    marts = {mart: rows_of(connection, f"select * from warehouse.gold.{mart}") for mart in MARTS}
    count_registrations_of_devices(labelled)
    atoms = number_atoms(labelled, "raw_country")
    others = list(also(labelled, atoms)) if also else []
    tables: dict[date, Table] = defaultdict(Table)
    for row in labelled:
        tables[row["attempted_on"]].members.setdefault(atoms[row["event_id"]], []).append(row)
    numbers = [
        (name, published_totals(mart, marts[name], labelled, atoms)) for name, mart in MARTS.items()
    ]
    for name, totals in [*numbers, ("another mart", others)]:
        for day, ones, number in totals:
            total = sum(len(tables[day].members[atom]) for atom in ones)
            assert number == total, f"{name}: {number} is not the total of whole atoms"
            if ones:
                tables[day].published.add(ones)
    for name, mart in MARTS.items():
        for day, ones, part in published_parts(mart, marts[name], labelled, atoms):
            tables[day].parts.add((ones, part))
    return list(tables.values())


def sabotaged_tables(attempts: list[Row]) -> list[Table]:
    """The twin: each mart drops its own small cells, and the day has a true total."""
    raw = [
        {
            **row,
            "hour": row["attempted_at"].replace(minute=0, second=0, microsecond=0),
            "day": row["attempted_at"].date(),
        }
        for row in attempts
    ]
    atoms = number_atoms(raw, "country")
    tables: dict[date, Table] = defaultdict(Table)
    for row in raw:
        tables[row["day"]].members.setdefault(atoms[row["event_id"]], []).append(row)
    cell = ("domain", "action", "status", "error_code")
    marts = [
        (("hour", *cell, "country"), K),
        (("day", *cell, "country"), K),
        (("day", "domain", "action", "error_code", "field"), K),
        (("day", "country", "action"), K),
        (("day", "domain", "action"), 0),
    ]
    for keys, k in marts:
        cells: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
        for row in raw:
            cells[tuple(row[key] for key in keys)].append(row)
        for members in cells.values():
            if len({row["subject_key"] for row in members} - {None}) >= k:
                ones = frozenset(atoms[row["event_id"]] for row in members)
                tables[members[0]["day"]].published.add(ones)
    return list(tables.values())


def count_registrations_of_devices(labelled: list[Row]) -> None:
    """Note with each attempt how many published registrations its device made on its domain."""
    counts: dict[tuple[Any, ...], int] = defaultdict(int)
    for row in labelled:
        if row["is_published"] and registration(row) and row["fp_key"]:
            counts[row["attempted_on"], row["domain"], row["fp_key"]] += 1
    for row in labelled:
        row["registrations_of_device"] = counts.get(
            (row["attempted_on"], row["domain"], row["fp_key"]), 0
        )


def number_atoms(rows: list[Row], country: str) -> dict[str, int]:
    """The atom of each event."""
    numbers: dict[tuple[Any, ...], int] = {}
    return {
        row["event_id"]: numbers.setdefault(
            (row["hour"], row[country], *(row[key] for key in SAFE_KEYS)), len(numbers)
        )
        for row in rows
    }


def published_totals(
    mart: Mart, rows: list[Row], labelled: list[Row], atoms: dict[str, int]
) -> Iterator[Total]:
    """Day, set of atoms and value of each number that a mart shows or lets compute."""
    visible = [row for row in labelled if row["is_published"] and mart.where(row)]
    cells: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    totals: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in visible:
        cells[tuple(row[label] for label in mart.keys.values())].append(row)
        if no_test(row):
            totals[
                tuple(row[mart.keys[key]] for key in mart.total_keys if key in mart.keys)
            ].append(row)
    for row in rows:
        cell = cells[tuple(row[key] for key in mart.keys)]
        assert cell, "a row that no published attempt belongs to"
        day = cell[0]["attempted_on"]
        for column, condition in mart.counts.items():
            counted = [member for member in cell if condition(member)]
            yield day, frozenset(atoms[member["event_id"]] for member in counted), row[column]
        for column, (key, condition) in mart.people.items():
            counted = [member for member in cell if condition(member)]
            people = len({member[key] for member in counted} - {None})
            assert row[column] == (people if people >= K else None), column
            yield day, frozenset(atoms[member["event_id"]] for member in counted), len(counted)
        for column, (total, condition) in mart.shares.items():
            counted = [member for member in cell if condition(member)]
            ones = frozenset(atoms[member["event_id"]] for member in counted)
            yield day, ones, round(row[column] * row[total])
        if mart.part_of_total and row[mart.part_of_total[0]] and row[mart.part_of_total[1]]:
            part, share = (row[column] for column in mart.part_of_total)
            total = totals[tuple(row[key] for key in mart.total_keys)]
            yield day, frozenset(atoms[m["event_id"]] for m in total), round(part / share)


def published_parts(
    mart: Mart, rows: list[Row], labelled: list[Row], atoms: dict[str, int]
) -> Iterator[tuple[date, frozenset[int], int]]:
    """Day, atoms of the registrations that are split, and lowest part of each number shown."""
    cells: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in labelled:
        if row["is_published"] and registration(row):
            cells[row["attempted_on"], row["domain"]].append(row)
    for row in rows if mart.parts else []:
        cell = cells[row["period_start"], row["domain"]]
        for column, limit in mart.parts.items():
            counted = sum(member["registrations_of_device"] > limit for member in cell)
            assert row[column] in (counted, None), column
            if row[column] is not None and cell:
                ones = frozenset(atoms[member["event_id"]] for member in cell)
                yield row["period_start"], ones, LIMITS.index(limit) + 1
