"""Which databases Metabase reads: gold, and of each partner what is published for it.

| variable | says |
|---|---|
| ASSAY_METABASE_GOLD | the folder of the home as Metabase sees it, such as in a container |
| ASSAY_METABASE_KEYS | on BigQuery: a folder of key files, gold.json and <slug>.json of partners |
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loaders.dashboards.declared import partner_slugs
from loaders.dashboards.errors import MetabaseError
from loaders.dashboards.sql import Engine
from loaders.home import Home

SECRETS = frozenset({"service-account-json"})  # Metabase does not give them back


@dataclass(frozen=True, slots=True)
class Connection:
    """A database of Metabase: its name, driver and details, and how SQL names its tables."""

    name: str
    driver: str
    details: dict[str, Any]
    schema: str
    engine: Engine


def connections(home: Home, with_partners: bool) -> dict[str, Connection]:
    """Gold under "", and partners under their slugs. Raises MetabaseError."""
    if home.bigquery:
        partners = partner_slugs() if with_partners else []
        return {slug: _bigquery(home, slug) for slug in ("", *partners)}
    there = [slug for slug in partner_slugs() if home.partner_file(slug).exists()]
    return {slug: _duckdb(home, slug) for slug in ("", *(there if with_partners else []))}


def _name(slug: str) -> str:
    return f"Assay gold of {slug}" if slug else "Assay gold"


def _duckdb(home: Home, slug: str) -> Connection:
    file = home.partner_file(slug) if slug else home.published_file
    folder = os.environ.get("ASSAY_METABASE_GOLD") or str(home.path.resolve())
    details = {
        "database_file": f"{folder.rstrip('/')}/{file.name}",
        "read_only": True,
        "old_implicit_casting": True,
    }
    return Connection(_name(slug), "duckdb", details, "gold", Engine("duckdb", "gold"))


def _bigquery(home: Home, slug: str) -> Connection:
    target = home.bigquery
    assert target is not None
    from loaders.gold.partner_datasets import dataset_of  # noqa: PLC0415 - an extra

    dataset = dataset_of(target, slug) if slug else target.layer("gold")
    folder = os.environ.get("ASSAY_METABASE_KEYS")
    if not folder:
        raise MetabaseError("ASSAY_METABASE_KEYS names no folder with key files. Set it.")
    file = Path(folder) / f"{slug or 'gold'}.json"
    if not file.exists():
        raise MetabaseError(f"{file} is missing: the key of a service account. Put it there.")
    details = {
        "project-id": target.project,
        "service-account-json": file.read_text(encoding="utf-8"),
        "dataset-filters-type": "inclusion",
        "dataset-filters-patterns": dataset,
    }
    tables = f"{target.project}.{dataset}"
    return Connection(
        _name(slug), "bigquery-cloud-sdk", details, dataset, Engine("bigquery", tables)
    )
