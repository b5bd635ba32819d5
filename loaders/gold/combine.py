"""Combine the published gold of several residencies into one file, which may lie anywhere.

Events, and rows or pseudonyms of people, never leave their residency: only marts pass whose every
cell has k people, or noise. Nothing is added up: a column says whose each row is.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from loaders import audit
from loaders.audit.rights import refuse_denied
from loaders.durable import durable_rename
from loaders.errors import AssayError
from loaders.gold.marts import anonymous_marts
from loaders.gold.publish import Release, current_release
from loaders.gold.views import STORAGE_VERSION
from loaders.home import Home, quote


@dataclass(frozen=True, slots=True)
class Combined:
    """What was combined: the release of each residency, and the rows of each mart."""

    releases: dict[str, str]
    rows: dict[str, int]


def combine(homes: list[Home], output: Path) -> Combined:
    """Write the anonymous marts of these homes to a DuckDB file, schema `gold`.

    Each home's audit log says so before the file is there. Raises AssayError where
    whoever acts may not export from all of them, where homes share a residency, or one has nothing
    published.
    """
    for home in homes:
        refuse_denied(home, "export")
    published = _published(homes)
    if output.stem in ("gold", "temp", "memory", "system"):
        raise AssayError(f"No reader could open a file named {output.stem}. Use another name.")
    output.parent.mkdir(parents=True, exist_ok=True)
    aside = output.with_name(f"{output.name}.new")
    aside.unlink(missing_ok=True)
    try:
        rows = _write(published, aside)
        for home, release in published.items():
            audit.append(
                home,
                "export",
                query_params={"combined": sorted(other.residency for other in published)},
                export_format="duckdb",
                export_size=sum(release.rows.get(mart, 0) for mart in rows),
                lineage={
                    "data_source": f"release {release.release_id}",
                    "transformations": [f"gold.{mart}" for mart in rows if mart in release.rows],
                    "output": output.name,
                },
            )
        durable_rename(aside, output)
    finally:
        aside.unlink(missing_ok=True)
    return Combined({home.residency: r.release_id for home, r in published.items()}, rows)


def _published(homes: list[Home]) -> dict[Home, Release]:
    """What each home has published."""
    residencies = [home.residency for home in homes]
    if len(homes) < 2 or len(set(residencies)) < len(residencies):
        raise AssayError(
            f"These homes are of {', '.join(residencies) or 'no residency'}. "
            "Name one home of each of two or more residencies."
        )
    found = {}
    for home in homes:
        release = current_release(home)
        if release is None:
            raise AssayError(f"Nothing is published in {home.path}. Run: assay refresh")
        found[home] = release
    return found


def _write(published: dict[Home, Release], file: Path) -> dict[str, int]:
    """Write each mart that some home has. Returns how many rows it has."""
    rows = {}
    with duckdb.connect() as connection:
        connection.execute(
            f"attach {quote(str(file))} as combined (storage_version {quote(STORAGE_VERSION)})"
        )
        connection.execute("create schema combined.gold")
        for mart in anonymous_marts():
            parts = [
                f"select {quote(home.residency)} as residency, * from {_parquet(home, mart)}"
                for home, release in published.items()
                if mart in release.rows
            ]
            if parts:
                connection.execute(
                    f"create table combined.gold.{mart} as "
                    f"{' union all by name '.join(parts)} order by all"
                )
                counted = connection.execute(f"select count(*) from combined.gold.{mart}")
                rows[mart] = int(counted.fetchall()[0][0])
    return rows


def _parquet(home: Home, mart: str) -> str:
    """The file of a mart, by the path that never changes its content."""
    return quote(str((home.published / "current").resolve() / f"{mart}.parquet"))
