"""The home: one folder that holds everything Assay keeps, for one residency."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from loaders import vault
from loaders.compaction.switch import undisturbed
from loaders.contracts import load_contracts
from loaders.durable import durable_file, durable_rename, fsync_folder
from loaders.errors import AssayError
from loaders.permissions import begin_permissions

RESIDENCIES = ("eu", "us")

# Every table has one file without rows, so that a table nobody has landed in can still be read.
_SCHEMA_PARTITION = "ingest_date=1970-01-01"
SCHEMA_FILE = "schema.parquet"
# What DuckDB says of a file that is damaged, also where it cannot even say it.
_UNREADABLE = (duckdb.Error, RuntimeError, UnicodeDecodeError)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a home lands that does not land in itself: datasets of a BigQuery project.

    `dataset` is what dbt calls its schema; each layer has a dataset of its own beside it. All lie
    in one location, that of the residency.
    """

    project: str
    dataset: str
    location: str

    def layer(self, name: str) -> str:
        """The dataset of a layer: bronze, silver, gold or vault."""
        return f"{self.dataset}_{name}"


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
    def restricted(self) -> Path:
        return self.path / "restricted"

    @property
    def restricted_file(self) -> Path:
        return self.path / "restricted.duckdb"

    @property
    def partners(self) -> Path:
        """What is published for each partner, a folder by its slug."""
        return self.path / "partners"

    def partner_file(self, slug: str) -> Path:
        """What that partner's reader opens."""
        return self.path / f"published_partner_{slug}.duckdb"

    @property
    def residency(self) -> str:
        return str(self._marked()["residency"])

    @property
    def bigquery(self) -> Target | None:
        """Where on BigQuery the home lands, or None where it lands in its own Parquet files."""
        target = self._marked().get("bigquery")
        return Target(**target) if target else None

    def _marked(self) -> dict[str, Any]:
        return dict(json.loads(self.marker.read_text(encoding="utf-8")))

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


def build_command(home: Home) -> str:
    """What brings gold up to date with what landed."""
    return f"dbt build --target bigquery_{home.residency}" if home.bigquery else "assay refresh"


def open_duckdb_home(given: str | Path | None, instead: str | None = None) -> Home:
    """A home with a warehouse of its own. Raises AssayError, with what to run instead, for others.

    `instead` may name the residency, `{residency}`; without it, it is a build.
    """
    home = open_home(given)
    if home.bigquery:
        build = build_command(home)
        raise AssayError(
            f"The home at {home.path} lands on BigQuery, which this command does not reach. "
            f"Instead: {instead.format(residency=home.residency) if instead else build}"
        )
    return home


def init_home(given: str | Path | None = None, residency: str = "eu") -> tuple[Home, bool]:
    """Make a home, or complete one that is already there.

    Returns the home and whether it is new. Never touches a key or a row that exists. Raises
    AssayError where the home is of another residency, or lands on BigQuery.
    """
    home, is_new = begin_home(given, residency, None)
    _make_bronze(home)
    vault.init_vault(home.vault, residency)
    if is_new:
        mark_home(home, residency)
    return home, is_new


def begin_home(
    given: str | Path | None, residency: str, target: Target | None
) -> tuple[Home, bool]:
    """The folder of a home that is to be made or completed, and whether it is new.

    Raises AssayError where a home is there that holds another residency, or lands elsewhere.
    """
    home = Home(home_path(given))
    is_new = not home.marker.exists()
    if not is_new and home.residency != residency:
        raise AssayError(
            f"The home at {home.path} holds residency {home.residency}, not {residency}. "
            "Use another folder: residencies never share a home."
        )
    if not is_new and home.bigquery != target:
        raise AssayError(
            f"The home at {home.path} lands {_place(home.bigquery)}, not {_place(target)}. "
            "Use another folder: a home never changes where it lands."
        )
    home.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    home.path.chmod(0o700)  # a folder that was there already may be open to others
    begin_permissions(home.path)
    return home, is_new


def mark_home(home: Home, residency: str, target: Target | None = None) -> None:
    """Make a folder a home: the last step, when all that a home has is there."""
    aside = home.marker.with_suffix(f".{secrets.token_hex(4)}.new")
    made = {"residency": residency, "created_at": datetime.now(UTC).isoformat()}
    where = {"bigquery": asdict(target)} if target else {}
    with durable_file(aside) as file:
        file.write(json.dumps(made | where).encode())
    durable_rename(aside, home.marker)


def _place(target: Target | None) -> str:
    if target is None:
        return "in Parquet files"
    return f"on BigQuery in {target.project}.{target.dataset} ({target.location})"


@contextlib.contextmanager
def bronze_reader(home: Home, *tables: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection in which every bronze table is a view over its Parquet files.

    Where `tables` are named, only these are: what is wrong with the files of others is no matter.
    No file is merged away until the block ends. Raises AssayError where the home is older than a
    table, or where a file is damaged.
    """
    with undisturbed(home.bronze), connect() as connection:
        connection.execute("create schema bronze")
        for table in tables or load_contracts():
            _view(home, table, connection)
        try:
            yield connection
        except _UNREADABLE as error:  # values are read late, and so is a page that is damaged
            for table in tables or load_contracts():
                if file := _damaged(home, table):
                    raise damaged_file(home, file, error) from None
            raise


def _view(home: Home, table: str, connection: duckdb.DuckDBPyConnection) -> None:
    if not (home.bronze / table).is_dir():
        raise AssayError(f"{home.path} has no table {table} yet. Run: assay init")
    try:
        connection.execute(
            f"create view bronze.{table} as select * from read_parquet("
            f"{quote(home.glob(table))}, union_by_name = true, hive_partitioning = true)"
        )
    except _UNREADABLE as error:
        if file := _damaged(home, table):
            raise damaged_file(home, file, error) from None
        raise


def damaged_file(home: Home, file: Path, error: Exception) -> AssayError:
    """What to say of a file of bronze that cannot be read."""
    return AssayError(
        f"{file.relative_to(home.path)} is damaged ({type(error).__name__}). Fetch it from a "
        "backup or, if it and the file with its ledger line hold no other batch, take both away "
        "and land the file again."
    )


def lacking(home: Home) -> str | None:
    """What a home of an earlier version does not have yet, and what to do; None where all is there.

    Goes by the files without rows, which `init` writes anew.
    """
    for table, contract in load_contracts().items():
        file = home.bronze / table / _SCHEMA_PARTITION / SCHEMA_FILE
        there = set(pq.read_schema(file).names) if file.exists() else set()
        for column in contract.kept_columns:
            if column.name not in there:
                return f"{home.path} has no column {table}.{column.name} yet. Run: assay init"
    return None


def _damaged(home: Home, table: str) -> Path | None:
    return next(filter(_is_damaged, sorted(home.bronze.glob(f"{table}/**/*.parquet"))), None)


def _is_damaged(file: Path) -> bool:
    try:
        pq.ParquetFile(file).close()
        with connect() as connection:  # it reads every value, and minds what Arrow does not
            connection.execute(
                f"select bit_xor(hash(columns(*))) from read_parquet({quote(str(file))})"
            )
    except (pa.ArrowException, OSError, *_UNREADABLE):
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
        durable_rename(aside, folder / SCHEMA_FILE)
        fsync_folder(folder)
        fsync_folder(folder.parent)
    fsync_folder(home.bronze)
    fsync_folder(home.path)
