"""A spool and its drain whose power goes again and again: what test_power.py runs.

    python power_cuts.py FOLDER SEED CUTS [FAULT ...]

Each time a process works on a disk that loses what was not fsynced (losing_disk.py) until the power
goes, at a step by dice. Of what the disk may hold then, several states are written down; in each, a
new process must find all that was answered. The next round goes on in one of them, and sends again
under the same keys what nobody answered. Exits with 1 where something is lost, or there twice.

With faults (planted_faults.py), each is planted in turn, and must be found out within so many cuts.
"""

from __future__ import annotations

import random
import shutil
import sys
from collections import Counter
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import planted_faults
import sqlite_files
from collecting import LONG, rows
from losing_disk import LosingDisk
from processes import in_child, tell
from spooling import drain, drain_of, root_of, submission

from loaders.books import read_books
from loaders.collector import store
from loaders.collector.spool import Spool
from loaders.home import Home, init_home

CHAINS = (1, 3, 8)  # cuts of one home, by dice
STATES = 3 if LONG else 2  # of each cut: the least that may be there, and others by dice
OVER = "the end"
TYPICAL = 300  # steps of a process that nobody cuts off


@dataclass
class Sent:
    """Requests by number; each is the same whenever it is sent."""

    begun: int = 0
    answered: set[int] = field(default_factory=set)

    def open(self) -> list[int]:
        return sorted(set(range(self.begun)) - self.answered)


def names_of(number: int) -> list[str]:
    return [f"{number}-{n}" for n in range(random.Random(number).choice((1, 3, 40)))]


def survive(folder: Path, dice: random.Random, cuts: int) -> None:
    """Cut the power so often. The last state stays, for a real collector to open."""
    done = answered = salvaged = 0
    while done < cuts:
        chain, length = folder / f"from-{done}", min(dice.choice(CHAINS), cuts - done)
        chain.mkdir()
        sent, states, wrong = cut_after_cut(chain, length, dice, "", STATES)
        if wrong:
            raise SystemExit(wrong)
        done, answered, salvaged = done + length, answered + len(sent.answered), salvaged + states
        if done < cuts:
            shutil.rmtree(chain)
    names = [name for number in sent.answered for name in names_of(number)]
    (folder / "answered").write_text("\n".join(names))
    (chain / "home").rename(folder / "home")
    print(
        f"{cuts} cuts, {STATES * cuts} states: {answered} requests answered, 0 lost, 0 twice; "
        f"{salvaged} states salvaged"
    )


def find_out(folder: Path, dice: random.Random, cuts: int, fault: str) -> None:
    """Cut the power until the fault shows in the least that may be there."""
    done = 0
    while done < cuts:
        length = dice.choice(CHAINS)
        chain = folder / f"{fault} {done}"
        chain.mkdir()
        _, _, wrong = cut_after_cut(chain, length, dice, fault, 1)
        shutil.rmtree(chain)
        done += length
        if wrong:
            print(f"{fault}: found out within {done} cuts; {wrong}", flush=True)
            return
    raise SystemExit(f"{fault}: not found out within {done} cuts")


def cut_after_cut(
    folder: Path, cuts: int, dice: random.Random, fault: str, states: int
) -> tuple[Sent, int, str]:
    """Cut so often in a home of its own. What was sent, how many states salvaged, what is wrong."""
    home, sent, salvaged = Home(folder / "home"), Sent(), 0
    in_child(partial(init_home, home.path))
    for number in range(cuts):
        at, seed = dice.randrange(1, TYPICAL), dice.random()
        written = [folder / f"state-{n}" for n in range(states)]
        told = in_child(partial(work, home, sent, at, seed, written, fault))
        sent = Sent(told["begun"], sent.answered | set(told["answered"]))
        before = len(list(root_of(home).glob("*.salvaged")))
        where = f"cut {number} before step {told['step']}, {told['what']}"
        for state in written:
            judged = in_child(partial(judge, state, sent))
            salvaged += judged["salvaged"] > before
            if judged["wrong"]:
                return sent, salvaged, f"{where}, {state.name}: {judged['wrong']}"
        shutil.rmtree(home.path)
        dice.choice(written).rename(home.path)
        for state in written:
            shutil.rmtree(state, ignore_errors=True)
    return sent, salvaged, ""


def work(
    home: Home, sent: Sent, at: int, seed: float, states: list[Path], fault: str
) -> dict[str, Any]:
    """Send and land until the power goes before step `at`."""
    dice, begun, answered = random.Random(seed), sent.begun, set[int]()

    def cut(disk: LosingDisk, what: str) -> None:
        facts = {"begun": begun, "answered": sorted(answered), "step": disk.steps, "what": what}
        for number, state in enumerate(states):
            disk.write_state(state, dice if number else None)
        tell(facts)

    disk = LosingDisk(home.path, at, cut)
    disk.install()
    sqlite_files.install(UnderSqlite(disk))
    connect = store.connect
    store.connect = lambda path: small_log(connect(path))
    planted_faults.plant(fault)

    def note(number: int, done: Future[Any]) -> None:
        if done.exception() is None:
            answered.add(number)

    def send(spool: Spool, number: int) -> None:
        done = spool.submit(submission(names_of(number), key=f"k{number}"))
        done.add_done_callback(lambda done: note(number, done))
        if dice.random() < 0.7:
            done.result()

    for _ in range(2):
        with Spool(root_of(home)) as spool:
            for number in set(sent.open()) - answered:
                send(spool, number)
            for _ in range(dice.randrange(2, 8)):
                begun += 1
                send(spool, begun - 1)
                if dice.random() < 0.25:
                    drain_of(home, spool).once()
    cut(disk, OVER)
    raise AssertionError


def small_log(connection: Any) -> Any:
    """With so small a log it is copied into the file every now and then."""
    connection.execute("pragma wal_autocheckpoint = 20")
    return connection


@dataclass
class UnderSqlite:
    """Tells the disk what SQLite does."""

    disk: LosingDisk

    def before(self, operation: str, path: Path) -> int:
        self.disk.step(f"sqlite {operation} {path.name}")
        return 0

    def after(self, operation: str, path: Path) -> None:
        self.disk.synced((path.parent if operation == "folder" else path).stat().st_ino)


def judge(state: Path, sent: Sent) -> dict[str, Any]:
    """Open a state as the next collector does, send again what nobody answered, and land all."""
    home = Home(state.with_name("judged"))
    shutil.copytree(state, home.path)
    with Spool(root_of(home)) as spool:
        problem = spool.problem  # whatever happened, it starts
        drain(home, spool)
        there = {row["event_id"] for row in rows(home, "attempts")}
        lost = [n for n in sorted(sent.answered) if not there.issuperset(names_of(n))]
        for number in sent.open():
            spool.submit(submission(names_of(number), key=f"k{number}")).result()
        drain(home, spool)
    salvaged = len(list(root_of(home).glob("*.salvaged")))
    landed = Counter(row["event_id"] for row in rows(home, "attempts"))
    # A commit that was torn looks like damage, and is salvaged. Of that, nobody was answered; what
    # is not whole of it is told as damaged, and keys are gone, so that silver takes one of two.
    twice = [name for name, times in landed.items() if times > 1 and not salvaged]
    letters = [row["code"] for row in rows(home, "dead_letters") if not salvaged]
    books = [batch.problem for batch in read_books(home)[0] if batch.problem]
    found = {"problem": problem, "lost": lost, "twice": twice, "letters": letters, "books": books}
    shutil.rmtree(home.path)
    wrong = {name: value for name, value in found.items() if value}
    return {"wrong": wrong, "salvaged": salvaged}


if __name__ == "__main__":
    place, seed, number = Path(sys.argv[1]).resolve(), int(sys.argv[2]), int(sys.argv[3])
    if not sys.argv[4:]:
        survive(place, random.Random(seed), number)
    for name in sys.argv[4:]:
        find_out(place, random.Random(seed), number, name)
