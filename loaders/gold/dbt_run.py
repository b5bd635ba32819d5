"""Run dbt with progress, and turn its failure into one line."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loaders.errors import AssayError
from loaders.home import Home
from loaders.progress import Advance, progress
from loaders.project import PROJECT

_FAILED = {"error", "fail", "runtime error"}
_STOPPED = "Stopped: "


@dataclass(slots=True)
class DbtRun:
    """What came of a run: how many nodes ran, and what the project's macros said on the way."""

    nodes: int = 0
    failed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def run_dbt(home: Home, arguments: list[str]) -> DbtRun:
    """Run `dbt ARGUMENTS` in a home, with progress.

    What macros log is printed at once, to standard error. Raises AssayError, which names the nodes
    that failed, or gives the reason for which a macro stopped the run.
    """
    command = [str(Path(sys.executable).with_name("dbt")), *arguments, "--log-format", "json"]
    environment = {**os.environ, "ASSAY_HOME": str(home.path.resolve())}
    label = f"dbt {arguments[0]}"
    run = DbtRun()
    with (
        subprocess.Popen(  # noqa: S603 - our own interpreter's dbt
            command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True
        ) as process,
        contextlib.ExitStack() as stack,
    ):
        advance: Advance | None = None
        for line in process.stdout or ():
            event = _event(line)
            total = event.get("total")
            if event.get("note"):
                run.notes.append(event["note"])
                if not event["note"].startswith(_STOPPED):
                    print(event["note"], file=sys.stderr, flush=True)
            if advance is None and total:
                advance = stack.enter_context(progress(label, float(total)))
            if event.get("status") and advance:
                run.nodes += 1
                advance(1)
                if str(event["status"]).lower() in _FAILED:
                    run.failed.append(str(event["node"]))
    if process.returncode != 0:
        raise AssayError(_failure(label, run))
    return run


def _failure(label: str, run: DbtRun) -> str:
    for note in run.notes:
        if note.startswith(_STOPPED):
            return note.removeprefix(_STOPPED)
    what = ", ".join(run.failed[:5]) or "the project could not be read"
    return f"{label} failed: {what}. See logs/dbt.log; readers keep the last gold."


def _event(line: str) -> dict[str, Any]:
    """The few facts of a dbt log line that are shown. Texts of dbt may quote values: not these.

    What our own macros log is the exception; they know no values.
    """
    try:
        event = json.loads(line)
    except json.JSONDecodeError:
        return {}
    data = event.get("data", {})
    node = data.get("node_info", {})
    is_result = data.get("execution_time") is not None and data.get("status") is not None
    name = str(event.get("info", {}).get("name"))
    is_ours = name == "JinjaLogInfo"
    return {
        "total": None if name.startswith("LogHook") else data.get("total"),
        "status": data.get("status") if is_result else None,
        "node": node.get("node_name"),
        "note": data.get("msg") if is_ours else None,
    }
