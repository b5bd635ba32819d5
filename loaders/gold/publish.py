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
file and a folder of its own (`audiences`).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from loaders.durable import durable_file, durable_rename, fsync_folder
from loaders.errors import AssayError
from loaders.gold.audiences import forget_gone, partner_shelves
from loaders.gold.green import green_build
from loaders.gold.shelf import Shelf
from loaders.home import Home, quote

# A format that DuckDB 1.4 still reads: Metabase's driver bundles its own, older DuckDB.
STORAGE_VERSION = "v1.2.0"
# Longer than a query takes from listing the releases to reading the pointer.
GRACE_SECONDS = 1.0
# Two releases stay whatever their age, and all that a running query may still read.
KEPT_RELEASES = 2
KEPT_SECONDS = 10.0
KEPT_SHAPES = 2

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
        shelves = [restricted, *partners, main]
        columns = {shelf: _columns(warehouse, shelf) for shelf in shelves}
        made = {
            shelf: _lay_out(warehouse, shelf, build_id, columns[shelf], now)
            for shelf in shelves
            if columns[shelf] or not shelf.is_private
        }
    if any((folder.parent / "live.csv").exists() for _, folder in made.values()):
        time.sleep(GRACE_SECONDS)
    for shelf, (_, folder) in made.items():
        _turn(shelf, folder)
        _write_views(shelf, folder.parent, list(columns[shelf]))
        _forget_old(folder.parent, now)
    forget_gone(home, partners)
    return made[main][0]


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


def _columns(warehouse: duckdb.DuckDBPyConnection, shelf: Shelf) -> dict[str, list[str]]:
    """Marts of a schema with their columns and types."""
    rows = warehouse.execute(
        "select table_name, list(column_name || ' ' || data_type order by ordinal_position) "
        "from information_schema.columns where table_schema = ? group by 1 order by 1",
        [shelf.schema],
    ).fetchall()
    return {str(mart): list(columns) for mart, columns in rows if shelf.holds(mart)}


def _lay_out(
    warehouse: duckdb.DuckDBPyConnection,
    shelf: Shelf,
    build_id: str,
    columns: dict[str, list[str]],
    now: datetime,
) -> tuple[Release, Path]:
    """Put a release beside those that are there. Returns it and its folder; no pointer names it."""
    release_id = f"{now:%Y%m%dT%H%M%S%f}"
    shelf.folder.mkdir(mode=shelf.mode, parents=True, exist_ok=True)
    aside = shelf.folder / ".new" / release_id
    shutil.rmtree(aside.parent, ignore_errors=True)  # what a killed publication wrote
    aside.mkdir(parents=True)
    rows = {mart: _export(warehouse, shelf, mart, aside) for mart in columns}
    release = Release(release_id, build_id, now.isoformat(), rows)
    with durable_file(aside / "release.json") as file:
        file.write(json.dumps(asdict(release)).encode())
    fsync_folder(aside)

    digest = hashlib.sha256(json.dumps(columns).encode()).hexdigest()
    shape = shelf.folder / "releases" / digest[:12]
    shape.mkdir(parents=True, exist_ok=True)
    folder = shape / f"{_LAST_SECOND - now.timestamp():017.6f}-{release_id}"
    durable_rename(aside, folder)
    return release, folder


def _export(warehouse: duckdb.DuckDBPyConnection, shelf: Shelf, mart: str, folder: Path) -> int:
    path = folder / f"{mart}.parquet"
    copied = warehouse.execute(
        f"copy (select * from {shelf.schema}.{mart} where {shelf.condition(mart)} order by all) "
        f"to {quote(str(path))} (format parquet, compression zstd)"
    ).fetchone()
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return int(copied[0]) if copied else 0


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


def _write_views(shelf: Shelf, shape: Path, marts: list[str]) -> None:
    """Rewrite the file of views, unless it already shows this shape."""
    local = str(shape.resolve())
    given = None if shelf.is_private else os.environ.get("ASSAY_PUBLISHED_PATH")
    seen_by_readers = f"{given}/releases/{shape.name}" if given else local
    shown = shelf.folder / "views.path"
    if shelf.file.exists() and shown.exists() and shown.read_text() == seen_by_readers:
        return
    aside = shelf.file.with_suffix(".new")
    aside.unlink(missing_ok=True)
    with duckdb.connect() as connection:
        connection.execute(
            f'attach {quote(str(aside))} as "{shelf.file.stem}" '
            f"(storage_version {quote(STORAGE_VERSION)})"
        )
        connection.execute(f'use "{shelf.file.stem}"')
        connection.execute(f"create schema {shelf.schema}")
        connection.execute("create schema release")
        # A view binds when it is made, and the path that readers see may not exist here. A macro
        # does not: it is made with the path of here, and then again with the readers'.
        connection.execute(_mart_macro(local))
        for mart in marts:
            connection.execute(
                f"create view {shelf.schema}.{mart} as select * from release.mart({quote(mart)})"
            )
        connection.execute(_mart_macro(seen_by_readers))
        connection.execute("use memory")
    aside.chmod(shelf.mode & 0o666)
    durable_rename(aside, shelf.file)
    with durable_file(shown) as file:
        file.write(seen_by_readers.encode())


def _mart_macro(shape: str) -> str:
    return f"""
        create or replace macro release.mart(name) as table
        select * exclude (filename)
        from read_parquet({quote(shape + "/*/")} || name || '.parquet', filename = true)
        where filename = (
            select {quote(shape + "/")} || live || '/' || name || '.parquet'
            from read_csv(
                {quote(shape + "/live.csv")},
                header = false, auto_detect = false, columns = {{'live': 'varchar'}}
            )
        )
    """


def _forget_old(shape: Path, now: datetime) -> None:
    """Remove releases that no query can still be reading, and shapes nobody is connected to."""
    releases = sorted(folder for folder in shape.iterdir() if folder.is_dir())  # newest first
    for folder in releases[KEPT_RELEASES:]:
        if _LAST_SECOND - float(folder.name.split("-")[0]) < now.timestamp() - KEPT_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
    shapes = sorted(shape.parent.iterdir(), key=lambda s: (s / "live.csv").stat().st_mtime)
    for old in shapes[:-KEPT_SHAPES]:
        shutil.rmtree(old, ignore_errors=True)
