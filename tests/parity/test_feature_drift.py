"""PSI, KL and null spikes of random features against a count in Python, on both engines.

The features of one space share its days, which is one statement on each engine: some are never sent
in the reference, on a day, or at all; some are of one value, of few, or of words. ASSAY_LONG=1
tries 500 of them instead of 40; ASSAY_SEED repeats a run.
"""

from __future__ import annotations

import math
import os
import random
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pytest
from bigquery_home import CLOUD_PROJECT
from engines import Engines
from standin import StandIn

SETS = 500 if os.environ.get("ASSAY_LONG") == "1" else 40
SEED = int(os.environ.get("ASSAY_SEED", time.time_ns() % 10**9))
CLOSE = 1e-8
EMPTY = 1e-4
DAYS, AT_LEAST = 28, 14  # drift_reference
MONDAY = date(2026, 3, 2)
CALL = (
    '"with days as (select * from d.days), sent as (select * from d.sent), '
    'expected as (select * from d.expected), " '
    '~ feature_shifts("days", "sent", "expected") '
    '~ " last as (select 1 as one) select cast(decided_on as string), feature, psi, '
    'kl_divergence, null_rate_spike, least, greatest from shifts"'
)
Value = float | str
Figures = tuple[float | None, float | None, bool | None]


@dataclass
class Space:
    """Days with their sizes, those that are told, and of each feature the values of each day."""

    sizes: dict[date, int]
    told: list[date]
    values: dict[str, dict[date, list[Value]]] = field(default_factory=dict)


def kinds_of(dice: random.Random) -> dict[str, Callable[[], Value]]:
    """Ways to make a value, of which a feature has one in its reference and one of late."""
    return {
        "even": dice.random,
        "bell": lambda: dice.gauss(-3, 10),
        "wide": lambda: dice.lognormvariate(0, 9),
        "tied": lambda: 0.1,
        "tied elsewhere": lambda: 0.3,
        "few": lambda: dice.choice((0.0, 0.1, 0.7)),
        "whole": lambda: float(dice.randrange(-4, 5)),
        "word": lambda: dice.choice(("chip", "chip", "online", "a_rare_one")),
        "other words": lambda: dice.choice(("chip", "smoke")),
        "both": lambda: dice.choice(("chip", dice.random())),
    }


def random_space(dice: random.Random) -> Space:
    """Four weeks before one that is told, but for one day; and a week that has no reference."""
    before = [MONDAY - timedelta(days=n) for n in range(1, DAYS + 1)]
    sizes = {day: dice.randrange(3, 9) for day in dice.sample(before, DAYS - 3)}
    told = [MONDAY, MONDAY + timedelta(days=6), MONDAY - timedelta(days=DAYS + 7)]
    sizes |= dict(zip(told, (1, 40, 9), strict=True))
    space = Space(sizes, told)
    kinds = kinds_of(dice)
    for number in range(SETS):
        then = dice.choice(list(kinds))
        now = dice.choice([then, then, *kinds])
        shares = [dice.choice((0, 0.5, 0.9, 1)) for _ in range(2)]
        space.values[f"f{number}"] = {
            day: [
                kinds[now if day in told else then]()
                for _ in range(size)
                if dice.random() < shares[day in told]
            ]
            for day, size in sizes.items()
        }
    return space


def decile(values: list[float], number: int) -> Fraction:
    """Exactly, on the line between its neighbours."""
    ordered = [Fraction(value) for value in sorted(values)]
    place = Fraction(number * (len(ordered) - 1), 10)
    below = ordered[math.floor(place)]
    return below + (ordered[math.ceil(place)] - below) * (place - math.floor(place))


def binned(values: list[Value], reference: list[Value], size: int) -> Counter[Any]:
    """Rows of each bin; None is that of nulls."""
    numbers = [value for value in reference if isinstance(value, float)]
    edges = [decile(numbers, n) for n in range(1, 10)] if numbers else []
    bins: Counter[Any] = Counter({None: size - len(values)})
    for value in values:
        if isinstance(value, str):
            bins[value] += 1
        else:
            number = Fraction(value)
            bins[sum(number - edge > Fraction(1e-12) * abs(number) for edge in edges)] += 1
    return bins


def second_opinion(space: Space, feature: str, day: date) -> Figures:
    """What is said of a day, counted one by one."""
    monday = day - timedelta(days=day.weekday())
    days = [d for d in space.sizes if monday - timedelta(days=DAYS) <= d < monday]
    if len(days) < AT_LEAST:
        return None, None, None
    values, sizes = space.values[feature], space.sizes
    reference = [value for d in days for value in values[d]]
    size = sum(sizes[d] for d in days)
    then, now = binned(reference, reference, size), binned(values[day], reference, sizes[day])
    pairs = [(then[b] / size or EMPTY, now[b] / sizes[day] or EMPTY) for b in {*then, *now}]
    psi = math.fsum((c - r) * math.log(c / r) for r, c in pairs)
    divergence = math.fsum(r * math.log(r / c) for r, c in pairs)
    rates = [1 - len(values[d]) / sizes[d] for d in days]
    limit = statistics.mean(rates) + 3 * statistics.stdev(rates)
    return psi, divergence, 1 - len(values[day]) / sizes[day] > limit + 1e-9


def tables_of(space: Space) -> dict[str, pa.Table]:
    days = [
        {
            "decided_on": day,
            "week_start": day - timedelta(days=day.weekday()),
            "decisions": size,
            "is_told": day in space.told,
        }
        for day, size in space.sizes.items()
    ]
    sent = [
        {
            "decided_on": day,
            "feature": feature,
            "subject_key": f"p{number}",
            "word": value if isinstance(value, str) else None,
            "number_value": value if isinstance(value, float) else None,
        }
        for feature, by_day in space.values.items()
        for day, values in by_day.items()
        for number, value in enumerate(values)
    ]
    return {
        "days": pa.Table.from_pylist(days),
        "sent": pa.Table.from_pylist(sent),
        "expected": pa.table({"feature": list(space.values)}),
    }


@pytest.fixture(scope="module")
def space() -> Space:
    print(f"seed {SEED}: {SETS} features")
    return random_space(random.Random(SEED))


@pytest.fixture(scope="module")
def engines(space: Space, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    with pytest.MonkeyPatch.context() as patch, StandIn(CLOUD_PROJECT) as standin:
        patch.setenv("BIGQUERY_EMULATOR_HOST", standin.endpoint)
        made = Engines(standin, tmp_path_factory.mktemp("drift"), [CALL])
        for name, table in tables_of(space).items():
            made.load(name, table)
        yield made


def disagreements(rows: list[tuple[Any, ...]], space: Space) -> int:
    """Rows that say something else than the second opinion, or are not there."""
    wrong = len(rows) - len(space.told) * len(space.values)
    assert wrong == 0, SEED
    for day, feature, *figures, _, _ in rows:
        expected = second_opinion(space, feature, date.fromisoformat(day))
        for found, right in zip(figures, expected, strict=True):
            same = found == right if right is None or isinstance(right, bool) else None
            wrong += not (abs(found - right) <= CLOSE if same is None else same)
    return wrong


def test_both_engines_say_what_is_counted_one_by_one(space: Space, engines: Engines) -> None:
    ours, theirs = engines.rows(*engines.sql(CALL, "{}"))
    assert disagreements(ours, space) == 0, SEED
    assert disagreements(theirs, space) == 0, SEED
    psi = [row[2] for row in ours if row[2] is not None]
    print(f"{len(psi)} indexes from {min(psi):.4f} to {max(psi):.2f}")
    assert min(psi) == 0 and max(psi) > 5  # such as of what is never sent, and of what moves
    assert {row[4] for row in ours} == {True, False, None}


FAULTS = {
    "KL the other way round": (
        r"reference_share \* ln\(reference_share / current_share\)",
        "current_share * ln(current_share / reference_share)",
    ),
    "logarithm to base 2": (r"\bln\(", "log2("),
    "another share of nothing": (r"0\.0001", "0.001"),
    "a decile belongs to the bin above": (r"(decile_\d) > 1e-12", r"\1 >= -1e-12"),
    "later days are in the reference": (r"< told_weeks.week_start", "< date '2099-01-01'"),
    "nulls are no bin": (r"\bmissing as current_rows", "0 as current_rows"),
    "any null rate above the mean": (r"3 \* stddev_samp", "0 * stddev_samp"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_seen(fault: str, space: Space, engines: Engines) -> None:
    duck, _ = engines.sql(CALL, "{}")
    faulty, changes = re.subn(*FAULTS[fault], duck)
    assert changes
    rows = engines.duck.execute(faulty).fetchall()
    assert disagreements(rows, space) > 0, SEED
