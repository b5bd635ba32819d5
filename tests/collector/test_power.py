"""Power that goes: what was answered is there when it is back, whatever was not fsynced."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from collecting import LONG, assert_balanced, collecting, landed_ids
from losing_disk import mixed
from planted_faults import FAULTS
from processes import run_script

from loaders.home import Home

SCRIPT = Path(__file__).with_name("power_cuts.py")
CUTS = int(os.environ.get("ASSAY_CUTS") or (300 if LONG else 4))
# One of each kind; the others with ASSAY_LONG=1.
USUAL = [
    "answers before it stores",
    "commits with synchronous normal",
    "forgets the folder of the spool",
    "leaves an old log behind",
    "lands without fsync of names",
]


@pytest.mark.timeout(7200)
def test_what_was_answered_survives(dice: random.Random, tmp_path: Path):
    """ASSAY_CUTS says how often. In the last state, `assay collect` itself goes on."""
    result = run_script(SCRIPT, tmp_path, dice.randrange(2**32), CUTS)
    assert result.returncode == 0
    assert " 0 lost, 0 twice" in result.stdout
    home, answered = Home(tmp_path / "home"), (tmp_path / "answered").read_text().split()
    with collecting(home) as collector:
        collector.drained()
        assert collector.stop() == 0
    assert set(answered) <= set(landed_ids(home))
    assert_balanced(home)


@pytest.mark.timeout(7200)
def test_faults_are_found_out(dice: random.Random, tmp_path: Path):
    faults = list(FAULTS) if LONG else USUAL
    result = run_script(SCRIPT, tmp_path, dice.randrange(2**32), 60, *faults)
    assert result.returncode == 0
    assert result.stdout.count("found out") == len(faults)


def test_a_file_is_torn_at_sectors_only(dice: random.Random):
    """Each of them is the old one, or the new one, or was never written."""
    old, new = dice.randbytes(dice.randrange(9_000)), dice.randbytes(dice.randrange(9_000))
    seen = set()
    for _ in range(300):
        torn = mixed(old, new, dice)
        seen.add(torn)
        assert len(torn) <= max(len(old), len(new))
        for at in range(0, len(torn), 512):
            sector = torn[at : at + 512]
            choices = [data[at : at + 512].ljust(512, b"\0") for data in (old, new)]
            assert any(choice.startswith(sector) for choice in choices)
    assert len(seen) > 50
