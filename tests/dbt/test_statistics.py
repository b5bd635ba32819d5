"""Figures and tests of decisions against scikit-learn and scipy, on random data sets.

ASSAY_LONG=1 tries 500 data sets instead of 50; ASSAY_SEED repeats a run.
"""

from __future__ import annotations

import math
import os
import random
from collections.abc import Sequence
from functools import cache
from typing import Any

import pyarrow as pa
import pytest
from compiled import compile_inline, sandbox
from scipy import stats
from sklearn import metrics as learned

DATA_SETS = 500 if os.environ.get("ASSAY_LONG") == "1" else 50
CLOSE = 1e-8
COUNTS = "tp, fp, tn, fn"
FRAGMENTS = {
    "precision": "{{ precision_of('tp', 'fp') }}",
    "recall": "{{ recall_of('tp', 'fn') }}",
    "f1": "{{ f1_of('tp', 'fp', 'fn') }}",
    "accuracy": "{{ accuracy_of('tp', 'fp', 'tn', 'fn') }}",
    "z": "{{ two_proportions_z('x', 'n', 'other_x', 'other_n') }}",
    "tail": "{{ normal_tail('z') }}",
    "cdf": "{{ normal_cdf('z') }}",
    "quantile": "{{ normal_quantile('p') }}",
    "t_cdf": "{{ students_t_cdf('t', 'df') }}",
    "t_quantile": "{{ students_t_quantile('p', 'df') }}",
    "chi_square_tail": "{{ chi_square_tail('x', 'df') }}",
    "holm": "with {{ holm_corrected('tests', ['family'], 'corrected') }} "
    "last as (select * from corrected) select number, adjusted_p_value from last order by number",
}


@cache
def sql() -> dict[str, str]:
    return compile_inline(**FRAGMENTS)


def computed(name: str, **columns: Sequence[Any]) -> list[float | None]:
    """One expression of each row of these columns, in their order."""
    names = list(columns)
    types = [pa.float64() if len(v) == 0 else None for v in columns.values()]
    given = {"number": pa.array(range(len(columns[names[0]])), pa.int64())} | {
        key: pa.array(list(values), kind)
        for (key, values), kind in zip(columns.items(), types, strict=True)
    }
    with sandbox() as database:
        database.register("given", pa.table(given))
        rows = database.execute(f"select {sql()[name]} from given order by number").fetchall()
    return [value for (value,) in rows]


def agree(found: Sequence[float | None], expected: Sequence[float | None]) -> None:
    """Null where nothing is expected, and close everywhere else."""
    assert len(found) == len(expected)
    for here, there in zip(found, expected, strict=True):
        if there is None or math.isnan(there):
            assert here is None
        else:
            assert here is not None and abs(here - there) <= CLOSE, (here, there)


def labels(dice: random.Random) -> tuple[list[bool], list[bool]]:
    """What was so and what was said: often all of one kind, sometimes nothing at all."""
    size = dice.choice((0, 1, 2, 5, 40, 300))
    share, skill = dice.choice((0, 0.02, 0.5, 1)), dice.choice((0, 0.5, 0.9, 1))
    truth = [dice.random() < share for _ in range(size)]
    return truth, [so if dice.random() < skill else dice.random() < share for so in truth]


def test_figures_are_those_of_scikit_learn(dice: random.Random) -> None:
    sets = [labels(dice) for _ in range(DATA_SETS)] + [([True], [False]), ([False], [True])]
    counts = {
        name: [sum((s, t) == pair for t, s in zip(*each, strict=True)) for each in sets]
        for name, pair in {
            "tp": (True, True),
            "fp": (True, False),
            "tn": (False, False),
            "fn": (False, True),
        }.items()
    }
    undefined = {"zero_division": math.nan}
    expected: dict[str, list[float]] = {"precision": [], "recall": [], "f1": [], "accuracy": []}
    for truth, said in sets:
        expected["accuracy"].append(learned.accuracy_score(truth, said) if truth else math.nan)
        for name, score in (
            ("precision", learned.precision_score),
            ("recall", learned.recall_score),
            ("f1", learned.f1_score),
        ):
            expected[name].append(score(truth, said, **undefined) if truth else math.nan)
    for name, figures in expected.items():
        agree(computed(name, **counts), figures)
    assert any(math.isnan(figure) for figure in expected["precision"])
    assert any(figure == 0 for figure in expected["f1"])


def proportions(dice: random.Random) -> tuple[int, int, int, int]:
    """Successes and trials of two groups: empty, one-sided and tied ones too."""
    n, other_n = (dice.choice((0, 1, 7, 100, 100, 5_000, 10**6)) for _ in range(2))
    share = dice.choice((0, 0.001, 0.3, 0.5, 1))
    x, other_x = (round(size * min(1, share * dice.choice((1, 1, 0.9)))) for size in (n, other_n))
    return x, n, other_x, other_n


def test_proportions_are_tested_as_by_scipy(dice: random.Random) -> None:
    """The square of z is the chi-square of the table of both groups, and its p-value the same."""
    sets = [proportions(dice) for _ in range(DATA_SETS)] + [(50, 100, 50, 100), (0, 0, 0, 0)]
    columns = dict(zip(("x", "n", "other_x", "other_n"), zip(*sets, strict=True), strict=True))
    expected: list[float] = []
    p_values = []
    for x, n, other_x, other_n in sets:
        if not (n and other_n and 0 < x + other_x < n + other_n):
            expected.append(math.nan)
            continue
        table = [[x, n - x], [other_x, other_n - other_x]]
        test = stats.chi2_contingency(table, correction=False)
        expected.append(math.copysign(math.sqrt(test.statistic), x / n - other_x / other_n))
        p_values.append(test.pvalue)
    found = computed("z", **columns)
    agree(found, expected)
    tails = computed("tail", z=[z for z in found if z is not None])
    agree([2 * tail for tail in tails if tail is not None], p_values)
    assert any(math.isnan(z) for z in expected)
    assert any(z == 0 for z in expected)


def after_holm(p_values: list[float]) -> list[float]:
    """The smallest level at which Holm's procedure would reject each, stepping down."""
    ordered = sorted(p_values)
    steps = [min(1.0, (len(ordered) - n) * p) for n, p in enumerate(ordered)]
    return [max(steps[: ordered.index(p) + ordered.count(p)]) for p in p_values]


def test_many_tests_are_corrected_after_holm(dice: random.Random) -> None:
    """Within families of any size, with ties and with tests that could not be made."""
    assert after_holm([0.01, 0.04, 0.03, 0.005]) == [0.03, 0.06, 0.06, 0.02]
    rows: list[tuple[int, int, float | None]] = []
    expected: list[float | None] = []
    for family in range(DATA_SETS):
        size = dice.choice((1, 2, 5, 30))
        pool = [dice.random() ** 4 for _ in range(size)] + [0.0, 1.0, 0.01]
        values = [dice.choice(pool) if dice.random() < 0.9 else None for _ in range(size)]
        adjusted = iter(after_holm([value for value in values if value is not None]))
        for value in values:
            rows.append((len(rows), family, value))
            expected.append(None if value is None else next(adjusted))
    names = ("number", "family", "p_value")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    with sandbox() as database:
        database.register("tests", pa.table(columns))
        found = database.execute(sql()["holm"]).fetchall()
    agree([value for _, value in found], expected)
    assert None in expected


def test_the_normal_distribution_is_that_of_scipy(dice: random.Random) -> None:
    z = [0.0, -0.0, 5.49999999999, -5.5, 37.0, -37.1, 40.0, 1e300]
    z += [dice.gauss(0, dice.choice((1, 5, 15))) for _ in range(20 * DATA_SETS)]
    agree(computed("cdf", z=z), list(stats.norm.cdf(z)))
    tails = computed("tail", z=z)
    for found, expected in zip(tails, stats.norm.sf([abs(x) for x in z]), strict=True):
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-290)
    p = [0.5, 0.075, 0.925, 1e-300, 1e-20, 1 - 1e-12]
    p += [dice.random() ** dice.choice((1, 9, 40)) or 0.1 for _ in range(20 * DATA_SETS)]
    agree(computed("quantile", p=p), list(stats.norm.ppf(p)))
    agree(computed("quantile", p=[0.0, 1.0, -1.0, 2.0]), [None] * 4)
    agree(computed("cdf", z=[None, 1.0]), [None, float(stats.norm.cdf(1))])


def test_t_and_chi_square_are_those_of_scipy(dice: random.Random) -> None:
    t = [0.0, 1e-9, -3.0, 50.0, 1e6, -1e12]
    t += [dice.gauss(0, dice.choice((1, 3, 20))) for _ in range(20 * DATA_SETS)]
    df = [dice.choice((1, 1.5, 2, 4.7, 9, 30.2, 150, 999.5, 1e5, 1e9)) for _ in t]
    agree(computed("t_cdf", t=t, df=df), list(stats.t.cdf(t, df)))
    # Of one and of two degrees of freedom there are formulas, to which it is nearer than scipy.
    for freedom, formula in (
        (1, lambda x: 0.5 + math.atan(x) / math.pi),
        (2, lambda x: 0.5 + x / math.hypot(math.sqrt(2), x) / 2),
    ):
        found = computed("t_cdf", t=t, df=[freedom] * len(t))
        assert found == pytest.approx([formula(x) for x in t], abs=1e-12, rel=0)
    agree(computed("t_cdf", t=[1.0, 1.0, None, 1.0], df=[0.0, -1.0, 2.0, None]), [None] * 4)
    x = [0.0, 1e-9, 3.84, 100.0, 1e4]
    x += [dice.expovariate(1 / dice.choice((1, 10, 60, 200))) for _ in range(20 * DATA_SETS)]
    k = [dice.choice((1, 2, 3, 4, 7, 12, 30, 99, 200)) for _ in x]
    agree(computed("chi_square_tail", x=x, df=k), list(stats.chi2.sf(x, k)))
    agree(computed("chi_square_tail", x=[1.0, 1.0, None], df=[2.5, 201, 1]), [None] * 3)


def test_the_quantile_of_t_is_that_of_scipy(dice: random.Random) -> None:
    """To 1e-8 of its value, at the edges of what it is for and within; null beyond."""
    p = [0.975, 0.005, 0.995, 0.5, 0.995, 0.5000001]
    p += [dice.uniform(0.005, 0.995) for _ in range(20 * DATA_SETS)]
    df = [5.0, 5.0, 5.0, 7.5, 1e9, 30.0]
    df += [dice.choice((5, 5.3, 9, 17.7, 60, 999.5, 1e6)) * dice.uniform(1, 2) for _ in p[6:]]
    found = computed("t_quantile", p=p, df=df)
    for here, there in zip(found, stats.t.ppf(p, df), strict=True):
        assert here == pytest.approx(there, rel=CLOSE, abs=1e-12)
    beyond = computed("t_quantile", p=[0.004, 0.996, 0.9, None, 0.9], df=[9, 9, 4.9, 9, None])
    agree(beyond, [None] * 5)
    unmended = sql()["t_quantile"].replace("3.141592653589793 / 32", "3.1 / 32")
    assert unmended != sql()["t_quantile"]
    with sandbox() as database:
        database.execute("create table given as select 0.99 as p, 5e0 as df")
        ((value,),) = database.execute(f"select {unmended} from given").fetchall()
    assert abs(value / stats.t.ppf(0.99, 5) - 1) > CLOSE


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("f1", "2 * tp", "tp"),
        ("tail", "2.5066282746310002", "2.5066"),
        ("tail", "220.206867912376", "220.2069"),
        ("quantile", "2.9656", "2.9657"),
        ("t_cdf", "(0.5 -", "(0.50001 -"),
    ],
)
def test_a_wrong_figure_would_be_seen(name: str, right: str, wrong: str) -> None:
    """The planted fault is 1e-5 of a constant or less, and far beyond what is let pass."""
    assert right in sql()[name]
    broken = sql()[name].replace(right, wrong)
    with sandbox() as database:
        database.execute(
            "create table given as select 3 as tp, 1 as fp, 1 as fn, "
            "unnest([0.3, 7.5]) as z, unnest([1e-16, 1e-14]) as p, 1e0 as t, 1e5 as df"
        )
        here, there = (
            database.execute(f"select {text} from given order by z").fetchall()
            for text in (sql()[name], broken)
        )
    assert any(abs(a / b - 1) > CLOSE for (a,), (b,) in zip(here, there, strict=True))
