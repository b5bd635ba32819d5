"""Refresh a home again and again, each time killed elsewhere: what test_killed_refreshes.py runs.

    python killed_refreshes.py FOLDER

FOLDER/first and FOLDER/rest are files of attempts. The home is always FOLDER/home, put back to how
it was before each attempt: the first file is published, the rest has landed. Prints a JSON object
per attempt: where it was killed, and what is there once the next refresh is done.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "faults"))
from steps import stop_before

from loaders.gold import dbt_run, publish
from loaders.gold import refresh as refreshing
from loaders.gold.dbt_run import Running
from loaders.gold.warm import WarmDbt
from loaders.home import Home, bronze_reader, init_home
from loaders.landing.batches import land_file

LONG = os.environ.get("ASSAY_LONG") == "1"
STRIDE = 1 if LONG else 17
# A build is killed when one of these is done: silver has half of what arrived; gold has half. Dbt
# is killed too, or left alone.
HALF_SILVER, HALF_GOLD = "int_access__duplicates", "attempts_hourly"
KILLS = [(HALF_GOLD, False)] + [(HALF_SILVER, False), (HALF_SILVER, True)] * LONG
# What is built in a long run alone.
OTHERS = [f"path:models/{of}" for of in ("*/platform", "*/metrics")]
# When a row was computed, and what a mart says of the runs themselves.
COMPUTED_AT = {"updated_at", "failed_runs"}


def in_child(work: Callable[[], None]) -> int:
    """Do something in a process, and a process group, of its own. Returns how it ended."""
    child = os.fork()
    if child == 0:
        os.setsid()
        code = 1
        with contextlib.suppress(BaseException):
            work()
            code = 0
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def seen(home: Home) -> dict[str, Any]:
    """What is published, as a digest; every run with its end; and what was left behind."""
    digest, rows = hashlib.sha256(), 0
    with duckdb.connect(str(home.published_file), read_only=True) as reader:
        marts = reader.execute("select view_name from duckdb_views() where schema_name = 'gold'")
        for (mart,) in sorted(marts.fetchall()):
            # Of the runs themselves, those that were killed too.
            if mart in ("pipeline_health", "system_health_hourly"):
                continue
            columns = [c[0] for c in reader.execute(f"describe gold.{mart}").fetchall()]
            kept = ", ".join(c for c in columns if c not in COMPUTED_AT)
            found = reader.execute(f"select {kept} from gold.{mart} order by all").fetchall()
            digest.update(repr((mart, found)).encode())
            rows += len(found)
    with bronze_reader(home) as bronze:
        runs = bronze.execute(
            "select stage, status, error_code from bronze.pipeline_runs order by started_at"
        ).fetchall()
    left = [*home.path.glob("runs/*"), *home.published.glob(".new/*"), *home.path.glob("*.new")]
    left += [*home.bronze.glob(".staging/*"), *home.bronze.glob(".committed/*")]
    names = [str(path.relative_to(home.path)) for path in left]
    return {"gold": digest.hexdigest(), "rows": rows, "runs": runs, "left": names}


def said_nothing(*_: object) -> contextlib.AbstractContextManager[Running]:
    """A dbt that finds nothing to do: the build was done before."""
    return contextlib.nullcontext(Running([], lambda: 0))


def main(folder: Path) -> None:
    """Attempt after attempt."""
    home = Home(folder / "home")
    publish.GRACE_SECONDS = 0
    init_home(home.path)
    os.environ["DBT_TARGET_PATH"] = str(folder / "target")
    os.environ["DBT_LOG_PATH"] = str(folder / "logs")
    warm = WarmDbt(home)

    def models_only(home: Home, arguments: list[str]) -> Any:
        unneeded = ["test", "seed"] if home.warehouse.exists() else ["test"]
        less = [] if LONG else ["--exclude", *OTHERS]
        kinds = [f"--exclude-resource-type={name}" for name in unneeded]
        return warm(home, [*arguments, *kinds, *less])

    def put_back(name: str) -> None:
        shutil.rmtree(home.path)
        shutil.copytree(folder / name, home.path, symlinks=True)

    def told(where: str, ended: int, again: int, **more: Any) -> None:
        facts = {"where": where, "ended": ended, "again": again, **more}
        print(json.dumps(facts | seen(home)), flush=True)

    def whole() -> None:
        refreshing.refresh(home, dbt=models_only)

    def published_only() -> None:
        refreshing.refresh(home, dbt=said_nothing)

    land_file(home, "attempts", folder / "first")
    assert in_child(whole) == 0
    told("first", 0, 0)
    land_file(home, "attempts", folder / "rest")
    shutil.copytree(home.path, folder / "landed", symlinks=True)
    told("undisturbed", in_child(whole), 0)
    told("twice", in_child(whole), 0)
    put_back("landed")

    for node, is_orphaned in KILLS:
        put_back("landed")
        ended = in_child(partial(killed_in_build, whole, node, is_orphaned))
        told(f"{node}{', dbt left alone' * is_orphaned}", ended, in_child(whole))

    # Built, not published, and its run not recorded yet: from here each step is cheap.
    put_back("landed")
    ended = in_child(lambda: killed_after_build(whole))
    shutil.copytree(home.path, folder / "built", symlinks=True)
    number = 0
    while ended:
        number += STRIDE
        put_back("built")
        reading, writing = os.pipe()
        os.set_inheritable(writing, True)
        ended = in_child(partial(killed_at, published_only, number, home, writing))
        os.close(writing)
        with os.fdopen(reading) as pipe:
            step = pipe.read()
        told(f"step {number}", ended, in_child(published_only), step=step)


def killed_in_build(work: Callable[[], None], node: str, is_orphaned: bool) -> None:
    """Kill -9 when a node is done: dbt too, or it is left alone."""
    read = dbt_run._event

    def watched(line: str) -> dict[str, Any]:
        event = read(line)
        if event.get("status") and event["node"] == node:
            os.kill(os.getpid() if is_orphaned else 0, signal.SIGKILL)
        return event

    dbt_run._event = watched
    work()


def killed_after_build(work: Callable[[], None]) -> None:
    """Kill -9 when dbt is done, and nobody has said so."""
    run = refreshing.run_dbt

    def run_and_end(*arguments: Any) -> None:
        run(*arguments)
        os.killpg(0, signal.SIGKILL)

    refreshing.run_dbt = run_and_end
    work()


def killed_at(work: Callable[[], None], number: int, home: Home, report: int) -> None:
    """Kill -9 before the n-th change of the home."""
    stop_before(number, "kill", home.path, report)
    work()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
