"""A disk that is full or broken, at every step: no half batch, one line, then all is well."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from failing_disk import BROKEN, FULL, FailingDisk
from kept_validator import one_validator

from loaders import books
from loaders.cli import main
from loaders.durable import durable_rename
from loaders.home import Home, init_home
from loaders.sinks.parquet import ParquetSink

__all__ = ["one_validator"]  # a fixture

pytestmark = pytest.mark.slow

IS_LONG = "ASSAY_LONG" in os.environ
ROWS, REFUSED = 40, 3
TABLES = {"attempts": ROWS, "dead_letters": REFUSED, "landing_ledger": 1}


def events(folder: Path) -> Path:
    """A file of good records and a few that are refused."""
    file = folder / "events.jsonl"
    good = {"timestamp": "2026-05-04T08:00:00Z", "action": "login", "status": "success"}
    lines = [json.dumps({"event_id": f"e{n}", **good}) for n in range(ROWS)]
    file.write_text("\n".join([*lines, *["no json"] * REFUSED, ""]))
    return file


def visible(home: Home) -> dict[str, int]:
    """Rows that a reader of each table sees. Every file there is has to be a whole one."""
    return {
        table: sum(pq.read_metadata(f).num_rows for f in (home.bronze / table).rglob("*.parquet"))
        for table in TABLES
    }


def half_batch(home: Home) -> str | None:
    """What a reader could see of a batch that is not wholly there, or None.

    A table shows all its rows of the batch or none. The ledger comes last: with its line, all is
    there.
    """
    seen = visible(home)
    if any(seen[table] not in (0, rows) for table, rows in TABLES.items()):
        return f"part of a table: {seen}"
    if seen["landing_ledger"] and seen != TABLES:
        return f"in the ledger, but not there: {seen}"
    return None


def land(home: Home, file: Path) -> tuple[int, str]:
    """`assay land` with its exit code and what it says."""
    run = CliRunner().invoke(main, ["land", "attempts", str(file), "--home", str(home.path)])
    if run.exception is not None and not isinstance(run.exception, SystemExit):
        raise run.exception
    return run.exit_code, run.output


def assert_one_line(said: str, home: Home) -> None:
    """What, where, and what to do; no traceback."""
    lines = said.strip().splitlines()
    assert len(lines) == 1, said
    assert str(home.path) in lines[0]
    assert "again" in lines[0]


def assert_recovers(home: Home, file: Path) -> None:
    """The next run completes, the one after finds nothing to do, and the books balance."""
    code, said = land(home, file)
    assert code == 0, said
    assert visible(home) == TABLES
    assert "landed before" in land(home, file)[1]
    batches, _ = books.read_books(home)
    assert [(b.received, b.problem) for b in batches] == [(ROWS + REFUSED, None)]
    assert list((home.bronze / ".committed").glob("*")) == []
    assert list((home.bronze / ".staging").glob("*")) == []


def fail_at_every_step(folder: Path, code: int, stays: bool, last: int = 1 << 60) -> list[str]:
    """Land once for each operation of a clean run, failing there. Returns the operations.

    Landing writes each Parquet file in hundreds of small pieces, so of the writes a short run
    takes every 1,000th and the last ones; of all else, each. `last` is how many operations to try;
    where it is not said, a short run takes every fourth: others where the failure stays.
    """
    file = events(folder)
    init_home(folder / "template")
    _, operations, _ = _fail(folder, 0, code, stays, file)
    writes = [at for at, operation in enumerate(operations, 1) if operation == "write"]
    skipped = set() if IS_LONG else set(writes) - {*writes[::1000], *writes[-4:]}
    tried = range(max(1, len(operations) - last + 1), len(operations) + 1)
    if not IS_LONG and last > len(operations):
        skipped |= {at for at in tried if at % 4 != 2 * stays}
    for at in (at for at in tried if at not in skipped):
        home, done, (exit_code, said) = _fail(folder, at, code, stays, file)
        where = f"operation {at}, {done[at - 1]}"
        assert (problem := half_batch(home)) is None, f"{where}: {problem}"
        assert exit_code == 1, f"{where}: {said}"
        assert_one_line(said, home)
        assert_recovers(home, file)
        shutil.rmtree(home.path)
    return operations


def _fail(
    folder: Path, at: int, code: int, stays: bool, file: Path
) -> tuple[Home, list[str], tuple[int, str]]:
    """Land in a fresh home on a disk that fails at an operation; at 0, never."""
    home = Home(folder / f"home-{at}")
    shutil.copytree(folder / "template", home.path)
    disk = FailingDisk(at or 1 << 60, code, stays)
    with pytest.MonkeyPatch.context() as patch:
        disk.install(patch)
        ended = land(home, file)
    return home, disk.operations, ended


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("code", "stays"),
    [(FULL, False), (BROKEN, True), *([(FULL, True), (BROKEN, False)] if IS_LONG else [])],
)
def test_every_operation_may_fail(code: int, stays: bool, tmp_path: Path) -> None:
    """Fail the n-th open, write, flush, fsync, rename or mkdir, once or from then on."""
    operations = fail_at_every_step(tmp_path, code, stays)
    print(Counter(operation.split()[0] for operation in operations))
    kinds = {operation.split()[0] for operation in operations}
    assert kinds == {"open", "write", "flush", "fsync", "rename", "mkdir"}
    assert len(operations) > 40


def test_the_test_sees_a_ledger_that_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted fault: with the ledger moved before the rows, some failure shows half a batch."""

    def ledger_first(sink: ParquetSink, committed: Path) -> None:
        for file in sorted(committed.glob("*/*/*.parquet"), reverse=True):
            target = sink.home.bronze / file.relative_to(committed)
            target.parent.mkdir(parents=True, exist_ok=True)
            durable_rename(file, target)
        shutil.rmtree(committed)

    monkeypatch.setattr(ParquetSink, "publish", ledger_first)
    with pytest.raises(AssertionError, match="in the ledger, but not there"):
        fail_at_every_step(tmp_path, FULL, True, last=25)


def test_the_test_sees_a_batch_written_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted fault: files that are written where readers look can be seen half."""

    def copied(sink: ParquetSink, committed: Path) -> None:
        for file in sorted(committed.glob("*/*/*.parquet")):
            target = sink.home.bronze / file.relative_to(committed)
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as copy:
                copy.write(file.read_bytes())
        shutil.rmtree(committed)

    monkeypatch.setattr(ParquetSink, "publish", copied)
    with pytest.raises((AssertionError, pa.ArrowInvalid)):
        fail_at_every_step(tmp_path, FULL, True, last=25)


@pytest.mark.parametrize("limit", [0, 100, 2_000, 4_000, 6_000])
def test_a_size_limit_of_the_system_is_no_different(limit: int, tmp_path: Path) -> None:
    """The black-box twin: the system itself refuses writes beyond a size (RLIMIT_FSIZE)."""
    file = events(tmp_path)
    home, _ = init_home(tmp_path / "home")

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    run = _assay("land", "attempts", str(file), "--home", str(home.path), before=limited)
    assert half_batch(home) is None
    assert (run.returncode, run.stdout) == (1, ""), run.stderr
    assert_one_line(run.stderr, home)
    assert_recovers(home, file)


def _assay(*words: str, before: Callable[[], None]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from loaders.cli import main; main()", *words],
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=before,
        capture_output=True,
        text=True,
        check=False,
    )
