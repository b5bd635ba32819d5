"""Power that goes while a file lands: the batch is there when it is back, or lands again, once."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from processes import run_script

SCRIPT = Path(__file__).with_name("landing_power_cuts.py")
CUTS = 0 if os.environ.get("ASSAY_LONG") == "1" else 4  # 0: before every step


@pytest.mark.timeout(3600)
def test_a_batch_survives(dice: random.Random, tmp_path: Path):
    result = run_script(SCRIPT, tmp_path, dice.randrange(2**32), CUTS)
    assert result.returncode == 0
    assert "all is whole" in result.stdout


def test_names_that_are_not_fsynced_are_found_out(dice: random.Random, tmp_path: Path):
    result = run_script(SCRIPT, tmp_path, dice.randrange(2**32), 1, "careless")
    assert "what was landed is gone" in result.stderr
