"""What is heard of a message later changes what is said of the day it was sent."""

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

MESSAGES, DELIVERY = "silver.int_engagement__published_messages", "gold.notification_delivery"


def message_events(seed: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Messages of five days in two months, and what became of them, as it was heard of.

    The first part has sendings and first reports. The second has later reports, of which some say
    otherwise, reports about what nobody sent, and a sending whose reports are there already.
    """
    dice = random.Random(seed)
    began = datetime(2026, 5, 29, tzinfo=UTC)
    first: list[dict[str, Any]] = []
    second: list[dict[str, Any]] = []

    def event(step: str, name: str, hours: float, **payload: str) -> dict[str, Any]:
        return {
            "event_id": f"{step}-{name}-{hours}",
            "event_type": f"notification.{step}",
            "occurred_at": (began + timedelta(hours=hours)).isoformat(),
            "user_id": f"person-{hash_of(name) % 70}",
            "payload": {"notification_id": name, **payload},
        }

    for number in range(600):
        name, sent = f"m{number}", 24 * dice.randrange(5) + dice.choice((9, 9, 9, 15))
        channel = dice.choices(("email", "sms"), (3, 1))[0]
        (second if number % 50 == 7 else first).append(event("sent", name, sent, channel=channel))
        if dice.random() < 0.8:
            step = dice.choices(("delivered", "failed"), (9, 1))[0]
            first.append(event(step, name, sent + 1))
        if dice.random() < 0.2:
            step = dice.choice(("delivered", "failed"))
            second.append(event(step, name, sent + dice.choice((0.5, 1, 30))))
    second += [event("failed", f"unsent-{number}", 5) for number in range(20)]
    return first, second


def hash_of(name: str) -> int:
    """The same in every process."""
    return sum(ord(letter) * 31**place for place, letter in enumerate(name))


def test_a_later_report_changes_the_day_of_sending(tmp_path: Path) -> None:
    """Two batches built one after the other equal one build of both."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"messages made with seed {seed}")
    files = []
    for number, events in enumerate(message_events(seed)):
        files.append(tmp_path / f"events-{number}.jsonl")
        files[-1].write_text("".join(json.dumps(event) + "\n" for event in events))
    whole, _ = init_home(tmp_path / "whole")
    select = ["--select", "+notification_delivery", *MODELS_ONLY]
    found = []
    for name, steps in {"whole": [files], "grown": [files[:1], files[1:]]}.items():
        home, _ = init_home(tmp_path / name)
        if home != whole:
            shutil.copy(whole.vault, home.vault)
        for step in steps:
            for file in step:
                result = land_file(home, "platform_events", file)
                assert result.accepted == result.received
            run_dbt(home, "build", *select)
            found.append(messages_of(home))
    expected, before, after = found
    assert before[DELIVERY] != after[DELIVERY]
    assert after == expected, f"seed {seed}"
    assert len(expected[MESSAGES]) == 600
    assert len(expected[DELIVERY]) > 10


def messages_of(home: Home) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of the fact and its mart, but for when they were computed."""
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        return {
            table: warehouse.execute(
                f"select * exclude ({computed_at}) from {table} order by all"
            ).fetchall()
            for table, computed_at in {MESSAGES: "labelled_at", DELIVERY: "updated_at"}.items()
        }
