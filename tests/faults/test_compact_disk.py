"""A disk that is full or broken at every operation of a compaction: no row goes, or is there twice.

As long as the disk fails, a reader finds all rows or one line that says why it does not read.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path

import pytest
from failing_disk import BROKEN, FULL, FailingDisk
from small_batches import Rows, files_in, land_small, leftovers, read_lines

from loaders import bronze
from loaders.compaction import compact as compaction
from loaders.compaction.compact import compact
from loaders.errors import AssayError
from loaders.home import Home, init_home

pytestmark = pytest.mark.slow

IS_LONG = "ASSAY_LONG" in os.environ
BATCHES = 3


def failing(home: Home, lines: Rows, disk: FailingDisk) -> str | None:
    """Compact on this disk, and read on it. Returns what the compaction said, if it failed."""
    said = None
    with pytest.MonkeyPatch.context() as patch:
        disk.install(patch)
        try:
            compact(home, ["attempts"], older_than=0)
        except AssayError as error:
            said = str(error)
        try:
            assert read_lines(home) == lines
        except AssayError as error:
            assert disk.stays, error
    return said


@pytest.mark.parametrize(
    ("code", "stays"),
    [(FULL, False), (BROKEN, True), *([(FULL, True), (BROKEN, False)] if IS_LONG else [])],
)
def test_every_operation_may_fail(
    code: int, stays: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Fail the n-th operation, once or from then on: one line, and the next time all is well."""
    monkeypatch.setattr(compaction, "differing_batches", lambda *_: 0)  # reads only, and takes long
    template = init_home(tmp_path / "template")[0]
    for _ in range(BATCHES):
        land_small(template)
    lines = read_lines(template)

    def copy(name: str) -> Home:
        return Home(Path(shutil.copytree(template.path, tmp_path / name)))

    counting = FailingDisk(1 << 60, code, stays, removes=True)
    assert failing(copy("undisturbed"), lines, counting) is None
    operations = counting.operations
    print(Counter(operation.split()[0] for operation in operations))
    assert {operation.split()[0] for operation in operations} == {
        "open", "write", "flush", "fsync", "rename", "mkdir", "unlink",
    }  # fmt: skip
    # The merged file is written in hundreds of small pieces: some, and the last ones.
    writes = [at for at, operation in enumerate(operations, 1) if operation == "write"]
    skipped = set() if IS_LONG else set(writes) - {*writes[::100], *writes[-2:]}
    for at in (at for at in range(1, len(operations) + 1) if at not in skipped):
        home, where = copy(str(at)), f"operation {at}, {operations[at - 1]}"
        said = failing(home, lines, FailingDisk(at, code, stays, removes=True))
        assert said is not None, where
        assert "\n" not in said, where
        assert said.endswith("compact again: every row is where it was, or in a merged file."), said
        assert read_lines(home) == lines, where
        compact(home, ["attempts"], older_than=0)
        bronze.recover(home)
        assert read_lines(home) == lines, where
        assert (len(files_in(home)), leftovers(home)) == (1, []), where
        shutil.rmtree(home.path)
