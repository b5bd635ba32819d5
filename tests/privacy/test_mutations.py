"""Each guard is needed: without it an attack of the red team succeeds, and with it none does."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Demo
from red_team.attacks import Finding, Scene
from red_team.mutations import MUTATIONS, Mutation, built, table

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("artifacts")]

Results = dict[str, tuple[Mutation, Finding, Finding]]


@pytest.fixture(scope="module")
def results() -> Iterator[Results]:
    yield {}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.guard)
def test_a_guard_that_is_missing_is_seen(
    mutation: Mutation, demo: Demo, tmp_path: Path, dice: random.Random, results: Results
) -> None:
    scene = Scene(demo, tmp_path, dice)
    whole, mutated = (
        mutation.attack(built(scene, mutation, is_mutated)) for is_mutated in (False, True)
    )
    results[mutation.guard] = (mutation, whole, mutated)
    assert not whole.succeeded, whole.said
    assert mutated.succeeded, mutated.said


def test_all_guards_are_in_the_table(results: Results, tell: Callable[[str], None]) -> None:
    """Last: it tells what came of all that were run before it."""
    tell(f"\n{table(results.values())}")
