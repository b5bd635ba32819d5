"""What every section of the benchmark uses: its size and folder, and commands that are measured."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ASSAY = Path(sys.executable).with_name("assay")
# Small itself: a child begins with the peak of its parent.
_MEASURE = (
    "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:]); "
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(code)"
)


@dataclass(frozen=True, slots=True)
class Bench:
    """A run: how many events, where, and the Python of the peers' environment, if there is one.

    Sections leave homes in the folder for those that come later.
    """

    events: int
    folder: Path
    peers: Path | None = None

    @property
    def turns(self) -> int:
        """How often what takes long is done: once, where the size only shows that it runs."""
        return 3 if self.events >= 50_000 else 1

    def say(self, line: str) -> None:
        print(f"  {line}", flush=True)


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def command(*words: str | Path) -> tuple[float, float]:
    """Seconds that a command takes, and the most MiB that one of its processes had."""
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ),
    )
    took = time.monotonic() - begun
    if done.returncode:
        raise RuntimeError(f"{Path(words[0]).name} {words[1]} failed: {done.stderr[-500:]}")
    return took, int(done.stdout.split()[-1]) / 1024
