"""Files of bronze taken away, or replaced by what is left of their rows.

The way of a merge, for one file or many of a day: written aside, switched, and finished by whoever
comes next where the process died.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from loaders.compaction.plan import MOST_FILES
from loaders.compaction.switch import MERGED, Source, switch
from loaders.contracts import Contract
from loaders.durable import durable_file
from loaders.errors import AssayError
from loaders.home import Home
from loaders.leases import STAGING, BusyError, leased
from loaders.sinks.batch_files import merged_name

_POLL_SECONDS = 0.1


@contextlib.contextmanager
def alone(home: Home, wait: float = 0) -> Iterator[Path]:
    """The folder in which files of bronze are made anew, for one process at a time."""
    aside = home.bronze / STAGING / "merge"
    deadline = time.monotonic() + wait
    with contextlib.ExitStack() as lease:
        while True:
            try:
                lease.enter_context(leased(aside, wait=False))
                break
            except BusyError:
                if time.monotonic() >= deadline:
                    raise AssayError(
                        "Another compaction runs in this home. Wait for it to end."
                    ) from None
                time.sleep(_POLL_SECONDS)
        try:
            yield aside
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def remove(bronze: Path, aside: Path, files: Sequence[Path], wait: float) -> None:
    """Take files of one day of a table away. Raises as `switch` does."""
    for first in range(0, len(files), MOST_FILES):
        some = [Source(file, file.stat()) for file in files[first : first + MOST_FILES]]
        _cleared(aside)
        switch(bronze, aside, some, some[0].path, wait)


def rewrite(
    bronze: Path, aside: Path, file: Path, rows: pa.Table, contract: Contract, wait: float
) -> None:
    """Put rows in the place of a file, as old as it was. They must be sorted by batch.

    The new file is a merged one: some of its batches may have lost rows, which the file that is
    named by a batch never has.
    """
    source = Source(file, file.stat())
    _cleared(aside)
    with durable_file(aside / MERGED) as written:
        pq.write_table(fitted(rows, contract), written, compression="zstd", row_group_size=16_384)
    os.utime(aside / MERGED, ns=(source.state.st_mtime_ns, source.state.st_mtime_ns))
    switch(bronze, aside, [source], file.with_name(merged_name()), wait)


def fitted(rows: pa.Table, contract: Contract) -> pa.Table:
    """Rows as the contract has them today: what they lack is null."""
    columns = [
        rows[field.name].cast(field.type)
        if field.name in rows.column_names
        else pa.nulls(rows.num_rows, field.type)
        for field in contract.arrow_schema
    ]
    return pa.Table.from_arrays(columns, schema=contract.arrow_schema)


def _cleared(aside: Path) -> None:
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
