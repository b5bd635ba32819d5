"""A person in published marts whose rows stand for one person: the rows go at once.

What is published as figures needs no such thing. Files of a release never change otherwise; here
each is replaced as a whole, in all releases, so that a query sees it with the row or without.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from loaders.durable import durable_file, durable_rename
from loaders.home import Home


def erase(home: Home, pseudonyms: set[str]) -> int:
    """Take a person's rows out of every restricted release. Returns how many."""
    known = pa.array(sorted(pseudonyms), pa.string())
    return sum(_without(file, known) for file in sorted(home.restricted.rglob("*.parquet")))


def _without(file: Path, known: pa.Array) -> int:
    with pq.ParquetFile(file) as parquet:
        rows = parquet.read()
    stays = pa.chunked_array([pa.array([True] * rows.num_rows, pa.bool_())])
    for column in rows.columns:
        if pa.types.is_string(column.type):
            stays = pc.and_(stays, pc.invert(pc.is_in(column, value_set=known)))
    left = rows.filter(stays)
    if left.num_rows < rows.num_rows:
        aside = file.with_suffix(".new")
        with durable_file(aside) as written:
            pq.write_table(left, written, compression="zstd")
        durable_rename(aside, file)
    return int(rows.num_rows - left.num_rows)
