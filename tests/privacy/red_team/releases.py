"""Releases for the public: averaging, spending twice, counting on neighbours, and two snapshots."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from unittest import mock

import duckdb
from claims_home import put_claims, some_claims
from scipy.stats import beta

from loaders import releases
from loaders.home import Home, init_home
from loaders.releases import budget
from loaders.releases.claims import public_cells
from loaders.releases.errors import ReleaseError
from loaders.releases.figures import _claims, bounded_counts
from loaders.releases.noise import Mechanism, mechanism
from loaders.releases.policy import read_policy
from loaders.releases.quarters import Quarter
from red_team.attacks import INFERENCE, Finding, Scene, attack
from red_team.gold import K

IS_LONG = os.environ.get("ASSAY_LONG") == "1"
ASKED = 365 if IS_LONG else 40
DRAWS = 200_000 if IS_LONG else 40_000
SURE = 1e-6  # how seldom a sound mechanism is called unsound
POLICY = read_policy()
PER_PERSON = POLICY.cells_per_person
QUARTERS = [Quarter(2026, n) for n in (1, 2, 3)]
Q1 = QUARTERS[0]
Cell = tuple[str, str]


@dataclass(frozen=True)
class Desk:
    """A home with claims, where anybody may ask for the figures of a quarter."""

    home: Home
    faults: tuple[tuple[object, str, object], ...] = ()

    def ask(self, quarter: Quarter, epsilon: float | None = None) -> dict[Cell, int]:
        with ExitStack() as stack:
            for owner, name, instead in self.faults:
                stack.enter_context(mock.patch.object(owner, name, instead))
            rows = releases.release(self.home, quarter, epsilon).rows
        return {(row["claim_type"], row["region"]): row["claimants"] for row in rows}

    def truth(self) -> dict[Cell, int]:
        """The true counts of the first quarter, as whoever builds them could see them."""
        sql = bounded_counts(_claims(Q1, public_cells("eu")), POLICY, Q1)
        with duckdb.connect(str(self.home.warehouse), read_only=True) as warehouse:
            counts = {(kind, region): n for kind, region, n in warehouse.execute(sql).fetchall()}
        return {cell: counts.get(cell, 0) for cell in public_cells("eu")}


def desk(*faults: tuple[object, str, object]) -> Callable[[Scene], Desk]:
    def make(scene: Scene) -> Desk:
        home = init_home(scene.folder / "claims")[0]
        put_claims(home, some_claims())
        return Desk(home, faults)

    return make


NO_BUDGET = (releases, "refuse_over_budget", lambda *_: None)


def drawing_anew(scene: Scene) -> Desk:
    """Every second time it forgets what was released: when it is asked, not when it answers."""
    released, calls = releases._released, iter(range(10**6))
    forgetful = lambda *given: released(*given) if next(calls) % 2 else []  # noqa: E731
    return desk(NO_BUDGET, (releases, "_released", forgetful))(scene)


@attack(
    "R8",
    INFERENCE,
    on="public_claim_report",
    real=desk(),
    sabotage="noise is drawn whenever somebody asks",
    twin=drawing_anew,
)
def the_mean_of_many_answers(asked: Desk) -> Finding:
    """Ask for the same figures again and again: the mean of independent noise is nothing."""
    answers = [asked.ask(Q1) for _ in range(ASKED)]
    different = len({tuple(sorted(answer.items())) for answer in answers})
    truth = asked.truth()
    means = {cell: sum(answer[cell] for answer in answers) / ASKED for cell in truth}
    error = sum(abs(means[cell] - truth[cell]) for cell in truth) / len(truth)
    once = sum(abs(answers[0][cell] - truth[cell]) for cell in truth) / len(truth)
    said = f"{ASKED} times asked, {different} answers, mean error {error:.1f}, of one {once:.1f}"
    return Finding(error < once / 2, said)


@attack(
    "R9",
    INFERENCE,
    on="the budget of a year",
    real=desk(),
    sabotage="what was spent is forgotten",
    twin=desk((budget, "spent", lambda *_: 0)),
)
def the_budget_after_a_lost_warehouse(asked: Desk) -> Finding:
    """Spend all of it, lose the warehouse and every mart, build anew, and spend it once more."""
    asked.ask(Q1, POLICY.yearly_epsilon)
    asked.home.warehouse.unlink()
    put_claims(asked.home, some_claims())
    try:
        asked.ask(QUARTERS[1], POLICY.yearly_epsilon)
    except ReleaseError as refused:
        return Finding(False, f"epsilon {POLICY.yearly_epsilon} spent, then {refused.code}")
    return Finding(True, f"epsilon {POLICY.yearly_epsilon} spent twice of one year")


def least_epsilon(made: Mechanism) -> float:
    """What an attacker knows of epsilon for sure, by counting.

    One person is in as many cells as the policy allows, or in none. The event that tells most is
    that none of these cells comes out above what it holds without that person.
    """

    def how_often(count: int) -> int:
        values = made.draw([count] * (PER_PERSON * DRAWS))
        return sum(max(values[n : n + PER_PERSON]) <= 0 for n in range(0, len(values), PER_PERSON))

    without, with_person = how_often(0), how_often(1)
    least = beta.ppf(SURE / 2, without, DRAWS - without + 1)
    most = beta.ppf(1 - SURE / 2, with_person + 1, DRAWS - with_person)
    return math.log(least / most)


@attack(
    "R10",
    INFERENCE,
    on="the noise of public_claim_report",
    real=lambda _: mechanism(PER_PERSON, POLICY.epsilon, POLICY.confidence),
    sabotage="noise for a person who is in one cell",
    twin=lambda _: mechanism(1, POLICY.epsilon, POLICY.confidence),
)
def somebody_is_in_it_or_not(made: Mechanism) -> Finding:
    """Draw often with and without one person: epsilon is at least what tells the two apart."""
    found = least_epsilon(made)
    said = f"epsilon is at least {found:.3f} by {DRAWS:,} draws, claimed {POLICY.epsilon}"
    return Finding(found > POLICY.epsilon, said)


class TrueCounts(Desk):
    """Tells what there is, now."""

    def ask(self, quarter: Quarter, epsilon: float | None = None) -> dict[Cell, int]:
        return self.truth()


@attack(
    "R6",
    INFERENCE,
    on="public_claim_report, before and after three late claims",
    real=desk(),
    sabotage="the report is made of the claims of today",
    twin=lambda scene: TrueCounts(desk()(scene).home),
)
def what_changed_between_two_snapshots(asked: Desk) -> Finding:
    """Keep an old report: the new one less the old one is whoever came in between."""
    before = asked.ask(Q1)
    late = [(f"v1:late{n}", "auto", "de", date(2026, 3, 1)) for n in range(3)]
    asked.home.warehouse.unlink()
    put_claims(asked.home, [*some_claims(), *late])
    after = asked.ask(Q1)
    changed = [after[cell] - before[cell] for cell in before if after[cell] != before[cell]]
    few = sum(0 < abs(change) < K for change in changed)
    return Finding(few > 0, f"{len(before)} cells, {len(changed)} changed, {few} by 1 to {K - 1}")
