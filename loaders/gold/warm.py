"""Dbt that is warm: imported once, the project read once, and a child of this process per run.

A child begins with the manifest as it was read, and nothing that a run leaves in memory outlives
it. Other models or macros are seen after a restart; what seeds and bronze hold is read in each run.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
from collections.abc import Iterator

from loaders.errors import AssayError
from loaders.gold.dbt_run import Running
from loaders.home import Home
from loaders.project import PROJECT

FORK = multiprocessing.get_context("fork")


class WarmDbt:
    """Runs dbt for one home. Raises AssayError where the project cannot be read.

    Changes the environment and the folder of this process to those in which dbt runs.
    """

    def __init__(self, home: Home) -> None:
        from dbt.cli.main import dbtRunner  # noqa: PLC0415 - two seconds, for who keeps it

        os.environ["ASSAY_HOME"] = str(home.path.resolve())
        os.chdir(PROJECT)
        self._manifest = dbtRunner().invoke(["--quiet", "parse"]).result
        if self._manifest is None:
            raise AssayError("The project could not be read. See logs/dbt.log.")

    @contextlib.contextmanager
    def __call__(self, home: Home, arguments: list[str]) -> Iterator[Running]:
        reading, writing = os.pipe()
        process = FORK.Process(target=self._run, args=(arguments, reading, writing))
        process.start()
        os.close(writing)

        def ended() -> int:
            process.join()
            return process.exitcode or 0

        with os.fdopen(reading, encoding="utf-8") as lines:
            try:
                yield Running(lines, ended, is_watched=False)
            finally:
                process.kill()
                process.join()

    def _run(self, arguments: list[str], reading: int, writing: int) -> None:
        from loaders.gold.dbt_child import run_and_exit  # noqa: PLC0415 - as above

        gc.freeze()  # what was read is no garbage
        os.close(reading)
        os.dup2(writing, 1)
        # Its artifacts would be those of the project as it was read, each time.
        run_and_exit(["--no-write-json", *arguments], self._manifest)
