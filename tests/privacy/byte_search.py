"""Where any of many byte strings occurs in files, whatever the files hold."""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import duckdb
import numpy as np

from loaders.home import quote

_HEAD = 6  # bytes by which needles are looked up; shorter needles are refused
_CHUNK = 1 << 20
_MIXER = np.uint64(0x9E3779B97F4A7C15)  # spreads heads evenly over the 24 bits of the sieve


class Needles:
    """Byte strings to search for, all in one pass over the data. Each has a name to report."""

    def __init__(self, names: dict[bytes, str]) -> None:
        self.names = names
        self._by_head: dict[int, dict[int, set[bytes]]] = defaultdict(lambda: defaultdict(set))
        for needle in names:
            assert len(needle) >= _HEAD, "too short to search for"
            head = int.from_bytes(needle[:_HEAD], "little")
            self._by_head[head][len(needle)].add(needle)
        self._heads = np.array(sorted(self._by_head), dtype=np.uint64)
        self._sieve = np.zeros(1 << 24, dtype=bool)
        self._sieve[self._heads * _MIXER >> np.uint64(40)] = True

    def names_in(self, data: bytes) -> set[str]:
        """Names of the needles that occur in the data."""
        return {
            self.names[needle]
            for start in range(0, len(data), _CHUNK)
            for place in self._candidates(data[start : start + _CHUNK + _HEAD - 1])
            for needle in self._needles_at(data, start + place)
        }

    def _candidates(self, data: bytes) -> Iterator[int]:
        """Places at which the first bytes are those of some needle."""
        octets = np.frombuffer(data, dtype=np.uint8).astype(np.uint64)
        windows = np.zeros(max(len(octets) - _HEAD + 1, 0), dtype=np.uint64)
        for i in range(_HEAD):
            windows |= octets[i : i + len(windows)] << np.uint64(8 * i)
        places = np.flatnonzero(self._sieve[windows * _MIXER >> np.uint64(40)])
        nearest = np.searchsorted(self._heads, windows[places]).clip(max=len(self._heads) - 1)
        yield from places[self._heads[nearest] == windows[places]].tolist()

    def _needles_at(self, data: bytes, place: int) -> Iterator[bytes]:
        head = int.from_bytes(data[place : place + _HEAD], "little")
        for length, needles in self._by_head[head].items():
            if data[place : place + length] in needles:
                yield data[place : place + length]


def search(needles: Needles, roots: Iterable[Path]) -> dict[str, set[str]]:
    """Names of the needles in each file below the roots that holds any."""
    found = {str(file): needles.names_in(read(file)) for root in roots for file in files(root)}
    return {file: names for file, names in found.items() if names}


def files(root: Path) -> list[Path]:
    """The files below a folder, or the file itself."""
    below = sorted(root.rglob("*")) if root.is_dir() else [root]
    return [path for path in below if path.is_file()]


def read(file: Path) -> bytes:
    """The bytes of a file and, of a Parquet file, also what its compressed columns say."""
    data = file.read_bytes()
    if file.suffix != ".parquet":
        return data
    path = quote(str(file))
    rows = duckdb.sql(f"from read_parquet({path}, hive_partitioning = false)")
    return data + b"\n" + as_text(rows)


def as_text(rows: duckdb.DuckDBPyRelation) -> bytes:
    """All values of a relation, each as text on a line of its own."""
    values = rows.project("columns(*)::varchar").fetchall()
    return "\n".join(str(value) for row in values for value in row).encode()


def encodings(secret: bytes) -> dict[bytes, str]:
    """A secret as programs write bytes. Base64 as it looks at any place of a longer text."""
    shown = duckdb.execute("select cast(?::blob as varchar)", [secret]).fetchall()[0][0]
    forms = {
        secret: "raw",
        secret.hex().encode(): "hex",
        secret.hex().upper().encode(): "HEX",
        shown.encode(): "as DuckDB shows it",
        json.dumps(shown)[1:-1].encode(): "as DuckDB shows it, in JSON",
        str(secret)[2:-1].encode(): "as Python shows it",
    }
    for before in range(3):
        whole = len(secret) + before - (len(secret) + before) % 3
        text = base64.b64encode(bytes(before) + secret[: whole - before])
        forms[text[4 if before else 0 :]] = "base64"
    return forms
