"""Programs of others, in an environment of their own: `peers.lock` has their versions.

Each script beside this file is run by that environment's Python, and prints one JSON object.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from measuring import Bench

MISSING = "not run: the peers' environment is not there"


def ask(bench: Bench, script: str, *arguments: object) -> dict[str, Any] | str:
    """What a script says, or why it says nothing. Its last words are shown where it fails."""
    if bench.peers is None:
        return MISSING
    done = subprocess.run(
        [bench.peers, Path(__file__).with_name(script), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{script}: {(done.stderr or done.stdout)[-1500:]}")
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    bench.say(f"{script}: {said}")
    return said


def versions(python: Path | None) -> dict[str, str]:
    """Which peers there are."""
    if python is None:
        return {}
    asked = (
        "import json; from importlib.metadata import version; "
        "print(json.dumps({'dlt': version('dlt'), 'SQLMesh': version('sqlmesh'), "
        "'DuckDB of the peers': version('duckdb')}))"
    )
    done = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))
