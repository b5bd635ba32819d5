"""Power that goes while an emitter has events on disk: they are there when it is back."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from emitter_power_cuts import FAULTS
from processes import run_script

SCRIPT = Path(__file__).with_name("emitter_power_cuts.py")
CUTS = 5_000 if os.environ.get("ASSAY_LONG") == "1" else 60


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("faults", [[], list(FAULTS)], ids=["sound", "faulty"])
def test_what_was_spooled_survives(faults: list[str], dice: random.Random, tmp_path: Path):
    result = run_script(SCRIPT, tmp_path, dice.randrange(2**32), CUTS, *faults)
    assert result.returncode == 0
