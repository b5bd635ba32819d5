"""The home: one folder that holds everything Assay keeps, for one residency."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from loaders import vault
from loaders.contracts import load_contracts
from loaders.durable import durable_file, durable_rename, fsync_folder
from loaders.errors import AssayError

RESIDENCIES = ("eu", "us")

# Every table has one file without rows, so that a table nobody has landed in can still be read.
_SCHEMA_PARTITION = "ingest_date=1970-01-01"


@dataclass(frozen=True, slots=True)
class Home:
    """Paths of a home. Holds one residency: rows of another never enter it."""

    path: Path

    @property
    def marker(self) -> Path:
        return self.path / "home.json"

    @property
    def bronze(self) -> Path:
        return self.path / "bronze"

    @property
    def warehouse(self) -> Path:
        return self.path / "warehouse.duckdb"

    @property
    def vault(self) -> Path:
        return self.path / "vault.duckdb"

    @property
    def published(self) -> Path:
        return self.path / "published"

    @property
    def published_file(self) -> Path:
        return self.path / "published.duckdb"

    @property
    def residency(self) -> str:
        return str(json.loads(self.marker.read_text(encoding="utf-8"))["residency"])

    def glob(self, table: str) -> str:
        """What a reader of one bronze table opens."""
        return str(self.bronze / table / "**" / "*.parquet")


def home_path(given: str | Path | None = None) -> Path:
    """The home that is meant: the one given, else ASSAY_HOME, else `.assay` below this folder."""
    return Path(given or os.environ.get("ASSAY_HOME") or ".assay")


def open_home(given: str | Path | None = None) -> Home:
    """An existing home. Raises AssayError, in one line, where there is none."""
    home = Home(home_path(given))
    if not home.marker.exists():
        raise AssayError(f'No home at {home.path}. Run "assay init", or set ASSAY_HOME.')
    return home


def init_home(given: str | Path | None = None, residency: str = "eu") -> tuple[Home, bool]:
    """Make a home, or complete one that is already there.

    Returns the home and whether it is new. Never touches a key or a row that exists.
    """
    home = Home(home_path(given))
    is_new = not home.marker.exists()
    if not is_new and home.residency != residency:
        raise AssayError(
            f"The home at {home.path} holds residency {home.residency}, not {residency}. "
            "Use another folder: residencies never share a home."
        )
    home.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    home.path.chmod(0o700)  # a folder that was there already may be open to others
    _make_bronze(home)
    vault.init_vault(home.vault, residency)
    if is_new:
        aside = home.marker.with_suffix(f".{secrets.token_hex(4)}.new")
        made = {"residency": residency, "created_at": datetime.now(UTC).isoformat()}
        with durable_file(aside) as file:
            file.write(json.dumps(made).encode())
        durable_rename(aside, home.marker)
    return home, is_new


def bronze_reader(home: Home, *tables: str) -> duckdb.DuckDBPyConnection:
    """A connection in which every bronze table is a view over its Parquet files.

    Where `tables` are named, only these are: what is wrong with the files of others is no matter.
    Raises AssayError where the home is older than a table, or where a file is damaged.
    """
    connection = connect()
    connection.execute("create schema bronze")
    for table in tables or load_contracts():
        if not (home.bronze / table).is_dir():
            raise AssayError(f"{home.path} has no table {table} yet. Run: assay init")
        try:
            connection.execute(
                f"create view bronze.{table} as select * from read_parquet("
                f"{quote(home.glob(table))}, union_by_name = true, hive_partitioning = true)"
            )
        except duckdb.Error as error:
            connection.close()
            damaged = next(filter(_is_damaged, sorted(home.bronze.glob(f"{table}/**/*.parquet"))))
            raise AssayError(
                f"{damaged.relative_to(home.path)} is damaged ({type(error).__name__}). Fetch it "
                "from a backup, or take it and its ledger line away and land the file again."
            ) from None
    return connection


def _is_damaged(file: Path) -> bool:
    try:
        pq.ParquetFile(file).close()
    except (pa.ArrowException, OSError):
        return True
    return False


def connect() -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB with the clock set as everywhere in Assay: UTC."""
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    return connection


def quote(text: str) -> str:
    """A SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def _make_bronze(home: Home) -> None:
    for table, contract in load_contracts().items():
        folder = home.bronze / table / _SCHEMA_PARTITION
        folder.mkdir(parents=True, exist_ok=True)
        aside = folder / f"schema-{secrets.token_hex(4)}.new"  # several may make a home at once
        with durable_file(aside) as file:
            pq.write_table(contract.arrow_schema.empty_table(), file)
        durable_rename(aside, folder / "schema.parquet")
        fsync_folder(folder)
        fsync_folder(folder.parent)
    fsync_folder(home.bronze)
    fsync_folder(home.path)
