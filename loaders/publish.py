"""Publish gold: Parquet files of one release behind a symlink, and a small file of views on them.

Readers open `published.duckdb`. Its views read `published/current/`, a symlink that one rename
turns to the new release, so a reader that keeps its connection open sees the new data with its
next query. The file itself is rewritten only when a mart or a column comes or goes.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from loaders.durable import durable_file, durable_rename, fsync_folder
from loaders.errors import AssayError
from loaders.home import Home, quote

# A format that DuckDB 1.4 still reads: Metabase's driver bundles its own, older DuckDB.
STORAGE_VERSION = "v1.2.0"
KEPT_RELEASES = 2


@dataclass(frozen=True, slots=True)
class Release:
    """One published state of gold."""

    release_id: str
    build_id: str
    published_at: str
    rows: dict[str, int]


def publish(home: Home) -> Release:
    """Publish the warehouse's gold. Raises AssayError unless the last build was green."""
    with open_warehouse(home) as warehouse:
        build_id = _green_build(warehouse)
        now = datetime.now(UTC)
        release_id = f"{now:%Y%m%dT%H%M%S%f}"
        folder = home.published / "releases" / release_id
        folder.mkdir(parents=True)
        rows = {mart: _export(warehouse, mart, folder) for mart in _marts(warehouse)}
        columns = _columns(warehouse)
    release = Release(release_id, build_id, now.isoformat(), rows)
    with durable_file(folder / "release.json") as file:
        file.write(json.dumps(asdict(release)).encode())
    fsync_folder(folder)
    _turn(home, release_id)
    _write_views(home, columns)
    _forget_old(home)
    return release


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


def _green_build(warehouse: duckdb.DuckDBPyConnection) -> str:
    try:
        row = warehouse.execute(
            "select build_id, is_green, failed_nodes from last_build"
        ).fetchone()
    except duckdb.CatalogException:
        row = None
    if row is None:
        raise AssayError("Nothing to publish: there was no build yet. Run: dbt build")
    if not row[1]:
        raise AssayError(
            f"Not published: {row[2]} nodes of the last build failed. Readers keep the last green "
            "one. Mend what logs/dbt.log names, and build again."
        )
    return str(row[0])


def _marts(warehouse: duckdb.DuckDBPyConnection) -> list[str]:
    rows = warehouse.execute(
        "select table_name from information_schema.tables where table_schema = 'gold' order by 1"
    ).fetchall()
    return [str(row[0]) for row in rows]


def _columns(warehouse: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    rows = warehouse.execute(
        "select table_name, list(column_name || ' ' || data_type order by ordinal_position) "
        "from information_schema.columns where table_schema = 'gold' group by 1 order by 1"
    ).fetchall()
    return {str(mart): list(columns) for mart, columns in rows}


def _export(warehouse: duckdb.DuckDBPyConnection, mart: str, folder: Path) -> int:
    path = folder / f"{mart}.parquet"
    warehouse.execute(
        f"copy (select * from gold.{mart} order by all) to {quote(str(path))} "
        "(format parquet, compression zstd)"
    )
    with path.open("rb") as file:
        os.fsync(file.fileno())
    count = warehouse.execute(f"select count(*) from gold.{mart}").fetchone()
    return int(count[0]) if count else 0


def _turn(home: Home, release_id: str) -> None:
    """Point `current` at a release, by one rename."""
    aside = home.published / "current.new"
    aside.unlink(missing_ok=True)
    aside.symlink_to(Path("releases") / release_id)
    durable_rename(aside, home.published / "current")


def _write_views(home: Home, columns: dict[str, list[str]]) -> None:
    """Rewrite the file of views, unless it already shows these marts and columns."""
    seen_by_readers = os.environ.get("ASSAY_PUBLISHED_PATH") or str(home.published.resolve())
    shape = {"path": seen_by_readers, "columns": columns}
    remembered = home.published / "views.json"
    if (
        home.published_file.exists()
        and remembered.exists()
        and json.loads(remembered.read_text(encoding="utf-8")) == shape
    ):
        return
    aside = home.path / "published.new"
    aside.unlink(missing_ok=True)
    with duckdb.connect() as connection:
        connection.execute(
            f"attach {quote(str(aside))} as published (storage_version {quote(STORAGE_VERSION)})"
        )
        connection.execute("use published")
        connection.execute("create schema gold")
        connection.execute("create schema release")
        # A view binds when it is made, and the path that readers see may not exist here. A macro
        # does not: it is made with the path of here, and then again with the readers'.
        connection.execute(_mart_macro(str(home.published.resolve())))
        for mart in columns:
            connection.execute(
                f"create view gold.{mart} as select * from release.mart({quote(mart)})"
            )
        connection.execute(_mart_macro(seen_by_readers))
        connection.execute("use memory")
    durable_rename(aside, home.published_file)
    with durable_file(remembered) as file:
        file.write(json.dumps(shape).encode())


def _mart_macro(published: str) -> str:
    return (
        "create or replace macro release.mart(name) as table "
        f"select * from read_parquet({quote(published + '/current/')} || name || '.parquet')"
    )


def _forget_old(home: Home) -> None:
    """Keep the last releases: a query that began on an older one may still be reading it."""
    releases = sorted((home.published / "releases").iterdir())
    for folder in releases[:-KEPT_RELEASES]:
        shutil.rmtree(folder, ignore_errors=True)
