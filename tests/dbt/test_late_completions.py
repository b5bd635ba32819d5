"""What is completed later changes what is said of the day it was joined."""

from __future__ import annotations

import json
import random
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import MODELS_ONLY, run_dbt

from loaders.home import Home, init_home
from loaders.landing.batches import land_file

pytestmark = pytest.mark.slow

CHALLENGES = [
    "silver.int_engagement__published_challenge_steps",
    "gold.challenge_performance",
    "gold.challenge_performance_weekly",
]


def challenge_events(seed: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Steps of the last week of May, and what is completed and won of it in June.

    The second part has nothing of May, but changes what became of joins there.
    """
    dice = random.Random(seed)
    began = datetime(2026, 5, 25, tzinfo=UTC)
    parts: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
    for number in range(900):
        challenge = dice.choice(("alpha", "alpha", "beta"))
        at, later = 24 * dice.randrange(6) + dice.choice((9, 9, 15)), 24 * dice.randint(8, 12)
        steps = [("viewed", at, 0), ("joined", at + 1, 0)][: 1 + number % 2]
        if dice.random() < 0.3:
            steps.append(("completed", *dice.choice(((at + 1, 0), (at + later, 1)))))
        if dice.random() < 0.1:
            steps.append(("won", at + later, 1))
        person = f"person-{dice.randrange(90)}"
        for step, hours, part in steps:
            parts[part].append(
                {
                    "event_id": f"{step}-{number}",
                    "event_type": f"challenge.{step}",
                    "occurred_at": (began + timedelta(hours=hours)).isoformat(),
                    "user_id": person,
                    "payload": {
                        "challenge_id": challenge,
                        **({"rank": number % 3 + 1} if step == "won" else {}),
                    },
                }
            )
    return parts


def test_a_later_completion_changes_the_day_of_joining(tmp_path: Path) -> None:
    """Two batches built one after the other equal one build of both."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"steps in challenges made with seed {seed}")
    files = []
    for number, events in enumerate(challenge_events(seed)):
        files.append(tmp_path / f"events-{number}.jsonl")
        files[-1].write_text("".join(json.dumps(event) + "\n" for event in events))
    keys, _ = init_home(tmp_path / "keys")
    selected = ("+challenge_performance", "+challenge_performance_weekly")
    found = []
    for name, steps in {"whole": [files], "grown": [files[:1], files[1:]]}.items():
        home, _ = init_home(tmp_path / name)
        shutil.copy(keys.vault, home.vault)
        for step in steps:
            for file in step:
                result = land_file(home, "platform_events", file)
                assert result.accepted == result.received
            run_dbt(home, "build", "--select", *selected, *MODELS_ONLY)
            found.append(rows_of(home, CHALLENGES))
    expected, before, after = found
    differing = {table for table in CHALLENGES if after[table] != expected[table]}
    assert not differing, f"seed {seed}"
    joins = {row[0]: row for row in before[CHALLENGES[0]] if row[0].startswith("joined")}
    renewed = [row for row in after[CHALLENGES[0]] if row[0] in joins and row != joins[row[0]]]
    assert len(renewed) > 50
    assert all(len(expected[table]) > 1 for table in CHALLENGES)


def rows_of(home: Home, tables: list[str]) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of some tables, but for when they were computed and in which batch they came."""
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        return {
            table: warehouse.execute(
                "select columns(lambda c: c not in ('updated_at', 'labelled_at', 'batch_id')) "
                f"from {table} order by all"
            ).fetchall()
            for table in tables
        }
