"""Which files of bronze are merged into one."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from loaders.compaction.switch import Source
from loaders.contracts import load_contracts
from loaders.home import SCHEMA_FILE, Home
from loaders.sinks.batch_files import is_merged

# Seconds: what is landing now stays as it is, and little is merged twice.
OLDER_THAN = 60.0
# So many small files are worth a word, and a collector merges them.
MANY = 1_000
# A merged file gets about so big; one that has half of it is left alone.
TARGET_BYTES = 128 << 20
# So that a switch, which removes them, takes milliseconds, and DuckDB, which keeps 80 KB for each
# file that it reads, has memory for all. What was merged from so many is merged again.
MOST_FILES = 500
# A merged file is merged again with what came since once that weighs half as much: a row is written
# a few times only, and a few merged files remain of a day.
_FACTOR = 2


def plan(
    home: Home, table: str, older_than: float, left: Collection[Path] = ()
) -> list[list[Source]]:
    """Groups of files of a table, each of one day, that are worth merging into one.

    They are at least `older_than` seconds old, and not among those that are to be `left`.
    """
    return [
        group
        for day in sorted((home.bronze / table).glob("ingest_date=*"))
        for group in _grouped(_of_day(day, time.time() - older_than, left))
    ]


def small_files(home: Home, tables: Collection[str] = (), older_than: float = OLDER_THAN) -> int:
    """How many files of some tables, of all where none is named, are worth merging."""
    wanted = tables or load_contracts()
    return sum(len(group) for table in wanted for group in plan(home, table, older_than))


def _of_day(day: Path, before: float, left: Collection[Path]) -> list[Source]:
    """Files of batches first, then merged ones, the smallest of each first."""
    small = []
    with os.scandir(day) as entries:
        for entry in entries:
            path = Path(entry.path)
            if path.suffix == ".parquet" and path.name != SCHEMA_FILE and path not in left:
                with contextlib.suppress(FileNotFoundError):  # merged meanwhile, by another process
                    state = entry.stat()
                    if state.st_size < TARGET_BYTES / 2 and state.st_mtime <= before:
                        small.append(Source(path, state))
    return sorted(small, key=lambda file: (is_merged(file.path), file.state.st_size))


def _grouped(files: list[Source]) -> Iterator[list[Source]]:
    group: list[Source] = []
    total = 0
    for file in files:
        size = file.state.st_size
        is_full = total >= TARGET_BYTES or len(group) == MOST_FILES
        if is_full or (is_merged(file.path) and group and size > _FACTOR * total):
            yield from [group] if len(group) > 1 else []
            group, total = [], 0
        group.append(file)
        total += size
    yield from [group] if len(group) > 1 else []
