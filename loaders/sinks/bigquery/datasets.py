"""Making a dataset that nobody may read but who is granted it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from google.cloud import bigquery

from loaders.sinks.bigquery.errors import Call, answered
from loaders.sinks.bigquery.service import Service

VIEWER, EDITOR = "roles/bigquery.dataViewer", "roles/bigquery.dataEditor"

# What a dataset's list of rights calls these roles.
_BASIC = {"READER": VIEWER, "WRITER": EDITOR}
# Whom BigQuery lets into a new dataset on its own: everybody who may see or edit the project.
_PROJECT_WIDE = {"projectReaders", "projectWriters"}


def made(service: Service, name: str, labels: Mapping[str, str], call: Call) -> bigquery.Dataset:
    """A dataset in the residency's location, made with labels where there is none."""
    dataset = service.dataset(name, call)
    if dataset is not None:
        return dataset
    wanted = bigquery.Dataset(f"{service.target.project}.{name}")
    wanted.location = service.target.location
    wanted.labels = dict(labels)
    with answered(call):
        return service.client.create_dataset(wanted, exists_ok=True, **service.options())


def close(
    service: Service,
    dataset: bigquery.Dataset,
    call: Call,
    grants: Iterable[tuple[str, str]] = (),
) -> None:
    """Take from a dataset the rights of the whole project, and add some: accounts and roles."""
    entries = _entries(dataset.access_entries, grants)
    if entries != dataset.access_entries:
        dataset.access_entries = entries
        with answered(call):
            service.client.update_dataset(dataset, ["access_entries"], **service.options())


def _entries(
    there: list[bigquery.AccessEntry], grants: Iterable[tuple[str, str]]
) -> list[bigquery.AccessEntry]:
    """The rights of a dataset: those it has, less what is open to the whole project, and ours."""
    kept = [
        entry
        for entry in there
        if not (entry.entity_type == "specialGroup" and entry.entity_id in _PROJECT_WIDE)
    ]
    has = {
        (_BASIC.get(str(entry.role), entry.role), str(entry.entity_id).lower()) for entry in kept
    }
    for account, role in grants:
        kind, _, email = account.rpartition(":")
        entity = "groupByEmail" if kind == "group" else "userByEmail"
        if (role, email.lower()) not in has:
            kept.append(bigquery.AccessEntry(role, entity, email))
    return kept
