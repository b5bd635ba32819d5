"""Readers that are at work while files are merged: none fails, none sees a row twice or not at all.

Each reader lists the files before the switch and opens them after it was tried.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from small_batches import Rows, files_in, land_small, leftovers, read_lines

from loaders import bronze
from loaders.compaction import switch
from loaders.compaction.compact import compact
from loaders.dbt_home import Plugin
from loaders.errors import AssayError
from loaders.home import Home, bronze_reader
from loaders.leases import BusyError, locked

BATCHES = 4


@pytest.fixture
def small(home: Home) -> Home:
    """A home with some small batches."""
    for _ in range(BATCHES):
        land_small(home)
    return home


def merge(home: Home) -> bool:
    """Try to merge at once. Returns whether readers were in the way."""
    (result,) = compact(home, ["attempts"], older_than=0, wait=0)
    assert result.problem is None
    return result.is_postponed


def lines_in(files: list[Path]) -> Rows:
    rows = [row for file in files for row in pq.ParquetFile(file).read().to_pylist()]
    return Counter((row["batch_id"], row["line_number"]) for row in rows)


def read_across(home: Home) -> Rows:
    """Read as DuckDB may: list the files, and open them later. In between, a merge is tried."""
    with switch.undisturbed(home.bronze):
        files = files_in(home)
        merge(home)
        return lines_in(files)


@contextlib.contextmanager
def no_lock(folder: Path, alone: bool, wait: float) -> Iterator[None]:
    yield


def test_a_reader_that_listed_the_files_can_open_them(small: Home):
    lines = read_lines(small)
    assert read_across(small) == lines
    assert len(files_in(small)) == BATCHES
    assert leftovers(small) == []
    assert not merge(small)  # nobody reads any more
    assert len(files_in(small)) == 1
    assert read_lines(small) == lines


def test_the_test_sees_a_switch_without_the_lock(small: Home, monkeypatch: pytest.MonkeyPatch):
    """Planted fault: who switches under a reader takes the files away from it."""
    monkeypatch.setattr(switch, "locked", no_lock)
    with pytest.raises(FileNotFoundError):
        read_across(small)


def test_readers_of_assay_hold_bronze(small: Home):
    """A query of the sink, and dbt as long as it has a cursor."""
    with bronze_reader(small, "attempts"):
        assert merge(small)
    plugin = Plugin("assay", {"home": str(small.path)})
    cursor = duckdb.connect()
    plugin.configure_cursor(cursor)
    assert merge(small)
    del cursor
    assert not merge(small)


@pytest.mark.skipif(not shutil.which("flock"), reason="there is no flock of util-linux")
def test_other_tools_hold_bronze_by_flock(small: Home):
    command = ["flock", "--shared", small.bronze, "cat"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as tool:
        assert tool.stdin
        assert tool.stdout
        tool.stdin.write(b"here\n")
        tool.stdin.flush()
        assert tool.stdout.readline() == b"here\n"
        assert merge(small)
    assert not merge(small)


def test_landing_waits_for_nobody(small: Home):
    """Neither for readers nor for who waits for readers; a look-up only for the switch itself."""
    with switch.undisturbed(small.bronze), locked(small.path, alone=True, wait=0):
        batch_id = land_small(small)
        assert bronze.is_landed(small, batch_id)
    with locked(small.bronze, alone=True, wait=0):
        land_small(small)
    assert len(read_lines(small, "landing_ledger")) == BATCHES + 2


@contextlib.contextmanager
def overlapping(home: Home) -> Iterator[None]:
    """Two readers, of which one is always at work: each ends when the other one has begun."""
    over, turns = threading.Event(), [threading.Event(), threading.Event()]

    def read(mine: threading.Event, other: threading.Event) -> None:
        while not over.is_set():
            with switch.undisturbed(home.bronze):
                other.set()
                mine.wait(0.5)
                mine.clear()

    readers = [threading.Thread(target=read, args=(turns[n], turns[1 - n])) for n in range(2)]
    for reader in readers:
        reader.start()
    try:
        yield
    finally:
        over.set()
        for reader in readers:
            reader.join()


def test_readers_that_overlap_do_not_keep_a_merge_waiting_for_ever(
    small: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The gate holds each back when it comes again. Planted fault: without the gate they do."""

    def own_gate(_: Path) -> Path:
        made = tmp_path / threading.current_thread().name
        made.mkdir(exist_ok=True)
        return made

    with overlapping(small):
        with monkeypatch.context() as patch:
            patch.setattr(switch, "_gate", own_gate)
            (result,) = compact(small, ["attempts"], older_than=0, wait=1)
            assert result.is_postponed
        (result,) = compact(small, ["attempts"], older_than=0, wait=60)
    assert not result.is_postponed


def half_done(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave a switch behind that was cut short after its first step."""

    def cut_short(*_: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(switch, "_finish", cut_short)
        with pytest.raises(KeyboardInterrupt):
            merge(home)
    assert (home.bronze / ".switch").exists()


@pytest.mark.parametrize(
    "comes",
    [
        read_lines,
        lambda home: bronze.is_landed(home, "x"),
        lambda home: Plugin("assay", {"home": str(home.path)}).configure_cursor(duckdb.connect()),
        lambda home: compact(home, ["dead_letters"]),
    ],
    ids=["reader", "look-up", "dbt", "compact"],
)
def test_whoever_comes_next_finishes(
    comes: Callable[[Home], object], small: Home, monkeypatch: pytest.MonkeyPatch
):
    lines = read_lines(small)
    half_done(small, monkeypatch)
    comes(small)
    assert not (small.bronze / ".switch").exists()
    assert len(files_in(small)) == 1
    assert read_lines(small) == lines


def test_who_cannot_finish_does_not_read(small: Home, monkeypatch: pytest.MonkeyPatch):
    """One line says why, and the next one who can finishes."""
    lines = read_lines(small)
    half_done(small, monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(
            switch, "_finish", lambda *_: (_ for _ in ()).throw(PermissionError(13, "no"))
        )
        with pytest.raises(AssayError, match=r"Permission denied.*then read again"):
            read_lines(small)
    assert read_lines(small) == lines


def test_a_source_that_somebody_changed_stays(small: Home, monkeypatch: pytest.MonkeyPatch):
    """Taken away or put back by a person while it was merged: it is not for us to undo that."""
    lines = read_lines(small)
    changed = files_in(small)[0]
    real = switch.fsync_folder

    def replaced(folder: Path) -> None:
        if folder.name == "merge":
            changed.write_bytes(changed.read_bytes())
        real(folder)

    with monkeypatch.context() as patch:
        patch.setattr(switch, "fsync_folder", replaced)
        (result,) = compact(small, ["attempts"], older_than=0)
    assert result.problem is not None
    assert "were changed while they were merged" in result.problem
    assert len(files_in(small)) == BATCHES
    assert read_lines(small) == lines


def test_one_compaction_at_a_time(small: Home):
    with bronze.batch_lock(small, "merge"), pytest.raises(AssayError, match="Another compaction"):
        compact(small)


def test_a_process_that_hangs_in_a_switch_is_told(small: Home, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(switch, "_PATIENCE", 0.05)
    with (
        locked(small.bronze, alone=True, wait=0),
        pytest.raises(AssayError, match="Look whether it hangs"),
    ):
        read_lines(small)
    with pytest.raises(BusyError), locked(small.bronze, True, 0), locked(small.bronze, False, 0):
        pass
