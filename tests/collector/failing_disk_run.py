"""A spool whose disk fails at operation n: what test_disk.py runs, in a process of its own.

    python failing_disk_run.py FOLDER SEED PLACES

Fails at PLACES operations of each kind (0: at every one), and for a while from there on. Prints
one line per kind. Exits with 1 where an event is gone that was answered.
"""

import random
import sys
import time
from pathlib import Path

import failing_sqlite
import sqlite_files
from collecting import PATIENCE, assert_balanced, landed_ids
from failing_sqlite import Disk
from spooling import drain, drain_of, root_of, submission

from loaders.collector import spool as spools
from loaders.collector.spool import Spool, UnavailableError
from loaders.home import Home, init_home

# What SQLite is told, how often in a row, and for which operations.
KINDS = {
    "full once": (failing_sqlite.FULL, 1, {"write"}),
    "full for a while": (failing_sqlite.FULL, 12, {"write", "truncate"}),
    "write error": (failing_sqlite.WRITE_FAILED, 1, {"write"}),
    "truncate error": (failing_sqlite.WRITE_FAILED, 1, {"truncate"}),
    "sync error": (failing_sqlite.SYNC_FAILED, 1, {"sync"}),
    "sync errors": (failing_sqlite.SYNC_FAILED, 4, {"sync"}),
}


def main(folder: Path, seed: int, places: int) -> None:
    """Try every kind, then look for what was answered."""
    spools._REOPEN_SECONDS = 0.001
    disk, dice, home = Disk(), random.Random(seed), init_home(folder / "home")[0]
    sqlite_files.install(disk)
    every: set[str] = set()
    every |= attempt(home, disk, 0, range(0), set(), "begin")[0]
    for kind, (code, lasting, operations) in KINDS.items():
        with Spool(root_of(home)) as spool:
            drain(home, spool)  # so that what is counted is what follows, not a backlog
        answered, count, _ = attempt(home, disk, code, range(0), operations, f"{kind} whole")
        every |= answered
        wanted = range(1, count + 1)
        if places and places < count:
            wanted = sorted(dice.sample(wanted, places))
        hits = 0
        for number in wanted:
            fails = range(number, number + lasting)
            answered, _, failed = attempt(home, disk, code, fails, operations, f"{kind} {number}")
            every |= answered
            hits += failed > 0
        print(f"{kind}: failed at {hits} of {count} places", flush=True)
        assert hits, kind
    with Spool(root_of(home)) as spool:
        drain(home, spool)
        assert (spool.records, spool.bytes) == (0, 0)
    landed = landed_ids(home)
    assert every <= set(landed), f"{len(every - set(landed))} events are gone"
    assert_balanced(home)
    print(f"{len(every)} answered, 0 lost, {landed.total() - len(every)} unanswered in bronze")


def attempt(
    home: Home, disk: Disk, code: int, fails: range, operations: set[str], name: str
) -> tuple[set[str], int, int]:
    """Submit, drain and submit while the disk fails at `fails`, counted among `operations`.

    Returns what was answered, the operations there were, and how many failed.
    """
    count = failed = 0

    def failure(_: int, operation: str) -> int:
        nonlocal count, failed
        count += operation in operations
        if operation in operations and count in fails:
            failed += 1
            return code
        return 0

    disk.fails = failure
    answered: set[str] = set()
    with Spool(root_of(home)) as spool:
        for step in range(4):
            if step == 2 and not spool.problem:
                drain_of(home, spool).once()
            answered |= submitted(spool, [f"{name} {step} {n}" for n in range(5)])
        disk.fails = lambda _number, _operation: 0
        until = time.monotonic() + PATIENCE
        while not (last := submitted(spool, [f"{name} last"])):  # it recovers by itself
            assert time.monotonic() < until, spool.problem
            time.sleep(0.002)
    return answered | last, count, failed


def submitted(spool: Spool, names: list[str]) -> set[str]:
    """Those of the names that were answered: all or none."""
    try:
        spool.submit(submission(names, user_agent="x" * 3000)).result()
    except UnavailableError:
        return set()
    return set(names)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
