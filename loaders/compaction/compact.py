"""Compact: merge the small files of bronze, a few at a time, each merge checked and then switched.

A merge is written aside, into a folder that is swept away if the process dies. Until the switch
nothing has changed; after it, nothing is missing.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa

from loaders.compaction.merge import differing_batches, is_fit, write_merged
from loaders.compaction.plan import OLDER_THAN, plan
from loaders.compaction.replace import alone
from loaders.compaction.switch import MERGED, Source, settle, switch
from loaders.contracts import Contract, contract_of, load_contracts
from loaders.durable import explained
from loaders.errors import AssayError
from loaders.home import Home
from loaders.leases import BusyError
from loaders.sinks.batch_files import files_of, is_merged, merged_name

WAIT_SECONDS = 30.0


@dataclass(slots=True)
class Compacted:
    """What became of the files of one table.

    `left` are names of files that are not as the contract says. `is_postponed` says that readers
    were in the way, `problem` why a merge was refused.
    """

    table: str
    files_before: int = 0
    files_after: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    left: list[str] = field(default_factory=list)
    is_postponed: bool = False
    problem: str | None = None


def compact(
    home: Home,
    tables: Collection[str] = (),
    older_than: float = OLDER_THAN,
    wait: float = WAIT_SECONDS,
    on_file: Callable[[], None] = lambda: None,
) -> list[Compacted]:
    """Merge the small files of some tables, of all where none is named; a result for each.

    Files that are younger than `older_than` seconds wait for the next time, and so does all that is
    left when readers hold bronze for longer than `wait` seconds. `on_file` hears of every file of a
    batch that was read. Raises AssayError where another process compacts the home, or the disk
    fails.
    """
    wanted = [contract_of(table) for table in tables] or list(load_contracts().values())
    again = "compact again: every row is where it was, or in a merged file."
    results: list[Compacted] = []
    with explained(home.bronze, again), alone(home) as aside:
        settle(home.bronze)
        for contract in wanted:
            result = Compacted(contract.table)
            result.files_before, result.bytes_before = _size(home, contract.table)
            if any(earlier.is_postponed for earlier in results):
                result.is_postponed = bool(plan(home, contract.table, older_than))
            else:
                _compact_table(home, contract, aside, older_than, wait, on_file, result)
            result.files_after, result.bytes_after = _size(home, contract.table)
            results.append(result)
    return results


def _compact_table(
    home: Home,
    contract: Contract,
    aside: Path,
    older_than: float,
    wait: float,
    on_file: Callable[[], None],
    result: Compacted,
) -> None:
    """Merge until nothing is worth it any more: what was merged may be merged with its like."""
    left: set[Path] = set()
    while groups := plan(home, contract.table, older_than, left):
        for group in groups:
            unfit = {source.path for source in group if not is_fit(source.path, contract)}
            left |= unfit
            result.left += [path.name for path in sorted(unfit)]
            sources = [source for source in group if source.path not in unfit]
            if len(sources) < 2:
                continue
            try:
                _write(sources, contract, aside, on_file)
                target = sources[0].path.with_name(merged_name())
                switch(home.bronze, aside, sources, target, wait)
            except BusyError:
                result.is_postponed = True
                return
            except AssayError as error:
                result.problem = result.problem or str(error)
                left |= {source.path for source in sources}


def _write(
    sources: list[Source], contract: Contract, aside: Path, on_file: Callable[[], None]
) -> None:
    """Write the merged file aside, durable, as old as the newest of its sources, and check it."""
    files, day = [source.path for source in sources], sources[0].path.parent
    merged = aside / MERGED
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        write_merged(files, contract, merged, lambda file: None if is_merged(file) else on_file())
        differing = differing_batches(files, merged)
    except (pa.ArrowException, duckdb.Error, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise  # the disk
        raise AssayError(
            f"Files of {contract.table} in {day.name} cannot be merged ({type(error).__name__}), "
            f"and are left as they are. Run: assay check {contract.table}"
        ) from None
    if differing:
        raise AssayError(
            f"{differing} batches of {contract.table} in {day.name} would not be the same after a "
            "merge. Nothing was merged, and the files are left as they are. Please report this."
        )
    newest = max(source.state.st_mtime_ns for source in sources)
    os.utime(merged, ns=(newest, newest))


def _size(home: Home, table: str) -> tuple[int, int]:
    """How many files hold rows of a table, and how many bytes they have."""
    files = files_of(home.bronze / table)
    return len(files), sum(file.stat().st_size for file in files)
