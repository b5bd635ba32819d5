"""INFORMATION_SCHEMA and `__TABLES__`: views of what the warehouse holds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from .errors import not_found
from .googlesql import Column, Rows
from .values import EPOCH, decode_rows, encode_rows, simple_type, to_column, type_name
from .warehouse import Dataset, Table, Warehouse

_Tables = list[tuple[str, str, Dataset, str, Table]]


def information_schema(warehouse: Warehouse, project: str, parts: list[str]) -> Rows | None:
    """The rows of such a view, where a path names one.

    The path may begin with a project, and holds a dataset, or a region for all datasets in it.
    """
    upper = [part.upper() for part in parts]
    if upper[-1] == "__TABLES__":
        view, where = "__TABLES__", parts[:-1]
    elif "INFORMATION_SCHEMA" in upper:
        place = upper.index("INFORMATION_SCHEMA")
        view, where = ".".join(upper[place + 1 :]), parts[:place]
    else:
        return None
    if view not in _VIEWS:
        raise not_found("Table", ".".join(parts))
    scope = where.pop() if where else None
    project = where[0] if where else project
    if scope and not scope.lower().startswith("region-"):
        datasets = {(project, scope): warehouse.dataset(project, scope)}
    else:
        region = scope.lower().removeprefix("region-") if scope else None
        datasets = {
            key: dataset
            for key, dataset in warehouse.datasets.items()
            if key[0] == project and region in (None, dataset.location.lower())
        }
    columns, make = _VIEWS[view]
    described = [Column(name, simple_type(kind)) for name, kind in columns.items()]
    if view == "SCHEMATA":
        return encode_rows(described, [_schema(*key, d) for key, d in datasets.items()])
    tables = [
        (*key, dataset, name, table)
        for key, dataset in datasets.items()
        for name, table in dataset.tables.items()
    ]
    return encode_rows(described, list(make(tables)))


def _moment(milliseconds: int) -> Any:
    return EPOCH + timedelta(milliseconds=milliseconds)


def _schema(project: str, name: str, dataset: Dataset) -> dict[str, Any]:
    return {
        "catalog_name": project,
        "schema_name": name,
        "location": dataset.location,
        "creation_time": _moment(dataset.created),
    }


def _named(project: str, dataset: str, table: str) -> dict[str, Any]:
    return {"table_catalog": project, "table_schema": dataset, "table_name": table}


def _table_list(tables: _Tables) -> Iterator[dict[str, Any]]:
    for project, dataset, _, name, table in tables:
        yield {
            "project_id": project,
            "dataset_id": dataset,
            "table_id": name,
            "creation_time": table.created,
            "last_modified_time": table.modified,
            "row_count": len(table.rows),
            "size_bytes": table.rows.content.ByteSize(),
            "type": 2 if table.is_view else 1,
        }


def _tables(tables: _Tables) -> Iterator[dict[str, Any]]:
    for project, dataset, _, name, table in tables:
        yield {
            **_named(project, dataset, name),
            "table_type": "VIEW" if table.is_view else "BASE TABLE",
            "is_insertable_into": "NO" if table.is_view else "YES",
            "creation_time": _moment(table.created),
        }


def _options(tables: _Tables) -> Iterator[dict[str, Any]]:
    for project, dataset, _, name, table in tables:
        for option in ("description", "friendlyName", "labels"):
            if value := table.properties.get(option):
                yield {
                    **_named(project, dataset, name),
                    "option_name": "friendly_name" if option == "friendlyName" else option,
                    "option_type": "STRING",
                    "option_value": json.dumps(value),
                }


def _columns(tables: _Tables) -> Iterator[dict[str, Any]]:
    for project, dataset, _, name, table in tables:
        partitioned = table.properties.get("timePartitioning", {}).get("field")
        clustered = table.properties.get("clustering", {}).get("fields", [])
        for place, field in enumerate(table.fields, 1):
            column = field["name"]
            yield {
                **_named(project, dataset, name),
                "column_name": column,
                "ordinal_position": place,
                "is_nullable": "NO" if field.get("mode") == "REQUIRED" else "YES",
                "data_type": type_name(to_column(field).type),
                "is_hidden": "NO",
                "is_partitioning_column": "YES" if column == partitioned else "NO",
                "clustering_ordinal_position": (
                    clustered.index(column) + 1 if column in clustered else None
                ),
            }


def _field_paths(tables: _Tables) -> Iterator[dict[str, Any]]:
    for project, dataset, _, name, table in tables:
        for field in table.fields:
            for path, part in _walk(field, ""):
                yield {
                    **_named(project, dataset, name),
                    "column_name": field["name"],
                    "field_path": path,
                    "data_type": type_name(to_column(part).type),
                    "description": part.get("description"),
                }


def _walk(field: dict[str, Any], above: str) -> Iterator[tuple[str, dict[str, Any]]]:
    path = above + field["name"]
    yield path, field
    for part in field.get("fields", []):
        yield from _walk(part, f"{path}.")


def _privileges(tables: _Tables) -> Iterator[dict[str, Any]]:
    for project, dataset, _, name, table in tables:
        for role, members in table.access.items():
            for member in sorted(members):
                yield {
                    "object_catalog": project,
                    "object_schema": dataset,
                    "object_name": name,
                    "object_type": "VIEW" if table.is_view else "TABLE",
                    "privilege_type": role,
                    "grantee": member,
                }


def _storage(tables: _Tables) -> Iterator[dict[str, Any]]:
    for project, dataset, _, name, table in tables:
        yield {
            "project_id": project,
            **_named(project, dataset, name),
            "creation_time": _moment(table.created),
            "storage_last_modified_time": _moment(table.modified),
            "total_rows": len(table.rows),
            "total_partitions": len(_partition_ids(table)),
            "total_logical_bytes": table.rows.content.ByteSize(),
        }


def _partitions(tables: _Tables) -> Iterator[dict[str, Any]]:
    for project, dataset, _, name, table in tables:
        for partition, rows in _partition_ids(table).items():
            yield {
                **_named(project, dataset, name),
                "partition_id": partition,
                "total_rows": rows,
                "last_modified_time": _moment(table.modified),
            }


def _partition_ids(table: Table) -> dict[str | None, int]:
    """The partitions of a table that hold rows, with their number."""
    partitioning = table.properties.get("timePartitioning", {})
    if table.is_view or "field" not in partitioning:
        return {} if table.is_view else {None: len(table.rows)}
    pattern = {"YEAR": "%Y", "MONTH": "%Y%m", "DAY": "%Y%m%d", "HOUR": "%Y%m%d%H"}
    counts: dict[str | None, int] = {}
    for row in decode_rows(table.rows):
        day = row[partitioning["field"]]
        partition = day.strftime(pattern[partitioning["type"]]) if day else "__NULL__"
        counts[partition] = counts.get(partition, 0) + 1
    return counts


def _nothing(_: _Tables) -> Iterator[dict[str, Any]]:
    return iter(())


_NAMES = {"table_catalog": "STRING", "table_schema": "STRING", "table_name": "STRING"}
_Make = Callable[[_Tables], Iterator[dict[str, Any]]]
_VIEWS: dict[str, tuple[dict[str, str], _Make]] = {
    "SCHEMATA": (
        {
            "catalog_name": "STRING",
            "schema_name": "STRING",
            "location": "STRING",
            "creation_time": "TIMESTAMP",
        },
        _nothing,
    ),
    "__TABLES__": (
        {
            "project_id": "STRING",
            "dataset_id": "STRING",
            "table_id": "STRING",
            "creation_time": "INT64",
            "last_modified_time": "INT64",
            "row_count": "INT64",
            "size_bytes": "INT64",
            "type": "INT64",
        },
        _table_list,
    ),
    "TABLES": (
        {
            **_NAMES,
            "table_type": "STRING",
            "is_insertable_into": "STRING",
            "creation_time": "TIMESTAMP",
        },
        _tables,
    ),
    "TABLE_OPTIONS": (
        {**_NAMES, "option_name": "STRING", "option_type": "STRING", "option_value": "STRING"},
        _options,
    ),
    "COLUMNS": (
        {
            **_NAMES,
            "column_name": "STRING",
            "ordinal_position": "INT64",
            "is_nullable": "STRING",
            "data_type": "STRING",
            "is_hidden": "STRING",
            "is_partitioning_column": "STRING",
            "clustering_ordinal_position": "INT64",
        },
        _columns,
    ),
    "COLUMN_FIELD_PATHS": (
        {
            **_NAMES,
            "column_name": "STRING",
            "field_path": "STRING",
            "data_type": "STRING",
            "description": "STRING",
        },
        _field_paths,
    ),
    "MATERIALIZED_VIEWS": (_NAMES, _nothing),
    "OBJECT_PRIVILEGES": (
        {
            "object_catalog": "STRING",
            "object_schema": "STRING",
            "object_name": "STRING",
            "object_type": "STRING",
            "privilege_type": "STRING",
            "grantee": "STRING",
        },
        _privileges,
    ),
    "TABLE_STORAGE": (
        {
            "project_id": "STRING",
            **_NAMES,
            "creation_time": "TIMESTAMP",
            "storage_last_modified_time": "TIMESTAMP",
            "total_rows": "INT64",
            "total_partitions": "INT64",
            "total_logical_bytes": "INT64",
        },
        _storage,
    ),
    "PARTITIONS": (
        {
            **_NAMES,
            "partition_id": "STRING",
            "total_rows": "INT64",
            "last_modified_time": "TIMESTAMP",
        },
        _partitions,
    ),
}
