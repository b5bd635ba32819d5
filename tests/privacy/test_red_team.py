"""R1 to R20: every attack fails on the real gold, and succeeds on a twin that is sabotaged.

`make red-team` shows the table. An attack that is open succeeds on the real gold too, which is
known and said; once it does not, it must be declared so.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Demo
from red_team import ATTACKS
from red_team.attacks import NUMBERS, Attack, Finding, Scene, table

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("artifacts")]

Results = dict[str, tuple[Attack, Finding | None, Finding | None]]


@pytest.fixture(scope="module")
def results() -> Iterator[Results]:
    yield {}


@pytest.mark.parametrize("tried", ATTACKS, ids=lambda tried: tried.name)
def test_an_attack(
    tried: Attack, demo: Demo, tmp_path: Path, dice: random.Random, results: Results
) -> None:
    def target(which: str) -> Scene:
        folder = tmp_path / which
        folder.mkdir()
        return Scene(demo, folder, dice)

    results[tried.name] = (tried, None, None)
    twin = tried.run(tried.twin(target("twin")))
    results[tried.name] = (tried, None, twin)
    real = tried.run(tried.real(target("real")))
    results[tried.name] = (tried, real, twin)
    assert twin.succeeded, "an attack that succeeds on no twin proves nothing"
    assert real.succeeded == bool(tried.open), real.said


def test_all_twenty_are_in_the_table(
    results: Results, tell: Callable[[str], None], request: pytest.FixtureRequest
) -> None:
    """Last: it tells what came of all that were run before it."""
    tell(f"\n{table(results.values())}")
    assert {tried.number for tried in ATTACKS} == set(NUMBERS)
