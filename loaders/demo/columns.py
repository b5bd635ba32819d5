"""Columns of demo data: drawn by share, put together from texts, written as files."""

import gzip
import shutil
from collections.abc import Sequence
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def pick(
    rng: np.random.Generator, shares: Sequence[float] | npt.NDArray[np.float64], size: int
) -> Ints:
    """Draw indexes, each as often as its share says; shares need not add up to 1."""
    weights = np.asarray(shares, dtype=np.float64)
    return rng.choice(len(weights), size, p=weights / weights.sum())


def words(words: Sequence[str], index: Ints) -> pa.Array:
    """Return the word at each index, null where the index is negative."""
    return pa.array(words, pa.string()).take(pa.array(index, mask=index < 0))


def count_words(words: Sequence[str], index: Ints) -> dict[str, int]:
    """Return how often each word was drawn, without those that never were."""
    found = np.bincount(index[index >= 0], minlength=len(words))
    return {word: int(count) for word, count in zip(words, found, strict=True) if count}


def hex_ids(rng: np.random.Generator, count: int) -> pa.Array:
    """Return random texts of 32 hexadecimal digits."""
    digits = np.frombuffer(rng.bytes(16 * count).hex().encode(), "S32")
    return pa.array(digits).cast(pa.string())


def join(*parts: str | Ints | pa.Array) -> pa.Array:
    """Put texts together row by row."""
    texts = [part if isinstance(part, str) else pa.array(part).cast(pa.string()) for part in parts]
    return pc.binary_join_element_wise(*texts, "")


def write_table(table: pa.Table, path: Path) -> None:
    """Write JSON lines, or CSV where the name says so, in the order of the rows."""
    form = "csv, header" if path.suffix == ".csv" else "json"
    target = str(path).replace("'", "''")
    with duckdb.connect() as connection:
        connection.execute("set enable_progress_bar = false")
        connection.register("sent", table)
        connection.execute(f"""
            copy (
                select * replace (strftime(timestamp, '%Y-%m-%dT%H:%M:%S.%fZ') as timestamp)
                from sent
            ) to '{target}' (format {form})
        """)


def write_gzip(table: pa.Table, path: Path) -> None:
    """Write compressed JSON lines; the header holds neither name nor time, so bytes repeat."""
    plain = path.with_suffix("")
    write_table(table, plain)
    with (
        plain.open("rb") as source,
        path.open("wb") as target,
        gzip.GzipFile("", "wb", compresslevel=1, fileobj=target, mtime=0) as packed,
    ):
        shutil.copyfileobj(source, packed, 1 << 20)
    plain.unlink()
