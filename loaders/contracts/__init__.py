"""Bronze contracts: the one module that reads `models/bronze/*.yml`.

A contract is a dbt source. dbt reads it for lineage, docs and freshness; the loaders read it here
to know which fields exist, which are required and how private each one is. Deny by default: what
`contract_checks` does not know is an error, and so is a column without a privacy class.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from loaders.contracts.checks import ContractError, check_sense, check_shape
from loaders.errors import AssayError
from loaders.project import PROJECT

CONTRACTS = PROJECT / "models" / "bronze"

# BigQuery's spelling of a type, and what it is in DuckDB and in Parquet.
DUCKDB_TYPES = {
    "string": "varchar",
    "int64": "bigint",
    "float64": "double",
    "bool": "boolean",
    "timestamp": "timestamptz",
    "date": "date",
    "bytes": "blob",
}
ARROW_TYPES = {
    "string": pa.string(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
    "bytes": pa.binary(),
}
# Types that a column may change to: every reader of bronze sees old files in the wider one.
WIDENINGS = frozenset({("int64", "float64")})


def read_as(there: pa.DataType, declared: str | None) -> pa.DataType | None:
    """The type in which readers of bronze see a file's column, or None where it is not `declared`.

    A narrower type is read as the wider one that was declared since.
    """
    if pa.types.is_large_string(there):
        there = pa.string()
    elif pa.types.is_timestamp(there) and there.tz:
        there = ARROW_TYPES["timestamp"]
    wider = declared and ARROW_TYPES[declared]
    narrower = [ARROW_TYPES[n] for n, wide in WIDENINGS if wide == declared]
    return wider if there == wider or there in narrower else None


@dataclass(frozen=True, slots=True)
class Column:
    """One field of a bronze table.

    `structured` columns are text that may also be sent as an object or a list, which is then kept
    as its JSON text; with `json`, it must be an `object` or a `list`, also where it comes as text.
    `unknown` is the word a vocabulary column takes for a spelling that the
    vocabulary does not list; without it such a row is refused. `set_by` is `landing` where the
    value does not come from the sender. `required_unless` names another column and its values with
    which this one may be absent. `since` is the version of Assay that first wrote a column
    that older batches lack. A `retired` column stays readable, and nobody may send it any more.
    """

    name: str
    data_type: str
    description: str
    privacy: str
    required: bool = False
    required_unless: tuple[str, ...] = ()
    vocabulary: str | None = None
    unknown: str | None = None
    accepted: tuple[str, ...] = ()
    min: float | None = None
    max: float | None = None
    structured: bool = False
    json: str | None = None
    aliases: tuple[str, ...] = ()
    set_by: str | None = None
    since: str | None = None
    retired: bool = False

    @property
    def spellings(self) -> tuple[str, ...]:
        """Field names that a sender may use: snake_case, camelCase, then the aliases."""
        camel = re.sub(r"_([a-z0-9])", lambda m: m.group(1).upper(), self.name)
        return tuple(dict.fromkeys((self.name, camel, *self.aliases)))

    @property
    def duckdb_type(self) -> str:
        return DUCKDB_TYPES[self.data_type]

    @property
    def arrow_field(self) -> pa.Field:
        return pa.field(self.name, ARROW_TYPES[self.data_type])


@dataclass(frozen=True, slots=True)
class Contract:
    """One bronze table: what may land in it.

    Rows are kept for `retention_days`; where there are `lock_days`, nothing may delete them earlier
    than that, whatever the retention comes to be.

    A `reference` table says something of days or things and holds no events: it lands like them,
    but no model takes its rows up one by one, and no books are kept of them.

    A table that `explains` another has the key of what it explains for its own.

    `payload` is the column whose content the event registry describes, by the columns `event_type`
    and `schema_version` beside it.
    """

    table: str
    description: str
    columns: tuple[Column, ...]
    key: str
    event_time: str
    retention_days: int
    lock_days: int | None = None
    subject: tuple[str, ...] = ()
    overflow: str | None = None
    payload: str | None = None
    partition_by: str = "ingest_date"
    cluster_by: tuple[str, ...] = ()
    silver: str | None = None
    duplicates: str | None = None
    explains: str | None = None
    reference: bool = False

    @property
    def is_landed(self) -> bool:
        """Whether senders fill the table; Assay writes the others itself."""
        return self.silver is not None or self.reference

    @property
    def sent_columns(self) -> tuple[Column, ...]:
        """Columns whose value comes from the sender."""
        return tuple(c for c in self.kept_columns if c.set_by is None and not c.retired)

    @property
    def kept_columns(self) -> tuple[Column, ...]:
        """Columns that a Parquet file of the table has."""
        return tuple(c for c in self.columns if c.privacy != "never")

    @property
    def arrow_schema(self) -> pa.Schema:
        return pa.schema([c.arrow_field for c in self.kept_columns])

    def column(self, name: str) -> Column:
        return next(c for c in self.columns if c.name == name)


@cache
def load_contracts(folder: Path = CONTRACTS) -> dict[str, Contract]:
    """Read every contract of the folder, by table name. Raises ContractError."""
    contracts = [contract for path in sorted(folder.glob("*.yml")) for contract in _read(path)]
    by_table = {contract.table: contract for contract in contracts}
    if len(by_table) != len(contracts):
        tables = [contract.table for contract in contracts]
        twice = sorted({table for table in tables if tables.count(table) > 1})
        raise ContractError(f"Declared in two files: {', '.join(twice)}. Keep one.")
    return by_table


def contract_of(table: str) -> Contract:
    """The contract of one table, or an error that lists the tables there are."""
    contracts = load_contracts()
    if table not in contracts:
        raise AssayError(f"No bronze table {table}. There are: {', '.join(sorted(contracts))}.")
    return contracts[table]


def read_tables(path: Path) -> list[dict[str, Any]]:
    """The tables of the dbt sources in a file, as they are written. Raises ContractError."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        return [table for source in document["sources"] for table in source["tables"]]
    except yaml.YAMLError as error:
        raise ContractError(f"{path.name}: not valid YAML ({type(error).__name__}).") from None
    except (KeyError, TypeError):
        raise ContractError(
            f"{path.name}: declares no tables. Add them under sources, or remove the file."
        ) from None


def columns_of(table: dict[str, Any]) -> tuple[Column, ...]:
    """The columns of a table that was checked."""
    return tuple(
        Column(
            name=column["name"],
            data_type=column["data_type"],
            description=column["description"].strip(),
            **_frozen(column["config"]["meta"]),
        )
        for column in table.get("columns", [])
    )


def _read(path: Path) -> list[Contract]:
    return [_contract(path.name, table) for table in read_tables(path)]


def _contract(file: str, table: dict[str, Any]) -> Contract:
    check_shape(file, table)
    check_sense(file, table)
    return Contract(
        table=table["name"],
        description=table["description"].strip(),
        columns=columns_of(table),
        **_frozen(table["config"]["meta"]),
    )


def _frozen(meta: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(v) if isinstance(v, list) else v for key, v in meta.items()}
