"""Inference by subtraction: totals less their parts, by hand and by all equations there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import duckdb
import numpy as np
from attempt_space import FACT, FIRST_DAY, Table, audited, build, rows_of, sabotaged_tables
from compiled import sandbox
from row_space import computable_sets
from scipy.optimize import linprog
from scipy.sparse import csr_array

from loaders.erasure import silver
from loaders.home import Home, init_home, quote
from red_team.attacks import INFERENCE, Finding, Scene, attack
from red_team.gold import ATTEMPTS, SAFE_ROWS, Gold, K, nodes_of, real_gold, sabotaged

LABELS = ("domain", "action", "status", "error_code", "country")


@attack(
    "R3",
    INFERENCE,
    on="totals of attempts by day and label, less the cells that are told",
    real=real_gold,
    sabotage="the totals are the true ones",
    twin=sabotaged(
        "create or replace view gold.metric_time_series as "
        + " union all ".join(
            f"select 'attempts' as metric_name, 'day' as granularity, '{label}' as dimension, "
            f"cast(attempted_at as date) as period_start, {label} as dimension_value, "
            "count(*) as value from silver.stg_access__attempts group by all"
            for label in LABELS
        )
    ),
)
def a_total_less_its_cells(gold: Gold) -> Finding:
    """Take all told cells off a total: what is left is what is hidden, if of 1 to 9 people."""
    found = []
    for label in LABELS:
        found += gold.rows(f"""
            with cells as (
                select period_start, {label} as dimension_value, sum(attempts) as attempts
                from gold.attempts_daily group by all
            ), hidden as (
                select
                    cast(raw.attempted_at as date) as period_start, raw.{label} as dimension_value,
                    count(distinct raw.subject_key) as people
                from silver.stg_access__attempts as raw
                inner join {ATTEMPTS} as fact using (event_id)
                where not (fact.is_published and fact.{label} = raw.{label})
                group by all
            )
            select total.value - coalesce(cells.attempts, 0), coalesce(hidden.people, 0)
            from gold.metric_time_series as total
            left join cells using (period_start, dimension_value)
            left join hidden using (period_start, dimension_value)
            where total.metric_name = 'attempts' and total.granularity = 'day'
                and total.dimension = '{label}'
        """)
    rests = gold.rows(f"""
        select count(*), count(distinct subject_key) from {ATTEMPTS}
        where is_published and published_hour is null
        group by attempted_on, domain, action, status, error_code, field
    """)
    few = sum(left > 0 and 0 < people < K for left, people in found)
    few += sum(people < K and rows < SAFE_ROWS for rows, people in rests)
    left = sum(left > 0 for left, _ in found)
    said = f"{len(found)} totals, {left} leave something, and {len(rests)} days leave a rest of "
    return Finding(few > 0, f"{said}their hours; {few} of 1 to {K - 1} people")


def of_the_demo(scene: Scene) -> list[Table]:
    """What is published of each day: sets of cells of raw rows whose totals are known."""
    return audited(real_gold(scene).connection)


def suppressed_per_mart(scene: Scene) -> list[Table]:
    raw = rows_of(real_gold(scene).connection, "from silver.stg_access__attempts")
    return sabotaged_tables(raw)


PROGRAMS = 10  # small cells whose bounds are computed


@attack(
    "R4",
    INFERENCE,
    on="all marts of attempts at once",
    real=of_the_demo,
    sabotage="each mart leaves out its own small cells",
    twin=suppressed_per_mart,
)
def all_equations_at_once(days: list[Table]) -> Finding:
    """Solve for every hidden cell: by sums and differences exactly, and by bounds on some."""
    small = sum(day.small_atoms() for day in days)
    follow = {number: small_sets(day) for number, day in enumerate(days)}
    number = sum(map(len, follow.values()))
    day = min(range(len(days)), key=lambda place: len(days[place].members))
    chosen = least_hidden(days[day], follow[day])
    narrow = sum(is_narrow(days[day], atom) for atom in chosen)
    said = (
        f"{len(days)} days, {small} small cells: {number} small sets follow exactly, "
        f"{narrow} of {len(chosen)} cells are bounded closely"
    )
    return Finding(number + narrow > 0, said)


def small_sets(day: Table) -> list[frozenset[int]]:
    """Sets of cells, of too few people, whose total follows from the published ones."""
    return [atoms for atoms in computable_sets(day.published) if day.is_small(atoms)]


def least_hidden(day: Table, follow: list[frozenset[int]]) -> list[int]:
    """Some small cells: those that follow in small sets, else of the smallest totals there are."""
    sizes = {atoms: sum(len(day.members[atom]) for atom in atoms) for atoms in day.published}
    sets = [*sorted(follow, key=len), *sorted(sizes, key=lambda atoms: (sizes[atoms], min(atoms)))]
    found = dict.fromkeys(atom for atoms in sets for atom in sorted(atoms) if day.is_small([atom]))
    return list(found)[:PROGRAMS]


def is_narrow(day: Table, atom: int) -> bool:
    """Whether linear programs say the rows of an atom to within k, or a fifth of them."""
    place = {name: number for number, name in enumerate(day.members)}
    sets = list(day.published)
    cells = [(row, place[name]) for row, ones in enumerate(sets) for name in ones]
    rows, columns = zip(*cells, strict=True)
    matrix = csr_array((np.ones(len(cells)), (rows, columns)), shape=(len(sets), len(place)))
    weights = np.array([len(members) for members in day.members.values()])
    goal = np.zeros(len(place))
    goal[place[atom]] = 1
    known = {"A_eq": matrix, "b_eq": matrix @ weights}
    least, most = linprog(goal, **known), linprog(-goal, **known)
    if most.status == 3 and least.status == 0:  # no bound: nothing counts it
        return False
    assert (least.status, most.status) == (0, 0), (least.message, most.message)
    return -most.fun - least.fun < max(K, weights[place[atom]] / 5) - 1e-6


@dataclass(frozen=True)
class Erasing:
    """A home with a day of attempts, how somebody is erased there, and what builds its marts."""

    home: Home
    nodes: dict[str, Any]
    erase: Callable[[Home], None]

    def build(self) -> dict[tuple[Any, ...], int]:
        """Label the attempts there are, and tell of the day: attempts by cell."""
        with sandbox() as connection:
            connection.execute(f"attach {quote(str(self.home.warehouse))} as warehouse")
            for name in (FACT, "attempts_daily"):
                node = self.nodes[name]
                connection.execute(
                    f"create or replace table {node['relation_name']} as {node['compiled_code']}"
                )
            cells = connection.execute(
                f"select {', '.join(LABELS)}, attempts from warehouse.gold.attempts_daily"
            ).fetchall()
        return {tuple(cell): attempts for *cell, attempts in cells}


PERSON = "v1:person7"


def attempts_of_a_day() -> list[dict[str, Any]]:
    """Of fifteen people, one of whom came three times."""
    people = [f"v1:person{n}" for n in range(15)] + [PERSON] * 2
    return [
        {
            "event_id": f"e{number}",
            "batch_id": "b",
            "line_number": number,
            "attempted_at": datetime.combine(FIRST_DAY, datetime.min.time()) + timedelta(hours=9),
            "domain": "a.example",
            "action": "signup",
            "status": "success",
            "error_code": "none",
            "field": "none",
            "country": "DE",
            "subject_key": person,
            "fp_key": person,
            "email_domain": "mail.example",
            "duration_ns": 10**6,
        }
        for number, person in enumerate(people)
    ]


def erasing(erase: Callable[[Home], None]) -> Callable[[Scene], Erasing]:
    def make(scene: Scene) -> Erasing:
        home, nodes = init_home(scene.folder / "erasing")[0], nodes_of(scene.demo)
        with build(nodes, attempts_of_a_day()) as made:
            made.execute(f"attach {quote(str(home.warehouse))} as kept")
            made.execute("copy from database warehouse to kept")
        return Erasing(home, nodes, erase)

    return make


def unlink(home: Home) -> None:
    silver.unlink(home, "request-1", {PERSON}, set(), "salt", 1)


def delete(home: Home) -> None:
    with duckdb.connect(str(home.warehouse)) as warehouse:
        warehouse.execute(
            "delete from silver.stg_access__attempts where subject_key = $1", [PERSON]
        )


@attack(
    "R7",
    INFERENCE,
    on="attempts_daily, before and after one person is erased",
    real=erasing(unlink),
    sabotage="rows go at once, and not with those of k people",
    twin=erasing(delete),
)
def what_an_erasure_takes_away(erased: Erasing) -> Finding:
    """Keep the marts of yesterday: what an erasure takes off them is that person's."""
    before = erased.build()
    erased.erase(erased.home)
    after = erased.build()
    changed = [before[cell] - after.get(cell, 0) for cell in before]
    few = sum(0 < abs(change) < K for change in changed)
    return Finding(few > 0, f"{few} of {len(before)} cells changed by 1 to {K - 1}: {changed}")
