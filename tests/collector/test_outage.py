"""Bronze that is away for a day: all waits, within bounds, and lands once when it is back."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from collecting import LONG
from processes import run_script

SCRIPT = Path(__file__).with_name("outage_run.py")
REQUESTS, EVENTS = (60, 200) if LONG else (1, 20)  # in an hour, and of a request


@pytest.mark.timeout(3600)
def test_bronze_is_away_for_a_day(dice: random.Random, tmp_path: Path):
    result = run_script(SCRIPT, tmp_path, dice.randrange(2**32), REQUESTS, EVENTS)
    assert result.returncode == 0
    assert result.stdout.count("wrong: {") == 3
