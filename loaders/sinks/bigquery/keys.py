"""The vault on BigQuery: the keys of the home's vault in a dataset that the build alone reads.

Keys travel as the rows of a load job and of a table's listing, never in the text of a query: that
stays in the project's history.
"""

from __future__ import annotations

import io
import secrets
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from google.cloud import bigquery

from loaders import vault
from loaders.errors import AssayError
from loaders.home import Home
from loaders.sinks.bigquery.errors import Call, Refused, answered
from loaders.sinks.bigquery.service import Service

TABLE = "salts"
_SCHEMA = pa.schema(
    [
        pa.field("region", pa.string(), nullable=False),
        pa.field("version", pa.int64(), nullable=False),
        pa.field("key_id", pa.string(), nullable=False),
        pa.field("ipad", pa.binary(), nullable=False),
        pa.field("opad", pa.binary(), nullable=False),
        pa.field("valid_from", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("retired_at", pa.timestamp("us", tz="UTC")),
    ]
)
_TYPES = {pa.string(): "STRING", pa.int64(): "INTEGER", pa.binary(): "BYTES"}


def fields() -> list[bigquery.SchemaField]:
    """The columns of the table, those of the vault's own."""
    return [
        bigquery.SchemaField(
            field.name,
            _TYPES.get(field.type, "TIMESTAMP"),
            mode="NULLABLE" if field.nullable else "REQUIRED",
        )
        for field in _SCHEMA
    ]


def settle(service: Service, home: Home) -> None:
    """Make the home's vault and that of BigQuery hold the same keys, and at least one.

    Whichever has more gives to the other; the first to come makes the first key. Raises AssayError
    where each has a key that the other lacks: two keys would count every person twice.
    """
    table = _table(service)
    there = _read(service, table)
    held = vault.read_keys(home.vault) if home.vault.exists() else []
    if not held and not there:
        vault.init_vault(home.vault, service.labels["residency"])
        try:
            first = vault.read_keys(home.vault)
            _write(service, table, first, bigquery.WriteDisposition.WRITE_EMPTY)
            return
        except Refused as refused:
            if refused.reason != "duplicate":
                raise
            there = _read(service, table)  # another home was faster: its key it is
    ours, theirs = _ids(held), _ids(there)
    if ours < theirs:
        vault.replace_keys(home.vault, there)
    elif theirs < ours:
        _write(service, table, held, bigquery.WriteDisposition.WRITE_TRUNCATE)
    elif ours != theirs:
        raise AssayError(
            f"BigQuery, {_place(service)}: it holds other keys than {home.vault}, and people would "
            "count twice. Restore the vault that belongs to the dataset: assay vault restore FILE"
        )


def upload(service: Service, home: Home) -> None:
    """Put the keys of the home's vault in the place of those on BigQuery, all at once."""
    keys = vault.read_keys(home.vault)
    _write(service, _table(service), keys, bigquery.WriteDisposition.WRITE_TRUNCATE)


def _table(service: Service) -> bigquery.Table:
    dataset = service.target.layer("vault")
    found = service.table(dataset, TABLE, _call(service))
    if found is None:
        raise AssayError(
            f"BigQuery, {_place(service)}: it is not there. "
            f"Run: assay init --bigquery {service.target.project}"
        )
    return found


def _read(service: Service, table: bigquery.Table) -> list[vault.Key]:
    with answered(_call(service)):
        rows = [dict(row) for row in service.client.list_rows(table, **service.options())]
    keys = [
        vault.Key(
            vault.KeyInfo(
                row["region"], row["version"], row["key_id"], row["valid_from"], row["retired_at"]
            ),
            row["ipad"],
            row["opad"],
        )
        for row in rows
    ]
    return sorted(keys, key=lambda key: (key.info.region, key.info.version))


def _write(service: Service, table: bigquery.Table, keys: list[vault.Key], how: str) -> None:
    content = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([_row(key) for key in keys], schema=_SCHEMA), content)
    service.load(
        lambda: io.BytesIO(content.getvalue()),
        table,
        f"assay_{TABLE}_{secrets.token_hex(16)}",  # a repeat does no harm: it replaces
        bigquery.LoadJobConfig(write_disposition=how),
        _call(service),
    )


def _row(key: vault.Key) -> dict[str, Any]:
    info = key.info
    return {
        "region": info.region,
        "version": info.version,
        "key_id": info.key_id,
        "ipad": key.ipad,
        "opad": key.opad,
        "valid_from": info.valid_from,
        "retired_at": info.retired_at,
    }


def _ids(keys: list[vault.Key]) -> set[str]:
    return {key.info.key_id for key in keys}


def _place(service: Service) -> str:
    return f"table {service.target.layer('vault')}.{TABLE}"


def _call(service: Service) -> Call:
    dataset = service.target.layer("vault")
    return Call(
        _place(service),
        f"roles/bigquery.dataEditor on dataset {dataset}",
        f"The keys of the home's vault are as they were, those of {dataset} may lag behind: "
        f"run assay init --bigquery {service.target.project}",
    )
