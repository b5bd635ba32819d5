"""Fixtures that every suite shares: homes, a built demo, and dbt as a user runs it."""

from __future__ import annotations

import json
import os
import random
import secrets
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from forked_dbt import dbt

from loaders.demo import write_demo
from loaders.home import Home, init_home
from loaders.landing.batches import land_file
from loaders.leases import leased

PROJECT = Path(__file__).resolve().parent.parent
DEMO_EVENTS = int(os.environ.get("ASSAY_TEST_DEMO_EVENTS", "40000"))
DEMO_END = datetime(2026, 6, 1, tzinfo=UTC)

LONGEST_FILES = 20  # of a suite, which are worth a look
# For what has a shorter sibling that runs always.
LONG_ALONE = pytest.mark.skipif(
    os.environ.get("ASSAY_LONG") != "1", reason="takes long: with ASSAY_LONG=1"
)
# For builds that need not test once more what is tested elsewhere.
MODELS_ONLY = ("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")


def run_dbt(
    home: Home | Path, *arguments: str, check: bool = True, **environment: str
) -> CompletedProcess[str]:
    """Run dbt against a home, with its artifacts and logs inside that home."""
    path = home.path if isinstance(home, Home) else home
    whole = {**os.environ, **dbt_environment(path), **environment}
    result = dbt(["--no-use-colors", *arguments], PROJECT, whole)
    if check and result.returncode != 0:
        raise AssertionError(f"dbt {' '.join(arguments)} failed:\n{result.stdout[-4000:]}")
    return result


def dbt_environment(home: Path) -> dict[str, str]:
    """Where dbt finds the home, and where it puts what it writes.

    Unit tests bring their own rows and ask nothing of a home: the build of the demo runs them.
    """
    return {
        "DBT_EXCLUDE_RESOURCE_TYPES": "unit_test",
        "ASSAY_HOME": str(home),
        "DBT_TARGET_PATH": str(home / "target"),
        "DBT_LOG_PATH": str(home / "logs"),
    }


@dataclass(frozen=True)
class Demo:
    """A home in which the demo was landed and built, and which other processes read as well.

    Read it; take a copy to change it, or to run dbt, which wants the warehouse for itself. Files
    and key are those of the attempts.
    """

    home: Home
    files: list[Path]
    key: dict[str, Any]
    deposits: dict[str, Any]
    events: dict[str, Any]


@pytest.fixture
def tell(record_property: Callable[[str, str], None]) -> Callable[[str], None]:
    """Says a figure that is worth reading when the test passes too: it is shown at the end."""
    return lambda line: record_property("told", line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what tests told, from whichever process they ran in, and which files take longest."""
    seconds: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                seconds[report.nodeid.partition("::")[0]] += report.duration
            if getattr(report, "when", None) == "call":
                for name, line in report.user_properties:
                    if name == "told":
                        terminalreporter.write_line(f"{report.nodeid}: {line}")
    for file, taken in seconds.most_common(LONGEST_FILES) if len(seconds) > LONGEST_FILES else ():
        terminalreporter.write_line(f"{taken:6.0f}s {file}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long come first: begun last, they would keep everybody waiting."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture
def dice() -> random.Random:
    """Randomness of a printed seed. ASSAY_SEED repeats one."""
    return _dice()


@pytest.fixture(scope="module")
def dice_of_module() -> random.Random:
    """The same for what all tests of a file look at."""
    return _dice()


def _dice() -> random.Random:
    seed = int(os.environ.get("ASSAY_SEED") or secrets.randbelow(2**32))
    print(f"ASSAY_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A fresh home."""
    return init_home(tmp_path / "home")[0]


@pytest.fixture(scope="module")
def access_alone() -> Iterator[None]:
    """Builds of one domain: enough for what is true of all, and three times as quick."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_DOMAINS", "access")
        yield


@pytest.fixture(scope="module")
def artifacts() -> Iterator[None]:
    """For who looks at all that dbt writes: its JSON artifacts, and each statement in the log."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DBT_WRITE_JSON", "true")
        patch.setenv("DBT_LOG_LEVEL_FILE", "debug")
        yield


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The demo, landed and built once, whichever process of the run wants it first."""
    folder = shared_folder(tmp_path_factory) / "demo"
    made, done = Home(folder / "home"), folder / "done"
    with leased(folder):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)  # what a process left that failed
            build_demo(made)
            done.touch()
    files = sorted((made.path / "demo").glob("attempts-*"))
    key = json.loads((made.path / "demo" / "answer_key.json").read_text(encoding="utf-8"))
    return Demo(made, files, key["attempts"], key["deposit_attempts"], key["platform_events"])


def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that is the same for all processes of a run."""
    if given := os.environ.get("ASSAY_TEST_SHARED"):
        return Path(given)
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


def build_demo(home: Home) -> None:
    """Write the demo into a new home, land it and build it, with all tests there are."""
    init_home(home.path)
    folder = home.path / "demo"
    write_demo(folder, DEMO_EVENTS, 7, DEMO_END)
    tables = ("attempts", "deposit_attempts", "platform_events", "claim_events", "fx_rates")
    tables += ("data_subject_requests", "fraud_decisions", "fraud_outcomes", "fraud_attributions")
    tables += ("experiments", "replay_scenarios")
    for table in tables:
        for file in sorted(folder.glob(f"{table}-*")):
            land_file(home, table, file)
    whole = {"DBT_EXCLUDE_RESOURCE_TYPES": "", "ASSAY_DOMAINS": "", "DBT_WRITE_JSON": "true"}
    run_dbt(home, "build", **whole)
