"""Dbt for a refresh in the process of a test, forked as all dbt of the tests is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from conftest import run_dbt

from loaders.gold.dbt_run import Running
from loaders.home import Home


@contextlib.contextmanager
def forked(home: Home, arguments: list[str]) -> Iterator[Running]:
    """In the place of a process that is begun for the run."""
    done = run_dbt(home, *arguments, "--log-format", "json", check=False)
    yield Running(done.stdout.splitlines(), lambda: done.returncode, is_watched=False)
