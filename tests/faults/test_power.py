"""Power that goes while a file lands, or while small files are merged: nothing is gone or twice."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from processes import run_script

LONG = os.environ.get("ASSAY_LONG") == "1"
HERE = Path(__file__).parent


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("script", "cuts"), [("landing_power_cuts", 4), ("compact_power_cuts", 2)])
def test_all_is_whole(script: str, cuts: int, dice: random.Random, tmp_path: Path):
    """With ASSAY_LONG=1, before every step."""
    path = HERE / f"{script}.py"
    result = run_script(path, tmp_path, dice.randrange(2**32), 0 if LONG else cuts)
    assert result.returncode == 0
    assert "all is whole" in result.stdout


@pytest.mark.parametrize(
    ("script", "cuts", "told"),
    [
        ("landing_power_cuts", 1, "what was landed is gone"),
        ("compact_power_cuts", 0, "rows are gone, or there twice"),
    ],
)
def test_what_is_not_fsynced_is_found_out(
    script: str, cuts: int, told: str, dice: random.Random, tmp_path: Path
):
    result = run_script(HERE / f"{script}.py", tmp_path, dice.randrange(2**32), cuts, "careless")
    assert told in result.stderr
