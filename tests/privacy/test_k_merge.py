"""`k_merge` against a second implementation, on random tables.

ASSAY_LONG=1 tries 2,000 tables instead of 300; ASSAY_SEED repeats a run.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cache

import pyarrow as pa
import pytest
from compiled import compile_inline, sandbox

TABLES = 2_000 if os.environ.get("ASSAY_LONG") else 300
FIXED_SEED = 20260102
FRESH_SEED = int(os.environ.get("ASSAY_SEED", time.time_ns() % 10**9))
PARTITION = ["table_id", "day", "domain"]
FLAVOURS = ("plain", "skewed", "heavy users", "no subjects", "one cell", "same people", "tiny")

Row = tuple[int, str, str, str, str | None]  # table, day, domain, value of the dimension, subject
Verdicts = dict[tuple[int, str, str, str], str]


@dataclass(frozen=True)
class Policy:
    """One set of the macro's parameters. Without k the macro takes the project's, which is 10."""

    mode: str
    k: int | None = None
    safe_rows: int | None = None
    at_least: int = 0  # people that a cell needs as well, however many rows it has

    def passes(self, rows: list[Row]) -> bool:
        people = {row[-1] for row in rows if row[-1] is not None}
        is_large = len(people) >= (self.k or 10) or (
            self.safe_rows is not None and len(rows) >= self.safe_rows
        )
        return is_large and len(people) >= self.at_least


POLICIES = {
    "absorb": Policy("absorb"),
    "withhold": Policy("withhold"),
    "absorb_safe": Policy("absorb", safe_rows=100),
    "withhold_safe": Policy("withhold", safe_rows=100),
    "absorb_of_three": Policy("absorb", k=3),
    "absorb_of_three_safe": Policy("absorb", k=3, safe_rows=20),
    "absorb_at_least": Policy("absorb", k=3, safe_rows=20, at_least=5),
}


@pytest.fixture(scope="module")
def sql() -> dict[str, str]:
    return compile_inline(
        **{
            name: "{{ k_merge('attempts', 'country', 'subject', "
            f"{PARTITION}, k={policy.k}, safe_rows={policy.safe_rows}, "
            f"small_remainder='{policy.mode}', at_least={{'subject': {policy.at_least}}}) }}}}"
            for name, policy in POLICIES.items()
        }
    )


@pytest.fixture(scope="module", params=[FIXED_SEED, FRESH_SEED], ids=["fixed seed", "fresh seed"])
def rows(request: pytest.FixtureRequest) -> list[Row]:
    return random_rows(request.param)


@cache
def random_rows(seed: int) -> list[Row]:
    chosen = random.Random(seed)
    made = [row for table_id in range(TABLES) for row in random_table(table_id, chosen)]
    partitions = {row[:3] for row in made}
    print(f"seed {seed}: {TABLES} tables, {len(partitions)} partitions, {len(made)} rows")
    return made


def random_table(table_id: int, chosen: random.Random) -> list[Row]:
    """A few partitions of a few cells, most of them near a threshold."""
    flavour = chosen.choice(FLAVOURS)
    sizes = {
        "tiny": (1, 2, 3, 4),
        "skewed": (1, 1, 2, 2, 3, 40),
    }.get(flavour, (1, 2, 3, 5, 8, 9, 10, 11, 12, 20))
    made: list[Row] = []
    for day in ("mon", "tue", "wed")[: chosen.randint(1, 3)]:
        for domain in ("a", "b")[: chosen.randint(1, 2)]:
            cells = 1 if flavour == "one cell" else chosen.randint(1, 7)
            for country in chosen.sample("ABCDEFGHIJ", cells):
                for person in range(chosen.choice(sizes)):
                    subject = random_subject(flavour, country, person, chosen)
                    repeats = random_repeats(flavour, chosen)
                    made += [(table_id, day, domain, country, subject)] * repeats
    chosen.shuffle(made)
    return made


def random_subject(flavour: str, country: str, person: int, chosen: random.Random) -> str | None:
    if flavour == "no subjects" and chosen.random() < 0.5:
        return None
    if flavour == "same people":  # distinct people of cells do not add up
        return f"p{chosen.randrange(12)}"
    return f"{country}{person}"


def random_repeats(flavour: str, chosen: random.Random) -> int:
    if flavour == "heavy users" and chosen.random() < 0.3:
        return chosen.choice((5, 9, 10, 30, 99, 100, 101))
    return chosen.choice((1, 1, 1, 2))


def expected_verdicts(rows: list[Row], policy: Policy) -> Verdicts:
    """What the docstring of the macro says, in Python."""
    partitions: dict[tuple[int, str, str], dict[str, list[Row]]] = defaultdict(dict)
    for row in rows:
        partitions[row[:3]].setdefault(row[3], []).append(row)

    verdicts: Verdicts = {}
    for partition, cells in partitions.items():
        large = {value for value, members in cells.items() if policy.passes(members)}
        remainder = [
            row for value, members in cells.items() if value not in large for row in members
        ]
        alone, what_of_the_rest = set(large), "merged"
        if remainder and not policy.passes(remainder):
            if policy.mode == "absorb" and large:
                alone.remove(min(large, key=lambda value: size(value, cells[value])))
            else:
                what_of_the_rest = "withheld"
        for value in cells:
            verdicts[*partition, value] = "alone" if value in alone else what_of_the_rest
    return verdicts


def size(value: str, members: list[Row]) -> tuple[int, int, str]:
    """Smallest first: by people, then by rows, then by name."""
    return len({row[-1] for row in members} - {None}), len(members), value


def verdicts_of(statement: str, rows: list[Row]) -> Counter[tuple[int, str, str, str, str]]:
    """What the compiled macro says, as often as it says it."""
    names = [*PARTITION, "country", "subject"]
    table = pa.table(
        {
            name: pa.array(values, pa.int64() if name == "table_id" else pa.string())
            for name, values in zip(names, zip(*rows, strict=True), strict=True)
        }
    )
    with sandbox() as connection:
        connection.register("attempts", table)
        found = connection.execute(
            f"select {', '.join(PARTITION)}, country, verdict from ({statement})"
        ).fetchall()
    return Counter(found)


def as_counter(verdicts: Verdicts) -> Counter[tuple[int, str, str, str, str]]:
    return Counter((*cell, verdict) for cell, verdict in verdicts.items())


@pytest.mark.parametrize("name", POLICIES)
def test_equals_the_second_implementation(name: str, sql: dict[str, str], rows: list[Row]) -> None:
    """Every cell of every table has the same verdict, and has it once."""
    expected = as_counter(expected_verdicts(rows, POLICIES[name]))
    found = verdicts_of(sql[name], rows)
    seen = Counter(verdict for *_, verdict in found.elements())
    print(f"{name}: {len(expected)} cells, {dict(seen)}")
    assert set(seen) == {"alone", "merged", "withheld"}
    assert found == expected


@pytest.mark.parametrize("name", POLICIES)
def test_no_published_block_is_too_small(name: str, sql: dict[str, str], rows: list[Row]) -> None:
    """Each cell alone, and the merged cells of a partition together, recounted from rows."""
    verdict_of = {cell[:4]: cell[4] for cell in verdicts_of(sql[name], rows)}
    blocks: dict[tuple[object, ...], list[Row]] = defaultdict(list)
    for row in rows:
        verdict = verdict_of[row[:4]]
        if verdict != "withheld":
            blocks[*row[:3], row[3] if verdict == "alone" else "Other"].append(row)
    small = [block for block, members in blocks.items() if not POLICIES[name].passes(members)]
    print(f"{name}: {len(blocks)} blocks, {len(small)} too small")
    assert small == []


@pytest.mark.parametrize("name", POLICIES)
def test_rows_are_withheld_only_where_they_must(
    name: str, sql: dict[str, str], rows: list[Row]
) -> None:
    """In absorb mode only a whole partition that fails; else only what fails together."""
    policy = POLICIES[name]
    verdict_of = {cell[:4]: cell[4] for cell in verdicts_of(sql[name], rows)}
    partitions: dict[tuple[object, ...], list[Row]] = defaultdict(list)
    withheld: dict[tuple[object, ...], list[Row]] = defaultdict(list)
    for row in rows:
        partitions[row[:3]].append(row)
        if verdict_of[row[:4]] == "withheld":
            withheld[row[:3]].append(row)
    print(f"{name}: {len(withheld)} of {len(partitions)} partitions withhold rows")
    for partition, members in partitions.items():
        if policy.mode == "absorb":
            assert (partition in withheld) == (not policy.passes(members)), partition
            assert len(withheld[partition]) in (0, len(members)), partition
        else:
            assert not policy.passes(withheld[partition]), partition


FAULTS = {
    "rows of a cell instead of people": ("count(distinct subject) >=", "count(subject) >="),
    "all rows of a cell": ("(count(distinct subject)", "(count(*)"),
    "rows of the remainder": ("count(distinct members.subject)", "count(members.subject)"),
    "remainder of everything": ("where not cells.passes", "where true"),
    "nothing is absorbed": ("ranked.smallness > 1", "ranked.smallness > 0"),
    "largest cell is absorbed": (
        "order by subjects, row_total",
        "order by subjects desc, row_total",
    ),
    "size in rows": ("order by subjects, row_total", "order by row_total, subjects"),
    "absorbs without need": ("remainder_passes, true)", "remainder_passes, false)"),
    "threshold of one more": (">= 10", "> 10"),
    "days share a remainder": ("ranked.day = remainders.day", "ranked.day >= remainders.day"),
    "partition forgotten": ("partition by table_id, day, domain)", "partition by table_id)"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_seen(fault: str, sql: dict[str, str]) -> None:
    """The comparison is worth something: it turns red for each of these faults of the macro."""
    rows = random_rows(FIXED_SEED)
    right, wrong = FAULTS[fault]
    assert right in sql["absorb"]
    expected = as_counter(expected_verdicts(rows, POLICIES["absorb"]))
    differences = verdicts_of(sql["absorb"].replace(right, wrong), rows) - expected
    print(f"{fault}: {differences.total()} of {expected.total()} verdicts differ")
    assert differences


def test_safe_rows_publish_a_cell_of_one_sender(sql: dict[str, str]) -> None:
    """By hand: 100 rows of one sender stand alone by the safe rule, 99 do not, nor without it."""
    for count, safe, strict in ((100, "alone", "withheld"), (99, "withheld", "withheld")):
        storm: list[Row] = [(1, "mon", "a", "DE", "one sender")] * count
        cell = (1, "mon", "a", "DE")
        assert verdicts_of(sql["withhold_safe"], storm) == {(*cell, safe): 1}
        assert verdicts_of(sql["withhold"], storm) == {(*cell, strict): 1}


def test_three_strays_join_the_smallest_country(sql: dict[str, str]) -> None:
    """By hand: 3 people of C cannot hide alone, so the smaller of A and B hides with them."""
    people = {"A": 30, "B": 12, "C": 3}
    rows: list[Row] = [
        (1, "mon", "a", country, f"{country}{n}")
        for country, count in people.items()
        for n in range(count)
    ]
    partition = (1, "mon", "a")
    assert verdicts_of(sql["absorb"], rows) == {
        (*partition, "A", "alone"): 1,
        (*partition, "B", "merged"): 1,
        (*partition, "C", "merged"): 1,
    }
    assert verdicts_of(sql["withhold"], rows) == {
        (*partition, "A", "alone"): 1,
        (*partition, "B", "alone"): 1,
        (*partition, "C", "withheld"): 1,
    }
