"""What a run of the crash test says of itself, as a page of the documentation."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

from conftest import PROJECT

REPORT = PROJECT / "docs" / "collector-crash-report.md"
_SAYS = (
    "Written by `tests/collector/test_crash.py` with `ASSAY_LONG=1`, which says how it is done; "
    "`make test-long` writes it anew. `ASSAY_KILLS`, `ASSAY_EVENTS` and `ASSAY_SECONDS` bound a "
    "run, `ASSAY_SEED` repeats its dice."
)


def write_report(facts: dict[str, str]) -> None:
    """Write the page; the facts come in their order."""
    rows = [f"| {name} | {value} |" for name, value in facts.items()]
    lines = ["# The collector, killed again and again", "", _SAYS, "", "| | |", "|---|---|", *rows]
    REPORT.write_text("\n".join(lines) + "\n", encoding="utf-8")


def machine(folder: Path) -> str:
    """The machine and the file system of a folder, in words that say nothing of its owner."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    return (
        f"{os.cpu_count()} processors ({cpu[1] if cpu else platform.machine()}), {memory} GiB, "
        f"{file_system(folder)}, Linux {platform.release().split('-')[0]}, "
        f"Python {platform.python_version()}"
    )


def file_system(folder: Path) -> str:
    """The type of the file system that a folder is on: of the longest mount point above it."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    above = [(place, kind) for _, place, kind, *_ in mounts if folder.is_relative_to(place)]
    return max(above, key=lambda mount: len(mount[0]))[1]
