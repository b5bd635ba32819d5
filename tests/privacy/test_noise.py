"""The noise of a release: OpenDP's own proof, and what one person changes.

An attacker who counts on neighbours is R10 of the red team.
"""

from __future__ import annotations

import random
from collections import Counter
from datetime import date

import duckdb
import pytest
from claims_home import Claim, make_claims

from loaders.releases.claims import public_cells
from loaders.releases.figures import _claims, bounded_counts
from loaders.releases.noise import mechanism
from loaders.releases.policy import read_policy
from loaders.releases.quarters import Quarter

POLICY = read_policy()
CELLS = POLICY.cells_per_person
QUARTER = Quarter(2026, 1)


@pytest.mark.parametrize("epsilon", [0.01, 0.1, 0.3, 0.5, 0.7, 1.1, 2.0])
@pytest.mark.parametrize("cells", [1, 3, 7])
def test_opendp_proves_the_epsilon(cells: int, epsilon: float) -> None:
    """And no more noise is added than that takes."""
    made = mechanism(cells, epsilon, 0.95)
    assert epsilon * (1 - 1e-9) < made.measurement.map(cells) <= epsilon
    assert made.scale == pytest.approx(cells / epsilon)


def test_the_interval_holds_as_often_as_it_says() -> None:
    made = mechanism(CELLS, POLICY.epsilon, POLICY.confidence)
    off = sum(abs(value) > made.margin for value in made.draw([0] * 20_000))
    print(f"{off} of 20000 outside {made.margin}")
    assert 0.5 * 0.05 < off / 20_000 < 0.05 + 0.01


def counts(claims: list[Claim], sql: str) -> Counter[tuple[str, str]]:
    with duckdb.connect() as connection:
        make_claims(connection)
        connection.executemany("insert into silver.int_claims__claims values (?, ?, ?, ?)", claims)
        rows = connection.execute(sql).fetchall()
    return Counter({(claim_type, region): count for claim_type, region, count in rows})


def most_by_one_person(dice: random.Random, sql: str) -> int:
    """How much any one of some people changes all counts together."""
    cells = [*public_cells("eu")[:12], ("boat", "de"), ("auto", "mars")]
    days = [date(2025, 12, 31), date(2026, 1, 1), date(2026, 3, 31), date(2026, 4, 1)]
    claims: list[Claim] = [
        (f"p{dice.randrange(12)}", *dice.choice(cells), dice.choice(days)) for _ in range(150)
    ]
    whole = counts(claims, sql)
    changes = []
    for person in range(12):
        without = counts([claim for claim in claims if claim[0] != f"p{person}"], sql)
        changes.append(sum((whole - without).values()) + sum((without - whole).values()))
    assert max(whole.values()) <= 12, "people are counted, not claims"
    return max(changes)


def test_one_person_changes_no_more_than_the_policy_says(dice: random.Random) -> None:
    sql = bounded_counts(_claims(QUARTER, public_cells("eu")), POLICY, QUARTER)
    assert most_by_one_person(dice, sql) == CELLS


def test_a_twin_without_bounds_is_seen(dice: random.Random) -> None:
    sql = bounded_counts(_claims(QUARTER, public_cells("eu")), POLICY, QUARTER)
    unbounded = sql.replace(f"place <= {CELLS}", "true")
    assert unbounded != sql
    assert most_by_one_person(dice, unbounded) > CELLS


def test_a_claim_counts_in_its_quarter_alone() -> None:
    """By hand: the last instants of neighbours' days, someone unknown, and no public cell."""
    days = {date(2025, 12, 31): 0, date(2026, 1, 1): 1, date(2026, 3, 31): 1, date(2026, 4, 1): 0}
    claims: list[Claim] = [(f"p{n}", "auto", "de", day) for n, day in enumerate(days)]
    claims += [(None, "auto", "de", date(2026, 2, 1)), ("p9", "boat", "de", date(2026, 2, 1))]
    claims += [("p1", "auto", "de", date(2026, 2, 1))] * 3
    sql = bounded_counts(_claims(QUARTER, public_cells("eu")), POLICY, QUARTER)
    assert counts(claims, sql) == {("auto", "de"): sum(days.values())}
