"""Run the suites that CI runs, each against its time budget, and print how long they took.

    python tests/run_suites.py [SUITE ...]

Exits with 1 when a suite fails. A suite over its budget is marked, not failed: machines differ.
What the failed steps printed last comes once more at the end, where a cut log still shows it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import textwrap
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
CACHE = PROJECT / ".cache"
SQL_FOLDERS = [PROJECT / name for name in ("models", "tests/singular", "analyses")]
# One macro writes the SQL of each fact: it is read for the facts of one domain.
ONE_MACRO = "models/gold/metrics/metric_time_series.sql"
LINES_OF_A_COMPLAINT = 40
# What is imported is compiled once, and not by each of a thousand processes.
INHERITED = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
PROCESSES = 2  # of a step that can use more than one
# Where the suites find what one of them made; gone when this process is.
SHARED = tempfile.TemporaryDirectory(prefix="suites-")


# What the failed steps printed last.
complaints: list[str] = []


def run(*command: str | Path, **environment: str) -> bool:
    """Run a command at the project's root. Says whether it succeeded."""
    words = [str(word) for word in command]
    shown = textwrap.shorten(f"$ {' '.join(words).replace(str(BIN) + '/', '')}", 200)
    print(shown, flush=True)
    last: deque[str] = deque([shown + "\n"], maxlen=LINES_OF_A_COMPLAINT)
    with subprocess.Popen(
        words,
        cwd=PROJECT,
        env={**INHERITED, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout
        for line in process.stdout:
            print(line, end="", flush=True)
            last.append(line)
    if process.returncode:
        complaints.append("".join([*last, f"exit code {process.returncode}\n"]))
    return not process.returncode


def lint() -> bool:
    """Style, types, SQL and the rules of the dbt project. What wants one core runs beside it."""
    sqlfluff = (BIN / "sqlfluff", "lint", "--disable-progress-bar")
    files = [file for folder in SQL_FOLDERS for file in sorted(folder.rglob("*.sql"))]
    files.remove(PROJECT / ONE_MACRO)
    names = [file.relative_to(PROJECT) for file in files]
    beside = [
        (BIN / "ruff", "check", "."),
        (BIN / "ruff", "format", "--check", "."),
        (BIN / "mypy",),
        (BIN / "assay", "init"),
        (*sqlfluff, ONE_MACRO),
    ]
    steps = [
        (BIN / "assay", "init"),
        (BIN / "dbt", "--quiet", "seed"),
        (BIN / "dbt-bouncer", "run"),
        (*sqlfluff, f"--processes={PROCESSES}", *names),
    ]
    with ThreadPoolExecutor() as threads:
        lanes = [
            threads.submit(run_in, CACHE / "lint-one-macro", beside, ASSAY_DOMAINS="access"),
            # Where dbt-bouncer looks for the manifest.
            threads.submit(run_in, CACHE / "lint", steps, DBT_TARGET_PATH=str(PROJECT / "target")),
        ]
        return all([lane.result() for lane in lanes])


def run_in(folder: Path, steps: Sequence[tuple[str | Path, ...]], **environment: str) -> bool:
    """Run steps one after another, with a home and artifacts of their own."""
    own = {
        "ASSAY_HOME": str(folder / "home"),
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
    }
    return all([run(*step, **{**own, **environment}) for step in steps])


def pytest(*folders: str) -> Callable[[], bool]:
    """Run the tests below some folders, some files at once, on one demo for all suites."""
    at_once = [f"--numprocesses={PROCESSES}", "--dist=loadfile", "--no-loadscope-reorder"]
    return lambda: run(
        BIN / "pytest", *folders, *at_once, "--durations=20", ASSAY_TEST_SHARED=SHARED.name
    )


# name: (budget in seconds, what to run)
SUITES: dict[str, tuple[int, Callable[[], bool]]] = {
    "lint": (190, lint),
    "loaders and faults": (390, pytest("tests/loaders", "tests/faults")),
    "collector and client": (160, pytest("tests/collector", "tests/client")),
    # Together: each has some files that take minutes, beside which the others are run.
    "marts, privacy and publishing": (
        1350,
        pytest("tests/dbt", "tests/parity", "tests/privacy", "tests/readme", "tests/publish"),
    ),
    "reports, dashboards and the rest": (
        150,
        pytest(
            "tests/reports",
            "tests/metabase",
            "tests/audit",
            "tests/retention",
            "tests/benchmarks",
        ),
    ),
}


def main(wanted: list[str]) -> int:
    """Run the wanted suites, all where none is named."""
    rows = [("install", 80, _install_seconds(), True)]
    for name in wanted or SUITES:
        budget, suite = SUITES[name]
        print(f"\n=== {name}", flush=True)
        begun = time.monotonic()
        succeeded = suite()
        rows.append((name, budget, time.monotonic() - begun, succeeded))
    print(f"\n{'suite':<36}{'seconds':>9}{'budget':>9}")
    for name, budget, seconds, succeeded in rows:
        late = "  over budget" if seconds > budget else ""
        print(f"{name:<36}{seconds:>9.0f}{budget:>9}{late}{'' if succeeded else '  FAILED'}")
    print(f"{'total':<36}{sum(row[2] for row in rows):>9.0f}{sum(row[1] for row in rows):>9}")
    failed = sum(not row[3] for row in rows)
    print(f"suites: {len(rows) - failed} passed, {failed} failed")
    for complaint in complaints:
        print(f"\n--- failed\n{complaint}", end="")
    return 1 if failed else 0


def _install_seconds() -> float:
    """How long `make setup` took, as it noted."""
    noted = next(iter((PROJECT / ".venv").glob("ready-*")), None)
    return float(noted.read_text() or 0) if noted else 0.0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
