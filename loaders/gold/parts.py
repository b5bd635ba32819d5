"""The rows of many partners, parted in one pass over each mart."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from loaders.gold.audiences import OWN
from loaders.gold.shelf import Shelf
from loaders.home import quote

_HOW = "format parquet, compression zstd"


@dataclass(frozen=True, slots=True)
class Part:
    """How many rows a partner has of each mart, and a digest that changes when they do."""

    rows: dict[str, int]
    digest: str


def parts_of(warehouse: duckdb.DuckDBPyConnection, shelves: Iterable[Shelf]) -> dict[Shelf, Part]:
    """What there is for each partner's shelf."""
    sums: dict[tuple[str, bool], dict[str | None, tuple[int, str]]] = {}
    parts = {}
    for shelf in shelves:
        found: dict[str, tuple[int, str]] = {}
        for mart, own in (shelf.rows or {}).items():
            key = (mart, own is not None)
            if key not in sums:
                sums[key] = _sums(warehouse, *key)
            found[mart] = sums[key].get(own, (0, "0"))
        digest = hashlib.sha256(json.dumps(found).encode()).hexdigest()
        parts[shelf] = Part({mart: rows for mart, (rows, _) in found.items()}, digest)
    return parts


def write_parts(
    warehouse: duckdb.DuckDBPyConnection, folders: Mapping[Shelf, Path], aside: Path
) -> None:
    """Write a file per mart into the folder of each shelf, by way of a folder `aside`."""
    numbered = list(enumerate(folders))
    # What is written to again after it was closed would go on in a second file.
    warehouse.execute(f"set partitioned_write_max_open_files = {len(numbered) + 1}")
    for mart in sorted({mart for shelf in folders for mart in shelf.rows or {}}):
        shutil.rmtree(aside, ignore_errors=True)  # also what a killed publication wrote
        aside.mkdir(parents=True)
        owners = [
            f"({number}, {quote(own)})"
            for number, shelf in numbered
            if (own := (shelf.rows or {}).get(mart)) is not None
        ]
        # What all read, or what they have of whom the mart has no rows.
        shared = aside / "shared.parquet"
        condition = "false" if owners else "true"
        warehouse.execute(
            f"copy (select * from gold.{mart} where {condition} order by all) "
            f"to {quote(str(shared))} ({_HOW})"
        )
        if owners:
            warehouse.execute(
                f"copy (select owners.part_number, mart.* from gold.{mart} as mart "
                f"inner join (values {', '.join(owners)}) as owners (part_number, own) "
                f"on mart.{OWN} = owners.own order by all) "
                f"to {quote(str(aside / 'parts'))} ({_HOW}, partition_by (part_number))"
            )
        for number, shelf in numbered:
            target = folders[shelf] / f"{mart}.parquet"
            files = list((aside / "parts" / f"part_number={number}").glob("*.parquet"))
            if files:
                [file] = files
                file.replace(target)
            else:
                shutil.copyfile(shared, target)
    shutil.rmtree(aside, ignore_errors=True)


def _sums(
    warehouse: duckdb.DuckDBPyConnection, mart: str, is_parted: bool
) -> dict[str | None, tuple[int, str]]:
    """By partner, or by None for the whole: rows, and a sum of hashes, whatever their order."""
    rows = warehouse.execute(
        f"""
        select
            {OWN if is_parted else "null"},
            count(*),
            cast(sum(cast(hash(of_mart) as hugeint)) as text)
        from gold.{mart} as of_mart
        group by 1
        """
    ).fetchall()
    return {own: (count, total) for own, count, total in rows}
