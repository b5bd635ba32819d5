"""Dbt as a process of its own, forked from one that has imported it and has read the project.

That is eight seconds of work less for a home that is new, three for one that is not. Nothing else
is shared: arguments, environment, folder, output and exit code are those of the command. But for
its JSON artifacts, another second: who reads them says DBT_WRITE_JSON=true. What needs
another project, other variables or another target is the command itself: the parser of dbt waits
for ever in a fork of a process in which it ran.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from functools import cache
from multiprocessing import forkserver
from pathlib import Path
from subprocess import CompletedProcess
from unittest import mock

from loaders.gold.dbt_child import run_and_exit

_FORKS = multiprocessing.get_context("forkserver")
_DBT = Path(sys.executable).with_name("dbt")
_KNOWN = {"build", "run", "test", "seed", "run-operation", "compile"}
_OF_ANOTHER = {"--vars", "--target", "--project-dir", "--profiles-dir"}


def dbt(arguments: list[str], folder: Path, environment: dict[str, str]) -> CompletedProcess[str]:
    """Run `dbt ARGUMENTS` in a folder, with this environment and no other."""
    command = next(word for word in arguments if not word.startswith("-"))
    if command not in _KNOWN or _OF_ANOTHER & set(arguments):
        words = [str(_DBT), *arguments]
        return subprocess.run(
            words, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
    _begin()
    with tempfile.TemporaryDirectory(prefix="dbt-") as aside:
        out, err = Path(aside, "out"), Path(aside, "err")
        process = _FORKS.Process(target=_run, args=(arguments, folder, environment, out, err))
        process.start()
        process.join()
        texts = [file.read_text(encoding="utf-8", errors="replace") for file in (out, err)]
    return CompletedProcess(["dbt", *arguments], process.exitcode or 0, *texts)


@cache
def _begin() -> None:
    """Start the process that runs are forked from; it finds modules by its environment."""
    _FORKS.set_forkserver_preload(["parsed_project", "dbt.task.build"])
    here = str(Path(__file__).parent)
    paths = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
    with mock.patch.dict(os.environ, PYTHONPATH=paths):
        forkserver.ensure_running()


def _run(
    arguments: list[str], folder: Path, environment: dict[str, str], out: Path, err: Path
) -> None:
    for file, number in ((out, 1), (err, 2)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), number)
    os.environ.clear()
    os.environ.update({"DBT_WRITE_JSON": "false", **environment})
    os.chdir(folder)
    sys.argv = ["dbt", *arguments]
    from parsed_project import manifest_of  # noqa: PLC0415 - importing it reads the project

    domains = environment.get("ASSAY_DOMAINS", "")
    manifest = manifest_of(environment["ASSAY_HOME"], domains)
    run_and_exit(arguments, manifest, is_telling=False)
