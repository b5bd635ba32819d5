"""Power that goes while files are merged: every row is there once when it is back."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from processes import run_script

SCRIPT = Path(__file__).with_name("compact_power_cuts.py")
CUTS = 0 if os.environ.get("ASSAY_LONG") == "1" else 2  # 0: before every step


@pytest.mark.timeout(3600)
def test_every_row_survives(dice: random.Random, tmp_path: Path):
    result = run_script(SCRIPT, tmp_path, dice.randrange(2**32), CUTS)
    assert result.returncode == 0
    assert "all is whole" in result.stdout


def test_a_switch_without_fsync_is_found_out(dice: random.Random, tmp_path: Path):
    result = run_script(SCRIPT, tmp_path, dice.randrange(2**32), 0, "careless")
    assert "rows are gone, or there twice" in result.stderr
