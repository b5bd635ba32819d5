"""The file of views that readers open: it shows the release that the pointer of a shape names."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb

from loaders.durable import durable_file, durable_rename
from loaders.gold.shelf import Shelf
from loaders.home import quote

# A format that DuckDB 1.4 still reads: Metabase's driver bundles its own, older DuckDB.
STORAGE_VERSION = "v1.2.0"


def write_views(shelf: Shelf, shape: Path, marts: list[str]) -> None:
    """Rewrite the file of views, unless it already shows this shape."""
    local = str(shape.resolve())
    folder = _seen_by_readers(shelf)
    seen_by_readers = f"{folder}/releases/{shape.name}" if folder else local
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


def _seen_by_readers(shelf: Shelf) -> str | None:
    """The folder of a shelf under the path of readers, None where that is the one it has here.

    Partners' folders are beside the one of all, as they are in a home.
    """
    given = os.environ.get("ASSAY_PUBLISHED_PATH")
    if not given or shelf.is_private:
        return None
    if shelf.rows is None:
        return given
    return str(Path(given).parent / shelf.folder.parent.name / shelf.folder.name)


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
