"""A file lands once, however often and from however many processes it comes."""

from __future__ import annotations

import shutil
import subprocess
import threading
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from landed import (
    ASSAY,
    assay,
    bronze_rows,
)
from samples import ROWS, as_lines, land, make_rows

from loaders import bronze
from loaders.home import Home, init_home
from loaders.landing.batches import LandingResult
from loaders.sinks.parquet import ParquetSink


def test_the_same_file_lands_once(home: Home, tmp_path: Path):
    """Under its own name or another, and says so the second time."""
    data = as_lines(ROWS) + b"broken\n"
    first = land(home, data)
    again = land(home, data)
    copy = land(home, data, name="copy")
    assert not first.already_landed
    assert again.already_landed
    assert copy.already_landed
    assert again.batch_id == copy.batch_id == first.batch_id
    assert len(bronze_rows(home)) == len(ROWS)
    assert len(bronze_rows(home, "dead_letters")) == 1
    assert len(bronze_rows(home, "landing_ledger")) == 1
    said = assay("land", "attempts", tmp_path / "sent", home=home)
    assert said.stdout == (
        f"sent: landed before as batch {first.batch_id}, nothing to do: "
        f"received {len(ROWS) + 1}, accepted {len(ROWS)}, rejected 1 (payload_malformed 1)\n"
    )


def test_another_byte_or_another_mapping_is_another_batch(home: Home):
    """A batch is its bytes and how they are read."""
    data = as_lines(ROWS)
    batches = {
        land(home, data).batch_id,
        land(home, data + b"\n").batch_id,
        land(home, data, mapping="constants: {domain: x.example}\n").batch_id,
        land(home, data, mapping="constants: {domain: y.example}\n").batch_id,
    }
    assert len(batches) == len(bronze_rows(home, "landing_ledger")) == 4


def test_landing_at_once_lands_once(home: Home, tmp_path: Path):
    """Three processes with one file, and one with another, at the same moment."""
    same, other = tmp_path / "same", tmp_path / "other"
    same.write_bytes(as_lines(make_rows(8_000)) + b"broken\n")
    other.write_bytes(as_lines(ROWS))
    processes = [
        subprocess.Popen(
            [ASSAY, "land", "attempts", path, "--home", home.path],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for path in (same, same, same, other)
    ]
    said = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0], said
    assert sum("landed before" in out for out, _ in said) == 2
    assert len(bronze_rows(home)) == 8_000 + len(ROWS)
    assert len(bronze_rows(home, "dead_letters")) == 1
    assert len(bronze_rows(home, "landing_ledger")) == 2
    assert list((home.bronze / ".staging").iterdir()) == []


def test_a_batch_that_another_committed_and_could_not_move_is_found_behind_the_lock(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The other is killed between commit and move while this one waits for its lock."""
    other = init_home(tmp_path / "other")[0]
    with monkeypatch.context() as patched:
        patched.setattr(ParquetSink, "publish", lambda *_: None)
        batch_id = land(other, as_lines(ROWS)).batch_id

    waits, lock = threading.Event(), bronze.batch_lock

    def announced(home: Home, batch_id: str) -> AbstractContextManager[None]:
        waits.set()
        return lock(home, batch_id)

    monkeypatch.setattr(bronze, "batch_lock", announced)
    outcome: list[object] = []

    def second() -> None:
        try:
            outcome.append(land(home, as_lines(ROWS)))
        except OSError as error:
            outcome.append(error)

    with lock(home, batch_id):
        thread = threading.Thread(target=second)
        thread.start()
        assert waits.wait(30)
        (home.bronze / ".committed").mkdir(exist_ok=True)
        shutil.move(other.bronze / ".committed" / batch_id, home.bronze / ".committed")
    thread.join(30)
    assert isinstance(outcome[0], LandingResult), outcome
    assert outcome[0].already_landed
    assert len(bronze_rows(home)) == len(ROWS)
