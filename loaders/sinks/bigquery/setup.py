"""Making a home that lands on BigQuery: its datasets, tables, rights and keys.

All of it may be repeated, and a repeat changes nothing but what the contracts have come to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from google.cloud import bigquery

from loaders import bronze
from loaders.contracts import Contract, load_contracts
from loaders.errors import AssayError
from loaders.home import Home, Target, begin_home, mark_home
from loaders.residencies import residency_of
from loaders.sinks.bigquery import datasets, keys, schemas
from loaders.sinks.bigquery.datasets import EDITOR, VIEWER
from loaders.sinks.bigquery.errors import Call, Refused, answered
from loaders.sinks.bigquery.service import Service

LAYERS = ("bronze", "silver", "gold", "gold_restricted", "vault")
_COPIED = ("bronze", "silver", "gold", "gold_restricted")  # keys have a backup of their own

_PROJECT = re.compile(r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{1,61}")
_DATASET = re.compile(r"\w{1,1000}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Accounts:
    """Who is granted what. An account is an e-mail address, with `group:` before that of a group.

    The reader sees gold and nothing else; the builder is dbt's, the loader lands.
    """

    reader: str | None = None
    builder: str | None = None
    loader: str | None = None

    def grants(self, layer: str) -> Iterator[tuple[str, str]]:
        """Account and role of a layer; `main` is what dbt remembers of its builds."""
        if self.reader and layer == "gold":
            yield self.reader, VIEWER
        if self.builder:
            yield self.builder, VIEWER if layer in ("bronze", "vault") else EDITOR
        if self.loader and layer == "bronze":
            yield self.loader, EDITOR


def init_bigquery_home(
    given: str | Path | None,
    residency: str,
    project: str,
    dataset: str | None = None,
    accounts: Accounts | None = None,
    replica: bool = False,
    land_only: bool = False,
) -> tuple[Home, bool]:
    """Make a home that lands on BigQuery, or complete one. Returns it, and whether it is new.

    With `land_only`, nothing is made on BigQuery and the home gets no keys: for an account that may
    do nothing but land. Raises AssayError where another home is there, a dataset lies in another
    location, a table's column has another type, or BigQuery refuses.
    """
    place = residency_of(residency)
    if not _PROJECT.fullmatch(project) or not _DATASET.fullmatch(dataset or "d"):
        raise AssayError(
            "That is no name of a project and dataset of BigQuery. A dataset's has letters, digits "
            "and underscores; a project is named by its id, not by its title."
        )
    target = Target(project, dataset or f"assay_{residency}", place.bigquery_location)
    if replica and place.recovery_location is None:
        raise AssayError(
            f"Residency {residency} has no recovery location in seeds/residencies.csv. "
            "Its data stays where it is: leave --replica out."
        )
    home, is_new = begin_home(given, residency, target)
    home.bronze.mkdir(exist_ok=True)
    service = Service(target, residency)
    if not land_only:
        for layer in ("main", *LAYERS):
            _dataset(service, layer, accounts or Accounts())
        for contract in load_contracts().values():
            _bronze_table(service, contract)
        _vault_table(service)
        keys.settle(service, home)
        if replica:
            for layer in _COPIED:
                _replica(service, layer, str(place.recovery_location))
    if is_new:
        mark_home(home, residency, target)
    bronze.recover(home)  # what could not be loaded before tables and rights were mended
    return home, is_new


def _name(service: Service, layer: str) -> str:
    return service.target.dataset if layer == "main" else service.target.layer(layer)


def _call(service: Service, place: str, role: str = "roles/bigquery.dataOwner") -> Call:
    again = "Run assay init again: it goes on where it stopped."
    return Call(place, f"{role} on project {service.target.project}", again)


def _dataset(service: Service, layer: str, accounts: Accounts) -> None:
    name = _name(service, layer)
    call = _call(service, f"dataset {name}")
    dataset = datasets.made(service, name, service.labels | {"layer": layer}, call)
    datasets.close(service, dataset, call, accounts.grants(layer))


def _bronze_table(service: Service, contract: Contract) -> None:
    wanted = schemas.table(service.target, contract, service.labels | {"layer": "bronze"})
    call = _call(service, f"table {wanted.dataset_id}.{wanted.table_id}")
    there = service.table(wanted.dataset_id, wanted.table_id, call)
    if there is None:
        with answered(call):
            service.client.create_table(wanted, exists_ok=True, **service.options())
        return
    day = there.time_partitioning.field if there.time_partitioning else None
    if day != contract.partition_by:
        raise AssayError(
            f"BigQuery, {call.place}: schema drift, it is not partitioned by "
            f"{contract.partition_by}. Rename it, run assay init again, and copy its rows over."
        )
    changed = []
    columns = schemas.completed(there, list(wanted.schema))
    if columns != list(there.schema):
        there.schema = columns
        changed.append("schema")
    for part in ("description", "clustering_fields"):
        if getattr(there, part) != getattr(wanted, part):
            setattr(there, part, getattr(wanted, part))
            changed.append(part)
    if there.time_partitioning.expiration_ms != wanted.time_partitioning.expiration_ms:
        there.time_partitioning = wanted.time_partitioning
        changed.append("time_partitioning")
    if changed:
        with answered(call):
            service.client.update_table(there, changed, **service.options())


def _vault_table(service: Service) -> None:
    dataset = bigquery.DatasetReference(service.target.project, _name(service, "vault"))
    wanted = bigquery.Table(dataset.table(keys.TABLE), schema=keys.fields())
    wanted.description = "The keys of the pseudonyms. The build alone reads them."
    wanted.labels = service.labels | {"layer": "vault"}
    call = _call(service, f"table {dataset.dataset_id}.{keys.TABLE}")
    if service.table(dataset.dataset_id, keys.TABLE, call) is None:
        with answered(call):
            service.client.create_table(wanted, exists_ok=True, **service.options())


def _replica(service: Service, layer: str, location: str) -> None:
    """A copy for disaster recovery. Rights are the dataset's own, so nobody is granted the copy."""
    name = _name(service, layer)
    call = _call(service, f"dataset {name}")
    statement = (
        f"alter schema `{service.target.project}`.`{name}` "
        f"add replica `{location}` options (location = '{location}')"
    )
    try:
        service.statement(statement, call)
    except Refused as refused:
        if refused.reason != "duplicate":  # else it has one
            raise
