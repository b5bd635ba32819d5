"""Every guard of the dbt project goes red for the fault that it is there for, and for no other.

Faults are planted in copies of the demo's warehouse, several in one copy, and dbt runs all of its
data tests there. The demo itself was built with these tests green.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from compiled import compile_inline, sandbox
from conftest import PROJECT, Demo, run_dbt
from guard_faults import CELL, FACT, FAULTS

from loaders.home import Home

pytestmark = pytest.mark.usefixtures("artifacts")

# Faults that do not hide each other: all of a group are planted in one home.
GROUPS = [list(FAULTS)[:11], list(FAULTS)[11:]]


@dataclass(frozen=True)
class Run:
    """What came of a run of all data tests: guard and model of each, and those that failed."""

    passed: set[tuple[str, str]]
    failed: set[tuple[str, str]]


def run_guards(demo: Demo, folder: Path, faults: list[str]) -> Run:
    """Plant faults in a copy of the demo and run every data test there."""
    home = Home(folder / "home")
    home.path.mkdir()
    for path in (demo.home.marker, demo.home.vault, demo.home.warehouse):
        shutil.copy(path, home.path)
    shutil.copytree(demo.home.bronze, home.bronze)
    with duckdb.connect(str(home.warehouse)) as warehouse:
        for sql in faults:
            assert warehouse.execute(sql).fetchall() != [(0,)], f"changed nothing: {sql}"
    run_dbt(home, "test", "--select", "test_type:data", check=False)
    target = home.path / "target"
    nodes = json.loads((target / "manifest.json").read_text(encoding="utf-8"))["nodes"]
    results = json.loads((target / "run_results.json").read_text(encoding="utf-8"))["results"]
    outcomes: dict[str, set[tuple[str, str]]] = {"pass": set(), "fail": set()}
    for result in results:
        if result["unique_id"].startswith("operation."):  # what runs at the end of every run
            continue
        outcomes[result["status"]].add(guard_of(nodes[result["unique_id"]]))
    return Run(outcomes["pass"], outcomes["fail"])


def guard_of(node: dict[str, Any]) -> tuple[str, str]:
    """Name of a test and the model that it is on, "" where it is on none."""
    generic = node.get("test_metadata") or {"name": node["name"]}
    return generic["name"], (node.get("attached_node") or "").rpartition(".")[2]


@pytest.fixture(scope="module")
def runs(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    return [
        run_guards(demo, tmp_path_factory.mktemp("faulty"), [FAULTS[name].sql for name in group])
        for group in GROUPS
    ]


@pytest.mark.parametrize("name", FAULTS)
def test_guard_sees_its_fault(name: str, runs: list[Run]) -> None:
    fault = FAULTS[name]
    run = runs[0 if name in GROUPS[0] else 1]
    assert (fault.guard, fault.model) in run.failed


@pytest.mark.parametrize("group", range(len(GROUPS)))
def test_no_other_guard_goes_red(group: int, runs: list[Run]) -> None:
    """A guard that is red for anything would be switched off before long."""
    faults = [FAULTS[name] for name in GROUPS[group]]
    meant = {(fault.guard, fault.model) for fault in faults}
    disturbed = {guard for fault in faults for guard in fault.also}
    run = runs[group]
    print(f"{len(run.passed)} guards green, {len(run.failed)} red: {sorted(run.failed)}")
    assert run.failed - meant - disturbed == set()
    assert len(run.passed) > len(run.failed)


def test_every_generic_guard_has_a_fault() -> None:
    """A guard without a planted fault proves nothing: one that is added must be added here."""
    guards = {path.stem for folder in ("generic", "singular") for path in sql_of(folder)}
    assert guards == {fault.guard for fault in FAULTS.values()} | {
        *MADE_UP,
        "differentially_private",
    }


# Guards on rows of their own: a call, and how many cells of one it finds, whose people have amounts
# or words.
MADE_UP = {
    "dominance": (
        "cell=['cell'], subject='person', measure='x'",
        [
            (0, [("a", 50), ("b", 25), ("c", 25)]),
            (1, [("a", 51), ("b", 25), ("c", 24)]),
            (1, [("a", 30), ("a", 21), ("b", 25), ("c", 24)]),
            (1, [("a", 51), ("b", -25), ("c", 24)]),
            (0, [("a", 100), ("b", 100), ("c", 15)]),
            (1, [("a", 100), ("b", 100), ("c", 14)]),
            (1, [("a", 100), ("b", 100)]),
            (1, [(None, 30), (None, 30), ("b", 25), ("c", 25)]),
            (0, [("a", 0), ("b", None)]),
        ],
    ),
    "l_diverse": (
        "cell=['cell'], subject='person', sensitive='x'",
        [
            (0, [("a", "'u'"), ("b", "'u'"), ("c", "'u'"), ("d", "'u'"), ("e", "'v'")]),
            (1, [(n, "'u'") for n in "abcde"] + [("f", "'v'")]),
            (1, [(n, "'u'") for n in "abcd"] + [("a", "'v'")]),
            (1, [("a", "'u'"), ("b", "'u'")]),
            (1, [("a", "'u'"), ("b", None)]),
            (1, [("a", None), ("b", None)]),
        ],
    ),
}


# Rows of a report with noise: quarter, year, epsilon, scale, figure, and how far the bounds are.
RELEASES = [
    (0, [("q1", 2026, 0.5, 6.0, 40, 18), ("q1", 2026, 0.5, 6.0, -3, 18)]),
    (0, [(f"q{n}", 2026, 0.5, 6.0, 40, 18) for n in range(4)]),
    (0, [(f"q{n}", 2021 + n, 0.5, 6.0, None, 0) for n in range(5)]),
    (1, [("q1", 2026, 0.5, 5.9, 40, 18)]),
    (1, [("q1", 2026, 0.5, 6.0, 40, 0)]),
    (5, [(f"q{n}", 2026, 0.5, 6.0, 40, 18) for n in range(5)]),
]


def test_the_guard_of_releases_sees_their_faults() -> None:
    statement = compile_inline(x="{{ test_differentially_private('made') }}")["x"]
    for expected, figures in RELEASES:
        rows = ", ".join(
            f"('{release}', date '{year}-01-01', {epsilon}, {scale}, 3, {value or 'null'}, "
            f"{value or 'null'} - {off}, {value or 'null'} + {off})"
            for release, year, epsilon, scale, value, off in figures
        )
        with sandbox() as connection:
            found = connection.execute(
                "with made as (from (values " + rows + ") as t (release_id, period_start, epsilon, "
                "noise_scale, cells_per_person, claimants, lower_bound, upper_bound)) "
                f"select * from ({statement})"
            ).fetchall()
        assert found == ([(expected,)] if expected else []), figures


def test_guards_of_one_cell_see_their_faults() -> None:
    calls = {name: f"{{{{ test_{name}('made', {MADE_UP[name][0]}) }}}}" for name in MADE_UP}
    for name, statement in compile_inline(**calls).items():
        for expected, people in MADE_UP[name][1]:
            rows = ", ".join(
                f"(1, {'null' if who is None else repr(who)}, {'null' if x is None else x})"
                for who, x in people
            )
            with sandbox() as connection:
                found = connection.execute(
                    f"with made as (from (values {rows}) as t (cell, person, x)) "
                    f"select * from ({statement})"
                ).fetchall()
            assert found == [(1,)] * expected, (name, people)


def sql_of(folder: str) -> list[Path]:
    return sorted((PROJECT / "tests" / folder).glob("*.sql"))


STORM = f"""
    delete from gold.attempts_hourly;
    delete from gold.attempts_daily;
    delete from gold.response_times_daily;
    create temp table storm as
    select {", ".join(CELL)}
    from silver.{FACT}
    where is_published and is_safe_cell and published_hour is not null
    group by all
    having count(distinct subject_key) < 10
    order by all
    limit 1;
    update silver.{FACT} as fact set country = 'XX'
    from storm
    where ({", ".join(f"fact.{c}" for c in CELL)}) = ({", ".join(f"storm.{c}" for c in CELL)})
"""


def test_a_storm_of_few_people_may_not_name_its_country(
    demo: Demo, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Rule 5: 100 rows publish a cell of safe keys only, and a country is no safe key.

    The marts are emptied, so that no count of theirs can give the fault away.
    """
    run = run_guards(demo, tmp_path_factory.mktemp("storm"), [STORM])
    assert ("blocks_pass", FACT) in run.failed
