"""Readers of published gold while nothing happens, and while marts are built and published.

A reader is a process of its own that keeps one connection and asks 20 times a second. It shares the
machine with the build.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import duckdb
from figures import Row, Spread, at_most, number, percentile
from measuring import ASSAY, Bench, command
from publishing import HOME

from loaders.home import Home

IDLE_SECONDS, READERS, PAUSE = 10, 2, 0.05
QUERY = """
    select period_start, sum(attempts) as attempts, sum(errors) as errors
    from gold.attempts_hourly
    where action = 'signup'
    group by period_start
    order by period_start
"""

Read = tuple[list[float], int]


def section(bench: Bench) -> Iterator[Row]:
    """Rows of what readers wait, and of their errors."""
    home = Home(bench.folder / HOME / "home")
    os.environ["DBT_TARGET_PATH"] = str(bench.folder / HOME / "target")
    os.environ["DBT_LOG_PATH"] = str(bench.folder / HOME / "log")
    idle, idle_errors = _read_while(home, lambda: time.sleep(IDLE_SECONDS))
    during, errors = _read_while(
        home, lambda: command(ASSAY, "refresh", "hourly", "--home", home.path)
    )
    before, then = percentile(idle, 95), percentile(during, 95)
    yield Row(
        f"{READERS} readers, p95 during build and publish",
        f"idle p50 {number(percentile(idle, 50))} ms, p95 {number(before)} ms; "
        f"during p50 {number(percentile(during, 50))} ms, p95 {number(then)} ms",
        Spread.of(then / before),
        to="p95 while idle",
        goal=at_most(2),
    )
    yield Row(
        "errors of readers",
        f"of {len(idle) + len(during) + errors + idle_errors:,} queries",
        Spread.of(errors + idle_errors),
        "errors",
        goal=at_most(0),
    )


def _read_while(home: Home, work: Callable[[], object]) -> Read:
    """Milliseconds of each query while something is done, and how many failed."""
    over = home.path / "reading-is-over"
    over.unlink(missing_ok=True)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(READERS, mp_context=context) as pool:
        readers = [pool.submit(_read, home.published_file, over) for _ in range(READERS)]
        try:
            work()
        finally:
            over.touch()
        answers = [reader.result() for reader in readers]
    return [one for taken, _ in answers for one in taken], sum(failed for _, failed in answers)


def _read(file: Path, over: Path) -> Read:
    taken, errors = [], 0
    with duckdb.connect(str(file), read_only=True) as gold:
        gold.execute(QUERY).fetchall()
        while not over.exists():
            time.sleep(PAUSE)
            begun = time.perf_counter()
            try:
                gold.execute(QUERY).fetchall()
            except duckdb.Error:
                errors += 1
            else:
                taken.append(1000 * (time.perf_counter() - begun))
    return taken, errors
