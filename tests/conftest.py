"""Fixtures that every suite shares: homes, a built demo, and dbt as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from loaders.demo import write_demo
from loaders.home import Home, init_home
from loaders.landing.batches import land_file

PROJECT = Path(__file__).resolve().parent.parent
DEMO_EVENTS = int(os.environ.get("ASSAY_TEST_DEMO_EVENTS", "40000"))
DEMO_END = datetime(2026, 6, 1, tzinfo=UTC)

Dbt = Callable[..., subprocess.CompletedProcess[str]]


def run_dbt(
    home: Home | Path, *arguments: str, check: bool = True, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run dbt against a home, with its artifacts and logs inside that home."""
    path = home.path if isinstance(home, Home) else home
    result = subprocess.run(
        [str(Path(sys.executable).with_name("dbt")), "--no-use-colors", *arguments],
        cwd=PROJECT,
        env={**os.environ, **dbt_environment(path), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if check and result.returncode != 0:
        raise AssertionError(f"dbt {' '.join(arguments)} failed:\n{result.stdout[-4000:]}")
    return result


def dbt_environment(home: Path) -> dict[str, str]:
    """Where dbt finds the home, and where it puts what it writes."""
    return {
        "ASSAY_HOME": str(home),
        "DBT_TARGET_PATH": str(home / "target"),
        "DBT_LOG_PATH": str(home / "logs"),
    }


@dataclass(frozen=True)
class Demo:
    """A home in which the demo was landed and built. Read it; make your own to change one.

    Files and key are those of the attempts.
    """

    home: Home
    files: list[Path]
    key: dict[str, Any]
    deposits: dict[str, Any]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A fresh home."""
    return init_home(tmp_path / "home")[0]


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The demo, landed and built once for the whole session."""
    made, _ = init_home(tmp_path_factory.mktemp("demo") / "home")
    folder = made.path / "demo"
    write_demo(folder, DEMO_EVENTS, 7, DEMO_END)
    files = sorted(folder.glob("attempts-*"))
    for file in files:
        land_file(made, "attempts", file)
    for file in sorted(folder.glob("deposit_attempts-*")):
        land_file(made, "deposit_attempts", file)
    run_dbt(made, "build")
    key = json.loads((folder / "answer_key.json").read_text(encoding="utf-8"))
    return Demo(made, files, key["attempts"], key["deposit_attempts"])
