"""Bronze tables in BigQuery's words, all from their contracts."""

from __future__ import annotations

from datetime import timedelta

import pyarrow as pa
from google.cloud import bigquery

from loaders.contracts import Column, Contract
from loaders.contracts.descriptions import readable
from loaders.errors import AssayError
from loaders.home import Target

DAY = "ingest_date"
_DAY_COLUMN = bigquery.SchemaField(
    DAY, "DATE", mode="REQUIRED", description="Day on which the batch began to land, in UTC."
)
# The names of types in contracts and SQL, and how BigQuery's tables call them.
_TYPES = {"int64": "INTEGER", "float64": "FLOAT", "bool": "BOOLEAN"}
_SQL_TYPES = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN"}
_MOST_CLUSTERING = 4
_LONGEST_DESCRIPTION = 1024


def arrow_schema(contract: Contract) -> pa.Schema:
    """The schema of a file that is loaded: what is REQUIRED in the table cannot be null in it."""
    fields = [
        column.arrow_field.with_nullable(not _is_required(column))
        for column in contract.kept_columns
    ]
    return pa.schema([*fields, pa.field(DAY, pa.date32(), nullable=False)])


def fields(contract: Contract) -> list[bigquery.SchemaField]:
    """The columns of a bronze table."""
    return [
        *(
            bigquery.SchemaField(
                column.name,
                _TYPES.get(column.data_type, column.data_type.upper()),
                mode="REQUIRED" if _is_required(column) else "NULLABLE",
                description=readable(column.description)[:_LONGEST_DESCRIPTION],
            )
            for column in contract.kept_columns
        ),
        _DAY_COLUMN,
    ]


def table(target: Target, contract: Contract, labels: dict[str, str]) -> bigquery.Table:
    """A bronze table as it is to be made."""
    dataset = bigquery.DatasetReference(target.project, target.layer("bronze"))
    made = bigquery.Table(dataset.table(contract.table), schema=fields(contract))
    made.description = readable(contract.description)
    made.labels = labels
    made.time_partitioning = bigquery.TimePartitioning(
        type_=bigquery.TimePartitioningType.DAY,
        field=contract.partition_by,
        expiration_ms=int(timedelta(days=contract.retention_days) / timedelta(milliseconds=1)),
    )
    if contract.cluster_by:
        made.clustering_fields = list(contract.cluster_by[:_MOST_CLUSTERING])
    return made


def completed(
    there: bigquery.Table, wanted: list[bigquery.SchemaField]
) -> list[bigquery.SchemaField]:
    """The columns of a table that is there, and what its contract has come to say since.

    New columns can be null, since old rows lack them; so can those that are no longer required.
    Raises AssayError, which names table and column, where a type differs.
    """
    known = {field.name.lower(): field for field in there.schema}
    contracted = {field.name.lower(): field for field in wanted}
    for name in contracted.keys() & known.keys():
        has, wants = _type(known[name]), _type(contracted[name])
        if has != wants or known[name].mode == "REPEATED":
            raise AssayError(
                f"BigQuery, table {there.dataset_id}.{there.table_id}: schema drift, column "
                f"{name} is {has}, and {wants} in its contract in models/bronze. Change the "
                "column in BigQuery, or the contract; landed files stay in the home until then."
            )
    kept = [
        _merged(field, contracted[name]) if name in contracted else field
        for name, field in known.items()
    ]
    added = [_as(field, "NULLABLE") for name, field in contracted.items() if name not in known]
    return [*kept, *added]


def behind(there: bigquery.Table, wanted: list[bigquery.SchemaField]) -> str | None:
    """The first column of the contract that the table lacks, or requires though it need not."""
    modes = {field.name.lower(): _mode(field) for field in there.schema}
    for field in completed(there, wanted):
        if modes.get(field.name.lower()) != _mode(field):
            return str(field.name)
    return None


def _is_required(column: Column) -> bool:
    """Whether every row that was ever landed has a value: not if older batches lack the column."""
    return column.required and not column.retired and column.since is None


def _merged(there: bigquery.SchemaField, wanted: bigquery.SchemaField) -> bigquery.SchemaField:
    """A column as it is, no more required than its contract has it, and described by that."""
    mode = _mode(there) if _mode(wanted) == "REQUIRED" else "NULLABLE"
    return _as(there, mode, wanted.description)


def _as(
    field: bigquery.SchemaField, mode: str, description: str | None = None
) -> bigquery.SchemaField:
    told = {"description": description} if description else {}
    return bigquery.SchemaField.from_api_repr(field.to_api_repr() | {"mode": mode} | told)


def _mode(field: bigquery.SchemaField) -> str:
    return str(field.mode or "NULLABLE").upper()


def _type(field: bigquery.SchemaField) -> str:
    return _SQL_TYPES.get(field.field_type.upper(), field.field_type.upper())
