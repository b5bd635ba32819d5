"""What the service holds: datasets, tables and views, with the properties kept of them."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass, field
from typing import Any

from . import rules
from .errors import ServiceError, already_exists, invalid_query, not_found
from .googlesql import Rows
from .values import protocol_name, to_column

# What a table resource says beside its schema, kept as REST carries it.
TABLE_PROPERTIES = [
    "clustering",
    "description",
    "expirationTime",
    "friendlyName",
    "labels",
    "rangePartitioning",
    "requirePartitionFilter",
    "timePartitioning",
]
DATASET_PROPERTIES = [
    "access",
    "defaultCollation",
    "defaultPartitionExpirationMs",
    "defaultTableExpirationMs",
    "description",
    "friendlyName",
    "labels",
    "maxTimeTravelHours",
    "storageBillingModel",
]


@dataclass(frozen=True, order=True)
class TableName:
    """The full name of a table or view."""

    project: str
    dataset: str
    table: str

    def __str__(self) -> str:
        return f"{self.project}:{self.dataset}.{self.table}"

    @property
    def flat(self) -> str:
        """The name as one identifier."""
        return f"{self.project}.{self.dataset}.{self.table}"

    @classmethod
    def of(cls, reference: dict[str, str]) -> TableName:
        """The name in a REST reference."""
        return cls(reference["projectId"], reference["datasetId"], reference["tableId"])

    def reference(self) -> dict[str, str]:
        """The name as a REST reference."""
        return {"projectId": self.project, "datasetId": self.dataset, "tableId": self.table}


def now_ms() -> int:
    """The time in milliseconds, as REST resources carry it."""
    return int(time.time() * 1000)


def plain_field(field: dict[str, Any]) -> dict[str, Any]:
    """A field of a schema as BigQuery gives it back: its own type names, nothing empty."""
    kept = {name: value for name, value in field.items() if value and name != "policyTags"}
    kept["type"] = protocol_name(kept["type"])
    if field.get("policyTags", {}).get("names"):
        kept["policyTags"] = field["policyTags"]
    if "fields" in kept:
        kept["fields"] = [plain_field(part) for part in kept["fields"]]
    return kept


@dataclass
class Table:
    """A table with its rows, or a view with its query. The REST schema is the one it has."""

    fields: list[dict[str, Any]]
    rows: Rows
    query: str | None = None
    properties: dict[str, Any] = field(default_factory=dict)
    access: dict[str, set[str]] = field(default_factory=dict)  # role: members
    created: int = field(default_factory=now_ms)
    modified: int = field(default_factory=now_ms)
    # Of a view: the contents that its rows were made from.
    made_from: tuple[int, ...] | None = None

    @classmethod
    def empty(cls, fields: list[dict[str, Any]], **properties: Any) -> Table:
        """A table without rows."""
        fields = [plain_field(described) for described in fields]
        return cls(fields, Rows([to_column(f) for f in fields]), properties=properties)

    @property
    def is_view(self) -> bool:
        """Whether this is a view."""
        return self.query is not None

    def replace_rows(self, rows: Rows) -> None:
        """Take new rows, if none of them lacks what the schema requires.

        A repeated field is empty at the least, never null.
        """
        rules.check_arrays(rows)
        for place, described in enumerate(self.fields):
            if described.get("mode") == "REQUIRED" and any(
                row.cell[place].WhichOneof("value") is None for row in rows.rows
            ):
                raise invalid_query(f"Required field {described['name']} cannot be null")
            if described.get("mode") == "REPEATED":
                for row in rows.rows:
                    row.cell[place].array_value.SetInParent()
        self.rows = Rows([to_column(f) for f in self.fields], rows.content)
        self.modified = now_ms()

    def replace_fields(self, fields: list[dict[str, Any]]) -> None:
        """Take a new schema: rows keep the columns that stay, and get nulls for new ones."""
        fields = [plain_field(described) for described in fields]
        places = {described["name"].lower(): n for n, described in enumerate(self.fields)}
        kept = [places.get(described["name"].lower()) for described in fields]
        made = Rows([to_column(f) for f in fields])
        for row in self.rows.rows:
            new = made.content.table_data.row.add()
            for place in kept:
                cell = new.cell.add()
                if place is not None:
                    cell.CopyFrom(row.cell[place])
        self.fields, self.rows, self.modified = fields, made, now_ms()

    def describe(self, name: TableName, location: str) -> dict[str, Any]:
        """The table as a REST resource."""
        return {
            "kind": "bigquery#table",
            "id": str(name),
            "etag": str(self.modified),
            "tableReference": name.reference(),
            "type": "VIEW" if self.is_view else "TABLE",
            "location": location,
            "creationTime": str(self.created),
            "lastModifiedTime": str(self.modified),
            "schema": {"fields": self.fields},
            "numRows": str(0 if self.is_view else len(self.rows)),
            "numBytes": str(0 if self.is_view else self.rows.content.ByteSize()),
            **({"view": {"query": self.query, "useLegacySql": False}} if self.is_view else {}),
            **self.properties,
        }


@dataclass
class Dataset:
    """A dataset."""

    location: str
    properties: dict[str, Any] = field(default_factory=dict)
    access: dict[str, set[str]] = field(default_factory=dict)
    replicas: set[str] = field(default_factory=set)
    tables: dict[str, Table] = field(default_factory=dict)
    created: int = field(default_factory=now_ms)

    def describe(self, project: str, name: str) -> dict[str, Any]:
        """The dataset as a REST resource."""
        return {
            "kind": "bigquery#dataset",
            "id": f"{project}:{name}",
            "etag": "etag",
            "datasetReference": {"projectId": project, "datasetId": name},
            "location": self.location,
            "creationTime": str(self.created),
            "access": [],
            **self.properties,
        }


class Warehouse:
    """All datasets, by project and name."""

    def __init__(self) -> None:
        self.datasets: dict[tuple[str, str], Dataset] = {}

    def dataset(self, project: str, name: str, location: str | None = None) -> Dataset:
        """A dataset that is there and, if a location is named, can be read in it."""
        found = self.datasets.get((project, name))
        if found is None or (location and location not in {found.location, *found.replicas}):
            raise not_found("Dataset", f"{project}:{name}", location)
        return found

    def create_dataset(self, project: str, name: str, dataset: Dataset) -> Dataset:
        """Add a dataset."""
        if (project, name) in self.datasets:
            raise already_exists("Dataset", f"{project}:{name}")
        return self.datasets.setdefault((project, name), dataset)

    def drop_dataset(self, project: str, name: str, with_tables: bool) -> None:
        """Remove a dataset, with its tables only where that is asked for."""
        if self.dataset(project, name).tables and not with_tables:
            message = f"Dataset {project}:{name} is still in use"
            raise ServiceError("invalid", message)
        del self.datasets[project, name]

    def has(self, name: TableName) -> bool:
        """Whether a table or view is there."""
        dataset = self.datasets.get((name.project, name.dataset))
        return dataset is not None and name.table in dataset.tables

    def table(self, name: TableName, location: str | None = None) -> Table:
        """A table or view that is there."""
        tables = self.dataset(name.project, name.dataset, location).tables
        if name.table not in tables:
            raise not_found("Table", str(name), location)
        return tables[name.table]

    def put(self, name: TableName, table: Table) -> None:
        """Add a table, or put it in the place of another."""
        dataset = self.dataset(name.project, name.dataset)
        default_expiration = dataset.properties.get("defaultTableExpirationMs")
        if default_expiration and not table.is_view:
            expiration = str(table.created + int(default_expiration))
            table.properties.setdefault("expirationTime", expiration)
        dataset.tables[name.table] = table

    def drop(self, name: TableName) -> None:
        """Remove a table or view."""
        self.table(name)
        del self.dataset(name.project, name.dataset).tables[name.table]

    def snapshot(self) -> dict[tuple[str, str], Dataset]:
        """The state to come back to. Rows are never changed in place, so they are shared."""
        saved = {}
        for key, dataset in self.datasets.items():
            saved[key] = copy.copy(dataset)
            saved[key].tables = {name: copy.copy(t) for name, t in dataset.tables.items()}
        return saved
