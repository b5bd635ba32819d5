"""Dbt as a process of its own, forked from one that has imported it: two seconds of work less.

Nothing else is shared: arguments, environment, folder, output and exit code are those of the
command, and each process reads the project anew.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    ["dbt.cli.main", "dbt.task.build", "dbt.adapters.duckdb", "dbt.adapters.bigquery"]
)


def dbt(arguments: list[str], folder: Path, environment: dict[str, str]) -> CompletedProcess[str]:
    """Run `dbt ARGUMENTS` in a folder, with this environment and no other."""
    with tempfile.TemporaryDirectory(prefix="dbt-") as aside:
        out, err = Path(aside, "out"), Path(aside, "err")
        process = _FORKS.Process(target=_run, args=(arguments, folder, environment, out, err))
        process.start()
        process.join()
        texts = [file.read_text(encoding="utf-8", errors="replace") for file in (out, err)]
    return CompletedProcess(["dbt", *arguments], process.exitcode or 0, *texts)


def _run(
    arguments: list[str], folder: Path, environment: dict[str, str], out: Path, err: Path
) -> None:
    for file, number in ((out, 1), (err, 2)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), number)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["dbt", *arguments]
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager  # noqa: PLC0415 - imported
    from dbt.cli.main import cli  # noqa: PLC0415 - already

    try:
        cli(prog_name="dbt")
    finally:
        connections: Any = DuckDBConnectionManager
        connections.close_all_connections()  # which no fork does at its exit
