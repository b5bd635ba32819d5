"""Some domains without the others: everything that is built builds, as the README says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import LONG_ALONE, MODELS_ONLY, PROJECT, dbt_environment

from loaders.home import Home

SHOWN = ["access", "engagement", "engagement,gaming", "claims,access", "fraud,access"]
# Most tests build access alone.
TRIED = ["engagement,gaming"]


def test_the_readme_shows_these():
    """What is shown there is tried here."""
    (line,) = re.findall(r"`export ASSAY_DOMAINS=.*", (PROJECT / "README.md").read_text())
    words = re.findall(r"`(?:export ASSAY_DOMAINS=)?([a-z,]+)`", line)
    assert [word for word in words if word in SHOWN] == SHOWN


@pytest.mark.parametrize(
    "domains",
    [domains if domains in TRIED else pytest.param(domains, marks=LONG_ALONE) for domains in SHOWN],
)
def test_domains_build_without_the_others(domains: str, home: Home):
    """In a home in which nothing has landed: all models, which read no model of another domain."""
    # In a process of its own: dbt cannot read a project in a fork of one that has read another.
    dbt = [Path(sys.executable).with_name("dbt"), "--quiet", "build", *MODELS_ONLY]
    environment = {**os.environ, **dbt_environment(home.path), "ASSAY_DOMAINS": domains}
    done = subprocess.run(
        dbt, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:]
