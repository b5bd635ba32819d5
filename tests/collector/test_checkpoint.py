"""Ended between the batch in bronze and the note in the spool: nothing is there twice, or gone.

From the rename that commits a batch on, each step that changes the disk may be the last: the moves
of the batch's files, and the commits in which the spool forgets its records. Dozens of times here,
10,000 with ASSAY_LONG=1. The process is simulated; test_crash.py kills real ones.
"""

from __future__ import annotations

import os
import random
import secrets
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from collecting import LONG, assert_balanced, rows
from spooling import drain, drain_of, root_of, submission

from loaders import bronze
from loaders.collector import spool as spools
from loaders.collector import store
from loaders.collector.frames import Event
from loaders.collector.spool import Spool
from loaders.home import Home, init_home
from loaders.sinks import parquet

ENDS = int(os.environ.get("ASSAY_ENDS") or (10_000 if LONG else 40))
KINDS = {"durable_rename", "fsync_folder", "rmtree", "_delete", "_drained"}


class EndedError(BaseException):
    """The process is no more: nothing in it can catch this and go on."""


class Steps:
    """Ends the process before one of its steps, `left` from now."""

    def __init__(self) -> None:
        self.left = 0
        self.ends: Counter[str] = Counter()

    def step(self, name: str) -> None:
        self.left -= 1
        if self.left == 0:
            self.ends[name] += 1
            raise EndedError

    def before(self, name: str, do: Any) -> Any:
        def stepped(*arguments: Any, **named: Any) -> Any:
            self.step(name)
            return do(*arguments, **named)

        return stepped


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    """Every step between the commit of a batch and the last commit in the spool."""
    found, do = Steps(), Spool.do

    def done(spool: Spool, act: Any) -> Any:
        name = getattr(getattr(act, "func", None), "__name__", "")
        if name in ("_delete", "_drained"):
            found.step(name)
        return do(spool, act)

    monkeypatch.setattr(Spool, "do", done)
    for name in ("durable_rename", "fsync_folder"):
        monkeypatch.setattr(parquet, name, found.before(name, getattr(parquet, name)))
    removing = SimpleNamespace(rmtree=found.before("rmtree", parquet.shutil.rmtree))
    monkeypatch.setattr(parquet, "shutil", removing)
    monkeypatch.setattr(spools, "_DELETED_AT_ONCE", 4)
    return found


def end_often(home: Home, steps: Steps, ends: int, dice: random.Random) -> Counter[str]:
    """Land batch after batch, ended so often in between, and before each kind of step.

    What was sent, by the table it is in.
    """
    sent: Counter[str] = Counter()
    number = 0
    while (done := steps.ends.total()) < ends or (steps.ends.keys() < KINDS and done < 5 * ends):
        with Spool(root_of(home)) as spool:
            if not spool.waiting():
                number += 1
                names = [f"{number}-{n}" for n in range(dice.choice((1, 3, 15)))]
                given = submission(names)
                given.events.append(Event(b"{", "payload_malformed"))
                spool.submit(given).result()
                sent.update({"attempts": len(names), "dead_letters": 1})
            steps.left = dice.randint(1, 9)
            try:
                drain_of(home, spool).once()
            except EndedError:
                continue
    steps.left = 0
    with Spool(root_of(home)) as spool:
        drain(home, spool)
        assert (spool.records, spool.bytes) == (0, 0)
    return sent


def found_wrong(home: Home, sent: Counter[str]) -> dict[str, int]:
    """How many rows bronze has too many or too few, by table."""
    landed = Counter(row["event_id"] for row in rows(home, "attempts"))
    twice = landed.total() - len(landed)
    lacking = {table: sent[table] - len(rows(home, table)) for table in sent}
    return {name: count for name, count in {**lacking, "twice": twice}.items() if count}


@pytest.mark.timeout(4 * 3600)
def test_ended_between_commit_and_checkpoint(home: Home, steps: Steps, dice: random.Random):
    sent = end_often(home, steps, ENDS, dice)
    assert found_wrong(home, sent) == {}
    assert_balanced(home)
    assert steps.ends.keys() == KINDS
    print(f"{steps.ends.total()} ends, {dict(steps.ends)}: {sent['attempts']} events, 0 twice")


def forgets_the_ledger(patch: pytest.MonkeyPatch) -> None:
    """A drain that lands what is there, whether the ledger has the batch or not."""
    patch.setattr(bronze, "is_landed", lambda *_: False)


def names_each_try_anew(patch: pytest.MonkeyPatch) -> None:
    """A range that is another one at every try, and so another batch."""
    seal = store.seal

    def sealed(connection: Any, stream: Any) -> Any:
        given, is_old = seal(connection, stream)
        return replace(given, salt=secrets.token_hex(8)), is_old

    patch.setattr(store, "seal", sealed)


@pytest.mark.parametrize("fault", [forgets_the_ledger, names_each_try_anew])
def test_faults_are_found_out(
    fault: Any, steps: Steps, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    fault(monkeypatch)
    home = init_home(tmp_path / "home")[0]
    sent = end_often(home, steps, 12, random.Random(3))
    assert found_wrong(home, sent)
