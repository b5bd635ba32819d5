"""Run dbt with progress, and turn its failure into one line."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
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


class DbtFailed(AssayError):
    """A run of dbt that did not end well, and how far it came."""

    def __init__(self, message: str, run: DbtRun) -> None:
        super().__init__(message)
        self.run = run


@dataclass(frozen=True, slots=True)
class Running:
    """A dbt at work: its events, a line of JSON each, and its exit code once there are no more.

    Progress is shown where it `is_watched`.
    """

    lines: Iterable[str]
    ended: Callable[[], int]
    is_watched: bool = True


# Starts dbt for a home with these arguments. It is gone when the block ends.
Dbt = Callable[[Home, list[str]], AbstractContextManager[Running]]


@contextlib.contextmanager
def new_process(home: Home, arguments: list[str]) -> Iterator[Running]:
    """Dbt as a process that is begun for this run, and that ends with who reads it."""
    command = [sys.executable, "-m", "loaders.gold.dbt_child", *arguments]
    environment = {**os.environ, "ASSAY_HOME": str(home.path.resolve())}
    with subprocess.Popen(  # noqa: S603 - our own interpreter's dbt
        command,
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        close_fds=False,  # while it lives, it has the turn too
    ) as process:
        try:
            yield Running(process.stdout or (), process.wait)
        finally:
            process.terminate()


def run_dbt(home: Home, arguments: list[str], dbt: Dbt = new_process) -> DbtRun:
    """Run `dbt ARGUMENTS` in a home, with progress.

    What macros log is printed at once, to standard error. Raises DbtFailed, which names the nodes
    that failed, or gives the reason for which a macro stopped the run.
    """
    label = f"dbt {arguments[0]}"
    run = DbtRun()
    with (
        dbt(home, arguments) as running,
        contextlib.ExitStack() as stack,
    ):
        advance: Advance | None = None
        for line in running.lines:
            event = _event(line)
            total = event.get("total")
            if event.get("note"):
                run.notes.append(event["note"])
                if not event["note"].startswith(_STOPPED):
                    print(event["note"], file=sys.stderr, flush=True)
            if advance is None and total:
                advance = (
                    stack.enter_context(progress(label, float(total)))
                    if running.is_watched
                    else lambda _: None
                )
            if event.get("status") and advance:
                run.nodes += 1
                advance(1)
                if str(event["status"]).lower() in _FAILED:
                    run.failed.append(str(event["node"]))
        code = running.ended()
    if code != 0:
        raise DbtFailed(_failure(label, run), run)
    return run


def _failure(label: str, run: DbtRun) -> str:
    for note in run.notes:
        if note.startswith(_STOPPED):
            return note.removeprefix(_STOPPED)
    what = ", ".join(run.failed[:5]) or "the project could not be read"
    return f"{label} failed: {what}. See logs/dbt.log; readers keep the last gold."


def _event(line: str) -> dict[str, Any]:
    """The few facts of an event of dbt that are shown. Texts of dbt may quote values: not these.

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
