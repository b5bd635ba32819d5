"""Processes that tests run: scripts beside them, and forks that may end where they stand."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

# What landing loads when it needs it: loaded before a fork, it is not loaded in every child.
_LOADED_LATE = ("pandas", "pyarrow.dataset")


def run_script(script: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a script that may import what tests share. What it printed is shown if the test fails."""
    paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    result = subprocess.run(
        [sys.executable, str(script), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True,
        text=True,
        check=False,
    )
    print(result.stdout, result.stderr[-3000:])
    return result


def in_child(do: Callable[[], Any]) -> dict[str, Any]:
    """Do it in a process of its own, and return what it told, or the dict it returned.

    Who calls this must have no threads. Raises SystemExit where the process failed.
    """
    for name in _LOADED_LATE:
        importlib.import_module(name)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writing, sys.stdout.fileno())
        try:
            result = do()
            tell(result if isinstance(result, dict) else {})
        finally:
            traceback.print_exc()
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading) as said:
        text = said.read()
    _, status = os.waitpid(child, 0)
    if status:
        raise SystemExit("a process failed")
    return dict(json.loads(text))


def tell(facts: dict[str, Any]) -> None:
    """Say it to the parent, and be gone as if the power was."""
    os.write(sys.stdout.fileno(), json.dumps(facts).encode())
    os._exit(0)
