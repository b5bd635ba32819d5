"""The process that lands dies, or its collector does: what was answered is in bronze, once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from collecting import (
    LONG,
    PATIENCE,
    Collector,
    assert_balanced,
    collecting,
    event,
    landed_ids,
    rows,
    token,
)
from spooling import root_of, submission

from loaders import bronze
from loaders.collector.ranges import Ranges, _batch_id
from loaders.collector.spool import Spool
from loaders.collector.store import Range
from loaders.home import Home

KILLS = 60 if LONG else 3
# A collector that asks for a range to be landed, and says which process it has asked.
ASKING = """
import sys, threading
from pathlib import Path
from loaders.collector.landing_process import LandingProcess
from loaders.collector.store import Range
from loaders.home import Home
with LandingProcess(Home(Path(sys.argv[1]))) as landing:
    print(landing.pid, flush=True)
    landing.land(Path(sys.argv[2]), Range(1, "attempts", "web", 1, 3, sys.argv[3]), True)
    print("landed", flush=True)
"""


def children(pid: int) -> list[int]:
    of_threads = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for file in of_threads for child in file.read_text().split()]


def wait_until(holds: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)


def batches(home: Home) -> int:
    return len(list((home.bronze / "attempts").glob("*/*.parquet")))


def keep_posting(collector: Collector, bearer: str, over: threading.Event) -> list[str]:
    answered: list[str] = []
    while not over.is_set():
        names = [f"{len(answered)}-{n}" for n in range(20)]
        assert collector.post([event(name) for name in names], bearer).status_code == 202
        answered += names
        time.sleep(0.01)
    return answered


def test_it_is_killed_under_load(home: Home, dice: random.Random):
    bearer, over = token(home), threading.Event()
    answered: list[str] = []
    with collecting(home) as collector:
        assert collector.process
        thread = threading.Thread(
            target=lambda: answered.extend(keep_posting(collector, bearer, over)), daemon=True
        )
        thread.start()
        pid = collector.process.pid
        for _ in range(KILLS):
            time.sleep(dice.uniform(0, 0.7))
            wait_until(lambda: children(pid))
            for child in children(pid):
                os.kill(child, signal.SIGKILL)
            before = batches(home)
            wait_until(lambda before=before: batches(home) > before)
        over.set()
        thread.join(PATIENCE)
        assert not thread.is_alive()
        collector.drained()
        assert collector.stop() == 0
    landed = landed_ids(home)
    assert set(landed) == set(answered)
    assert landed.total() == len(answered)
    lines = Counter((row["batch_id"], row["line_number"]) for row in rows(home, "attempts"))
    assert max(lines.values()) == 1
    assert_balanced(home)


def test_it_ends_with_its_collector(home: Home):
    with collecting(home) as collector:
        assert collector.process
        (child,) = children(collector.process.pid)
        collector.stop(signal.SIGKILL)
        wait_until(lambda: not Path(f"/proc/{child}").exists())
        collector.start()
        (child,) = children(collector.process.pid)
        os.kill(child, signal.SIGTERM)  # as where a supervisor tells all of a service to end
        assert collector.stop() == 0
        assert not Path(f"/proc/{child}").exists()


def asked_and_orphaned(home: Home, given: Range, folder: Path, kill: bool) -> None:
    """Ask for a range while somebody else has its batch, whom the collector does not outlive."""
    with bronze.batch_lock(home, _batch_id(folder.name, given)):
        asking = subprocess.Popen(
            [sys.executable, "-c", ASKING, home.path, folder, given.salt],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert asking.stdout
        assert asking.stderr
        child = int(asking.stdout.readline())
        # It waits for the lock: a line of /proc/locks with an arrow.
        wait_until(
            lambda: any(
                "->" in line and f" {child} " in line
                for line in Path("/proc/locks").read_text().splitlines()
            )
        )
        if kill:
            asking.kill()
            asking.wait()
    wait_until(lambda: not Path(f"/proc/{child}").exists())
    asking.wait(PATIENCE)
    asking.stdout.close()
    assert asking.stderr.read() == b""  # nor does the child say anything where the log is
    asking.stderr.close()


def test_an_orphan_lands_nothing(home: Home):
    """What it was asked for may be landed and forgotten by a new collector: it must not begin."""
    with Spool(root_of(home)) as spool:
        spool.submit(submission(["a", "b", "c"])).result()
        (stream,) = spool.waiting()
        given, _ = spool.seal(stream)
        asked_and_orphaned(home, given, spool.folder, kill=True)
        assert landed_ids(home).total() == 0
        # The same, but that the collector lives: so it is the orphan's restraint that was seen.
        asked_and_orphaned(home, given, spool.folder, kill=False)
        assert landed_ids(home) == {"a": 1, "b": 1, "c": 1}
        again = Ranges(home).land(spool.folder, given, is_again=True)
        assert (again.result.received, again.damaged) == (0, [])
    assert landed_ids(home).total() == 3


def test_nobody_hears_the_answer(home: Home):
    """The log is for lines of JSON: a child whose collector is gone says nothing in it."""
    command = [
        sys.executable,
        "-m",
        "loaders.collector.landing_process",
        home.path,
        f"{os.getpid()}",
    ]
    asked = {"folder": f"{home.path}", "given": asdict(Range(1, "attempts", "web", 1, 3, "s"))}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout
        child.stdout.close()
        child.stdout = None
        _, said = child.communicate(
            json.dumps(asked | {"is_again": True}).encode() + b"\n", PATIENCE
        )
    assert said == b""
    assert child.returncode == 1
