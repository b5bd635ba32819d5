"""What BigQuery refuses although GoogleSQL accepts it: the rules of the service."""

from __future__ import annotations

from typing import Any

from zetasql.wasi._pb2.zetasql.public.type_pb2 import TypeProto
from zetasql.wasi._pb2.zetasql.public.value_pb2 import ValueProto

from .errors import ServiceError, invalid_query
from .googlesql import Rows
from .values import ARRAY

_MAX_CLUSTERING_COLUMNS = 4
_PARTITION_GRAINS = {
    "DATE": {"DAY", "MONTH", "YEAR"},
    "DATETIME": {"HOUR", "DAY", "MONTH", "YEAR"},
    "TIMESTAMP": {"HOUR", "DAY", "MONTH", "YEAR"},
}
_CLUSTERING_TYPES = {
    "BIGNUMERIC",
    "BOOLEAN",
    "DATE",
    "DATETIME",
    "GEOGRAPHY",
    "INTEGER",
    "NUMERIC",
    "STRING",
    "TIMESTAMP",
}
_OPTIONS = {
    "TABLE": {
        "default_rounding_mode",
        "description",
        "enable_change_history",
        "expiration_timestamp",
        "friendly_name",
        "kms_key_name",
        "labels",
        "max_staleness",
        "partition_expiration_days",
        "require_partition_filter",
        "tags",
    },
    "VIEW": {
        "description",
        "expiration_timestamp",
        "friendly_name",
        "labels",
        "privacy_policy",
        "tags",
    },
    "SCHEMA": {
        "default_collation",
        "default_kms_key_name",
        "default_partition_expiration_days",
        "default_replica",
        "default_rounding_mode",
        "default_table_expiration_days",
        "description",
        "failover_reservation",
        "friendly_name",
        "is_case_insensitive",
        "is_primary",
        "labels",
        "location",
        "max_time_travel_hours",
        "primary_replica",
        "storage_billing_model",
        "tags",
    },
    "REPLICA": {"location", "replica_kms_key"},
    "COLUMN": {"description", "data_policies", "policy_tags", "rounding_mode"},
}


def check_options(kind: str, options: dict[str, Any]) -> None:
    """Only options that BigQuery has for such an object."""
    for name in options:
        if name not in _OPTIONS[kind]:
            raise invalid_query(f"Unknown option: {name}")


# By which expression a column of a type may partition a table in SQL.
_PARTITION_FUNCTIONS = {
    (None, "DATE"),
    ("date", "TIMESTAMP"),
    ("date", "DATETIME"),
    ("date_trunc", "DATE"),
    ("datetime_trunc", "DATETIME"),
    ("timestamp_trunc", "TIMESTAMP"),
}
_PARTITION_EXPRESSIONS = (
    "PARTITION BY expression must be DATE(<timestamp_column>), DATE(<datetime_column>), "
    "DATETIME_TRUNC(<datetime_column>, DAY/HOUR/MONTH/YEAR), a DATE column, "
    "TIMESTAMP_TRUNC(<timestamp_column>, DAY/HOUR/MONTH/YEAR), "
    "DATE_TRUNC(<date_column>, MONTH/YEAR), or "
    "RANGE_BUCKET(<int64_column>, GENERATE_ARRAY(<int64_value>, <int64_value>[, <int64_value>]))"
)


def check_partition_function(
    function: str | None, column: str, fields: list[dict[str, Any]]
) -> None:
    """A table is partitioned by one of a few expressions."""
    if (function, _type_of(column, fields)) not in _PARTITION_FUNCTIONS:
        raise invalid_query(_PARTITION_EXPRESSIONS)


def check_partitioning(fields: list[dict[str, Any]], properties: dict[str, Any]) -> None:
    """A table is partitioned by a column of time at a grain that its type has."""
    partitioning = properties.get("timePartitioning")
    if not partitioning or "field" not in partitioning:
        return
    kind = _type_of(partitioning["field"], fields)
    if kind not in _PARTITION_GRAINS:
        raise invalid_query(_PARTITION_EXPRESSIONS)
    grain = partitioning["type"]
    if grain not in _PARTITION_GRAINS[kind]:
        raise invalid_query(
            f"Granularity {grain} is not supported for partitioning by a column of type {kind}"
        )


def check_clustering(fields: list[dict[str, Any]], properties: dict[str, Any]) -> None:
    """A table is clustered by at most four columns of orderable, simple types."""
    names = properties.get("clustering", {}).get("fields", [])
    if len(names) > _MAX_CLUSTERING_COLUMNS:
        raise invalid_query(
            f"Too many clustering columns: {len(names)}. The maximum is {_MAX_CLUSTERING_COLUMNS}"
        )
    for name in names:
        kind = _type_of(name, fields)
        if kind not in _CLUSTERING_TYPES:
            raise invalid_query(
                f"Clustering column {name} has type {kind}, which is not supported for clustering"
            )


def check_partition_expiration(properties: dict[str, Any], asked: Any) -> None:
    """Only partitions can expire, so there must be some."""
    if asked is not None and "timePartitioning" not in properties:
        raise invalid_query("partition_expiration_days is only supported on partitioned tables")


def check_column_is_free(name: str, properties: dict[str, Any]) -> None:
    """A column by which a table is partitioned or clustered stays."""
    used = {*properties.get("clustering", {}).get("fields", [])}
    used.add(properties.get("timePartitioning", {}).get("field", ""))
    if name.lower() in {column.lower() for column in used}:
        raise invalid_query(
            f"Cannot drop column {name}: the table is partitioned or clustered by it"
        )


def check_arrays(rows: Rows) -> None:
    """No array in a result or a table holds a null, although one in the middle of a query may."""
    for place, column in enumerate(rows.columns):
        if _holds_arrays(column.type) and any(
            _holds_null_element(row.cell[place]) for row in rows.rows
        ):
            raise invalid_query(
                f"Array cannot have a null element; error in writing field {column.name}"
            )


def _holds_arrays(kind: TypeProto) -> bool:
    parts = (part.field_type for part in kind.struct_type.field)
    return kind.type_kind == ARRAY or any(_holds_arrays(part) for part in parts)


def _holds_null_element(value: ValueProto) -> bool:
    elements = value.array_value.element
    return any(element.WhichOneof("value") is None for element in elements) or any(
        _holds_null_element(part) for part in (*elements, *value.struct_value.field)
    )


def _type_of(name: str, fields: list[dict[str, Any]]) -> str:
    for described in fields:
        if described["name"].lower() == name.lower():
            repeated = described.get("mode") == "REPEATED"
            return f"ARRAY<{described['type']}>" if repeated else described["type"]
    raise invalid_query(f"Unrecognized name: {name}")


def check_schema_update(table: str, old: list[dict[str, Any]], new: list[dict[str, Any]]) -> None:
    """A schema may gain columns and lose requirements, and nothing else."""
    mismatch = f"Provided Schema does not match Table {table}."
    given = {field["name"].lower(): field for field in new}
    for field in old:
        changed = given.get(field["name"].lower())
        if changed is None:
            raise ServiceError(
                "invalid", f"{mismatch} Field {field['name']} is missing in new schema"
            )
        if changed["type"] != field["type"]:
            raise ServiceError(
                "invalid",
                f"{mismatch} Field {field['name']} has changed type "
                f"from {field['type']} to {changed['type']}",
            )
        if changed.get("mode") == "REQUIRED" and field.get("mode") != "REQUIRED":
            raise ServiceError(
                "invalid",
                f"{mismatch} Field {field['name']} has changed mode from NULLABLE to REQUIRED",
            )
