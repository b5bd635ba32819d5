"""Metabase's own command-line client reads what was applied from the stand-in.

It checks what it gets against schemas of its own, so that the stand-in is judged by somebody else.
In a long run, where the client is: `npm install @metabase/cli@0.3.1`, and ASSAY_METABASE_CLI names
its `mb`. It is under the AGPL, and no part of this project.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from applied import files, metabase, run
from conftest import LONG_ALONE
from metabase_standin import KEY, StandIn

from loaders.home import Home

__all__ = ["files", "metabase"]  # fixtures
CLIENT = os.environ.get("ASSAY_METABASE_CLI") or shutil.which("mb")
# How many of each a small dashboard with one alert and one subscription makes.
MADE = {"db": 1, "collection": 3, "card": 3, "dashboard": 1, "alert": 1, "subscription": 1}

pytestmark = [
    LONG_ALONE,
    pytest.mark.skipif(not CLIENT, reason="no mb here: set ASSAY_METABASE_CLI"),
]


def read(standin: StandIn, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(CLIENT), *words, "--json", "--url", standin.url, "--api-key", KEY],
        env={**os.environ, "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_client_reads_what_was_applied(
    metabase: StandIn, home: Home, files: Path, tmp_path: Path
):
    run("apply", home, files)
    assert metabase.violations == []
    for kind, number in MADE.items():
        done = read(metabase, tmp_path, kind, "list")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["total"] == number, kind
    for kind in ("card", "dashboard"):
        for one in metabase.of(kind):
            done = read(metabase, tmp_path, kind, "get", str(one["id"]))
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout)["name"] == one["name"]
    metabase.violations.clear()  # of the client, which is newer than the document


def test_the_client_refuses_what_is_wrong(
    metabase: StandIn, home: Home, files: Path, tmp_path: Path
):
    """A planted fault: without it the client might take anything."""
    run("apply", home, files)
    metabase.of("dashboard")[0]["dashcards"][0]["row"] = "zero"
    number = str(metabase.of("dashboard")[0]["id"])
    assert "row" in read(metabase, tmp_path, "dashboard", "get", number).stderr
    metabase.violations.clear()
