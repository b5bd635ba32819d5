"""Whoever dies while a batch goes by stream loses nothing and doubles nothing.

ASSAY_LONG=1 loses 10,000 answers and notes, and kills 300 processes; ASSAY_SEED repeats a run.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from bigquery_place import Place, place, reached, service
from dying import Death, dying
from standin.googlesql import Rows
from streaming import TABLES, batch, forget_connections, there, waiting, whole

from loaders import bronze
from loaders.errors import AssayError
from loaders.sinks.bigquery import stream
from loaders.sinks.bigquery.book import Book

__all__ = ["place", "reached", "service"]  # fixtures

LONG = os.environ.get("ASSAY_LONG") == "1"
LOSSES = 10_000 if LONG else 100
KILLS = 300 if LONG else 8
EVERY = 1 if LONG else 3
LOOK_EVERY = 50
DYING = Path(__file__).with_name("dying.py")


def die() -> None:
    raise Death


class Deaths(Counter[str]):
    """What died, by the step that was its last."""

    @contextmanager
    def at(self, step: int) -> Iterator[None]:
        """Die at the n-th step of a block, if it comes so far, and leave no connection behind."""
        try:
            with dying(step, die) as taken:
                yield
        except Death:
            self[taken[-1]] += 1
            forget_connections()
        except AssayError:
            pass  # the service, which was told to fail: what waits is tried again


def emptied(place: Place) -> None:
    """Take all rows away: the stand-in copies those of a table whenever it gets more."""
    dataset = place.service.warehouse.datasets["a-project", f"{place.dataset}_bronze"]
    for table in TABLES:
        dataset.tables[table].replace_rows(Rows(dataset.tables[table].rows.columns))


@pytest.mark.timeout(7200)
def test_no_loss_of_an_answer_or_of_a_note_loses_or_doubles_a_row(
    place: Place,
    dice: random.Random,
    tell: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
):
    """At each step, of this side or of the service, or of both, and again while it is mended."""
    monkeypatch.setenv("ASSAY_BIGQUERY_RETRY_SECONDS", "30")
    writes, deaths, names = place.service.writes, Deaths(), ["first", "second"]
    for name in names:
        with dying(0, die) as taken:
            batch(place.home, name)
    for number in count():
        names.append(f"n{number}")
        if dice.random() < 0.3:
            code = dice.choice(("UNAVAILABLE", "INTERNAL", "ABORTED", "OUT_OF_RANGE"))
            faults = {"after": code != "OUT_OF_RANGE" and dice.random() < 0.7}
            writes.fail_next(code, **faults, skip=dice.randrange(3))
        if dice.random() < 0.02:
            dice.choice((writes.expire, writes.finalize))(dice.choice(TABLES))
        with deaths.at(dice.randint(1, len(taken))):
            batch(place.home, names[-1])
        while waiting(place.home):
            with deaths.at(dice.choice((0, dice.randint(1, len(taken))))):
                bronze.recover(place.home)
        if len(names) >= LOOK_EVERY or deaths.total() >= LOSSES:
            assert there(place) == whole(*names)
            emptied(place)
            names.clear()
        if deaths.total() >= LOSSES:
            break
    assert {name.partition(" ")[2] for name in deaths} >= {"write", "_acknowledged", "unlink"}
    tell(
        f"{deaths.total()} deaths in {number + 1} batches, 0 rows lost, 0 doubled; "
        f"{len(writes.streams)} streams; {deaths}"
    )


def run(*arguments: object) -> list[str]:
    """What `dying.py` prints: the batches that must be there."""
    done = subprocess.run(
        [sys.executable, str(DYING), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.split()


def test_a_process_that_is_killed_at_its_steps(
    place: Place, dice: random.Random, tell: Callable[[str], None]
):
    names = run("steps", place.home.path, EVERY, dice.randrange(2**32))
    assert there(place) == whole(*names)
    assert len(names) * EVERY >= 30
    tell(f"killed at {len(names) - 1} steps, 0 lost, 0 doubled")


@pytest.mark.timeout(7200)
def test_a_process_that_is_killed_at_any_moment(
    place: Place, dice: random.Random, tell: Callable[[str], None]
):
    names = run("moments", place.home.path, KILLS, dice.randrange(2**32))
    found = there(place)
    committed = {name for table, name in found if table == "landing_ledger"}
    assert set(names) <= committed
    assert found == whole(*committed)
    tell(f"{KILLS} kills, {len(committed)} batches, 0 lost, 0 doubled")


def test_a_place_is_kept_until_its_batch_cannot_come_back(
    place: Place, monkeypatch: pytest.MonkeyPatch
):
    """Else, after a loss of power, files that were removed would get another one."""
    order: list[str] = []
    fsync, forget = stream.fsync_folder, Book.forget

    def synced(folder: Path) -> None:
        fsync(folder)
        order.append(f"fsync {folder.name}")

    def forgotten(book: Book, batch_id: str) -> None:
        forget(book, batch_id)
        order.append(f"forget {batch_id}")

    monkeypatch.setattr(stream, "fsync_folder", synced)
    monkeypatch.setattr(Book, "forget", forgotten)
    for name in ("a", "b", "c"):
        batch(place.home, name)
    assert order == ["fsync .committed", "forget a", "fsync .committed", "forget b"]


def test_a_damaged_book_is_named_and_nothing_is_sent_without_it(place: Place):
    batch(place.home, "a")
    book = place.home.bronze / ".streams.json"
    kept = book.read_bytes()
    book.write_bytes(kept[:-9])
    with pytest.raises(AssayError, match=r"\.streams\.json is damaged"):
        batch(place.home, "b")
    assert there(place) == whole("a")
    book.write_bytes(kept)
    assert bronze.recover(place.home) == 1
    assert there(place) == whole("a", "b")


def test_without_its_book_a_batch_is_there_twice(place: Place, monkeypatch: pytest.MonkeyPatch):
    """Planted fault: a place that is not written down before its rows are sent."""
    monkeypatch.setattr(Book, "write", lambda _: None)
    with pytest.raises(Death), dying(6, die) as taken:
        batch(place.home, "a")
    assert taken[-1] == "after _acknowledged"
    forget_connections()
    bronze.recover(place.home)
    assert there(place) == whole("a") + whole("a", letters=0) - Counter([(TABLES[2], "a")])
