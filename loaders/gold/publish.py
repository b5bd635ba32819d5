"""Publish gold: Parquet files of one release, a pointer to it, and a small file of views.

Readers open `published.duckdb` and may keep it open: with its next query they see the new release.

    published/current                    symlink to the live release, for people
    published/releases/<shape>/live.csv  the pointer that the views follow
    published/releases/<shape>/<name>/   one Parquet file per mart, and release.json

A query opens a file when it is planned and again when it runs. A view on a path whose content
changes (a swapped symlink) therefore mixed two releases in one result, seen with DuckDB 1.4. Here a
path never changes its content: the views list all releases, and read the one that the pointer
names. A release is there for a moment before the pointer turns to it, so that whoever reads the
pointer has the release in his list; names sort newest first, since the first file is opened to
learn the columns, and the oldest ones go.

A shape is a set of marts and columns. When it changes, so does the file of views, and a reader that
is still connected goes on with the last release of the old shape.

Marts whose rows stand for one person are published the same way, to `restricted.duckdb` and
`restricted/`, which only the user that builds may read; and so is what each partner may read, to a
file and a folder of its own (`audiences`): anew only where its rows changed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from loaders.durable import durable_file, durable_rename, fsync_folder
from loaders.errors import AssayError
from loaders.gold.audiences import forget_gone, partner_shelves
from loaders.gold.green import green_build
from loaders.gold.parts import parts_of, write_parts
from loaders.gold.shelf import Shelf
from loaders.gold.views import write_views
from loaders.home import Home, quote

# Longer than a query takes from listing the releases to reading the pointer.
GRACE_SECONDS = 1.0
# Two releases stay whatever their age, and all that a running query may still read.
KEPT_RELEASES = 2
KEPT_SECONDS = 10.0
KEPT_SHAPES = 2

_AT_ONCE = 8
_LAST_SECOND = 10**10


@dataclass(frozen=True, slots=True)
class Release:
    """One published state of gold."""

    release_id: str
    build_id: str
    published_at: str
    rows: dict[str, int]


def publish(home: Home) -> Release:
    """Publish the warehouse's gold. For who has the turn. Raises AssayError unless it is green."""
    now = datetime.now(UTC)
    main = Shelf("gold", home.published, home.published_file)
    restricted = Shelf("gold_restricted", home.restricted, home.restricted_file, is_private=True)
    with open_warehouse(home) as warehouse:
        build_id = green_build(home, _last_build(warehouse))
        partners = partner_shelves(home, warehouse)
        columns = _columns(warehouse, [restricted, *partners, main])
        shapes = {shelf: _shape(shelf, marts) for shelf, marts in columns.items()}
        parts = {
            shelf: part
            for shelf, part in parts_of(warehouse, partners).items()
            if _shown_digest(shelf, shapes[shelf]) != part.digest
        }
        whole = [restricted, main] if columns[restricted] else [main]
        asides = {shelf: _aside(shelf, now) for shelf in (*parts, *whole)}
        counts = {shelf: part.rows for shelf, part in parts.items()} | {
            shelf: {mart: _export(warehouse, shelf, mart, asides[shelf]) for mart in columns[shelf]}
            for shelf in whole
        }
        if parts:
            folders_of_parts = {shelf: asides[shelf] for shelf in parts}
            write_parts(warehouse, folders_of_parts, home.partners / ".new")
    releases = {
        shelf: Release(aside.name, build_id, now.isoformat(), counts[shelf])
        for shelf, aside in asides.items()
    }

    folders: dict[Shelf, Path] = {}

    def lay_out(shelf: Shelf) -> Path:
        digest = parts[shelf].digest if shelf in parts else None
        return _lay_out(asides[shelf], releases[shelf], digest, shapes[shelf], now)

    def show(shelf: Shelf) -> None:
        if shelf in folders:
            _turn(shelf, folders[shelf])
        write_views(shelf, shapes[shelf], list(columns[shelf]))
        if shelf in folders:
            _forget_old(shapes[shelf], now)

    # Most of the time is the disk's, which is quicker with several files than with one by one.
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        folders |= zip(asides, pool.map(lay_out, asides), strict=True)
        if any((shapes[shelf] / "live.csv").exists() for shelf in folders):
            time.sleep(GRACE_SECONDS)
        list(pool.map(show, dict.fromkeys([*partners, *whole])))
    forget_gone(home, partners)
    return releases[main]


def current_release(home: Home) -> Release | None:
    """What readers see now, or None before the first publication."""
    path = home.published / "current" / "release.json"
    if not path.exists():
        return None
    return Release(**json.loads(path.read_text(encoding="utf-8")))


def open_warehouse(home: Home) -> duckdb.DuckDBPyConnection:
    """The warehouse, to read. Raises AssayError where there is none, or another process builds."""
    if not home.warehouse.exists():
        raise AssayError(f"No warehouse in {home.path}. Run: dbt build")
    try:
        return duckdb.connect(str(home.warehouse), read_only=True)
    except duckdb.IOException:
        raise AssayError(
            f"{home.warehouse} is in use by another process. Wait for its build, or close it."
        ) from None


def _last_build(warehouse: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    try:
        return list(warehouse.sql("from last_build").to_arrow_table().to_pylist())
    except duckdb.CatalogException:
        return []


def _columns(
    warehouse: duckdb.DuckDBPyConnection, shelves: list[Shelf]
) -> dict[Shelf, dict[str, list[str]]]:
    """Marts of each shelf with their columns and types."""
    rows = warehouse.execute(
        "select table_schema, table_name, "
        "list(column_name || ' ' || data_type order by ordinal_position) "
        "from information_schema.columns group by 1, 2 order by 1, 2"
    ).fetchall()
    return {
        shelf: {
            str(mart): list(columns)
            for schema, mart, columns in rows
            if schema == shelf.schema and shelf.holds(mart)
        }
        for shelf in shelves
    }


def _shape(shelf: Shelf, columns: dict[str, list[str]]) -> Path:
    """The folder of the releases with these marts and columns."""
    digest = hashlib.sha256(json.dumps(columns).encode()).hexdigest()
    return shelf.folder / "releases" / digest[:12]


def _shown_digest(shelf: Shelf, shape: Path) -> str | None:
    """The digest of the rows that readers see in a shape, None where they see none in it."""
    current, pointer = shelf.folder / "current", shape / "live.csv"
    if not (current / "release.json").exists() or not pointer.exists():
        return None
    if current.resolve() != (shape / pointer.read_text(encoding="utf-8").strip()).resolve():
        return None
    told = json.loads((current / "release.json").read_text(encoding="utf-8"))
    return str(told.get("digest"))


def _aside(shelf: Shelf, now: datetime) -> Path:
    """A folder in which a release is made, named by its id."""
    shelf.folder.mkdir(mode=shelf.mode, parents=True, exist_ok=True)
    aside = shelf.folder / ".new" / f"{now:%Y%m%dT%H%M%S%f}"
    shutil.rmtree(aside.parent, ignore_errors=True)  # what a killed publication wrote
    aside.mkdir(parents=True)
    return aside


def _export(warehouse: duckdb.DuckDBPyConnection, shelf: Shelf, mart: str, folder: Path) -> int:
    path = folder / f"{mart}.parquet"
    copied = warehouse.execute(
        f"copy (select * from {shelf.schema}.{mart} order by all) "
        f"to {quote(str(path))} (format parquet, compression zstd)"
    ).fetchone()
    return int(copied[0]) if copied else 0


def _lay_out(aside: Path, release: Release, digest: str | None, shape: Path, now: datetime) -> Path:
    """Put a release beside those that are there. Returns its folder, which no pointer names."""
    for path in aside.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    with durable_file(aside / "release.json") as file:
        file.write(json.dumps(asdict(release) | ({"digest": digest} if digest else {})).encode())
    fsync_folder(aside)
    shape.mkdir(parents=True, exist_ok=True)
    folder = shape / f"{_LAST_SECOND - now.timestamp():017.6f}-{release.release_id}"
    durable_rename(aside, folder)
    return folder


def _turn(shelf: Shelf, folder: Path) -> None:
    """Turn the pointer, which views follow, and the symlink, which people do."""
    aside = folder.parent / "live.new"
    with durable_file(aside) as file:
        file.write(f"{folder.name}\n".encode())
    durable_rename(aside, folder.parent / "live.csv")
    link = shelf.folder / "current.new"
    link.unlink(missing_ok=True)
    link.symlink_to(folder.relative_to(shelf.folder))
    durable_rename(link, shelf.folder / "current")


def _forget_old(shape: Path, now: datetime) -> None:
    """Remove releases that no query can still be reading, and shapes nobody is connected to."""
    releases = sorted(folder for folder in shape.iterdir() if folder.is_dir())  # newest first
    for folder in releases[KEPT_RELEASES:]:
        if _LAST_SECOND - float(folder.name.split("-")[0]) < now.timestamp() - KEPT_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
    shapes = sorted(shape.parent.iterdir(), key=lambda s: (s / "live.csv").stat().st_mtime)
    for old in shapes[:-KEPT_SHAPES]:
        shutil.rmtree(old, ignore_errors=True)
