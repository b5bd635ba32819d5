"""What `assay init --bigquery` makes: tables, rights, keys, a copy; and no more when repeated."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from bigquery_place import (
    PROJECT,
    WHOLE,
    Place,
    assay,
    bigquery_client,
    failed,
    landed_whole,
    make,
    place,
    reached,
    sent,
    service,
)
from google.cloud import bigquery
from standin import StandIn

from loaders.contracts import load_contracts
from loaders.home import init_home

__all__ = ["place", "reached", "sent", "service"]  # fixtures


def test_every_table_is_made_as_its_contract_says(place: Place):
    client = bigquery_client()
    for contract in load_contracts().values():
        table = client.get_table(f"{PROJECT}.{place.dataset}_bronze.{contract.table}")
        types = {field.name: field.field_type for field in table.schema}
        assert list(types) == [*(c.name for c in contract.kept_columns), "ingest_date"]
        assert types["ingest_date"] == "DATE"
        assert table.time_partitioning.field == "ingest_date"
        assert table.time_partitioning.expiration_ms == contract.retention_days * 86_400_000
        assert tuple(table.clustering_fields or ()) == contract.cluster_by[:4]
        assert table.labels["tool"] == "assay"
        assert table.description


def test_making_it_again_changes_nothing(place: Place, sent: Path):
    """Rows, keys and tables stay as they are."""
    assay("land", "attempts", sent, home=place.home)
    client = bigquery_client()
    name = f"{PROJECT}.{place.dataset}_bronze.attempts"
    keys, table = place.home.vault.read_bytes(), client.get_table(name)
    again = make(place.service, place.home.path, "eu", place.dataset)
    assert again.seen() == WHOLE
    assert place.home.vault.read_bytes() == keys
    assert client.get_table(name).modified == table.modified


def test_the_reader_has_gold_and_nothing_else(service: StandIn, tmp_path: Path):
    """And the loader bronze, and the builder no right to change bronze or keys."""
    accounts = {"reader": "bi@x.example", "builder": "dbt@x.example", "loader": "in@x.example"}
    options = [word for role, email in accounts.items() for word in (f"--{role}", email)]
    place = make(service, tmp_path / "home", "us", None, *options)
    client = bigquery_client("us")
    granted: dict[str, dict[str, str]] = {email: {} for email in accounts.values()}
    for item in client.list_datasets():
        if not item.dataset_id.startswith(place.dataset):
            continue
        for entry in client.get_dataset(item.dataset_id).access_entries:
            assert entry.entity_id not in ("projectReaders", "projectWriters")
            if entry.entity_id in granted:
                layer = item.dataset_id.removeprefix(place.dataset) or "main"
                granted[entry.entity_id][layer] = entry.role.lower()
    assert set(granted["bi@x.example"]) == {"_gold"}
    assert "viewer" in granted["bi@x.example"]["_gold"]
    assert set(granted["in@x.example"]) == {"_bronze"}
    built = {"_silver", "_gold", "_gold_restricted", "main"}
    assert set(granted["dbt@x.example"]) == built | {"_bronze", "_vault"}
    writes = {layer for layer, role in granted["dbt@x.example"].items() if "editor" in role}
    assert writes == built


@pytest.mark.parametrize("layer", ["_bronze", "_silver", "_gold", "_gold_restricted", "_vault"])
def test_nobody_gets_in_by_seeing_the_project(place: Place, layer: str):
    """As BigQuery's own default for a dataset would have it. Who was let in by name stays."""
    client = bigquery_client()
    dataset = client.get_dataset(f"{PROJECT}.{place.dataset}{layer}")
    dataset.access_entries = [
        bigquery.AccessEntry("READER", "specialGroup", "projectReaders"),
        bigquery.AccessEntry("WRITER", "specialGroup", "projectWriters"),
        bigquery.AccessEntry("READER", "userByEmail", "auditor@x.example"),
    ]
    client.update_dataset(dataset, ["access_entries"])
    make(place.service, place.home.path, "eu", place.dataset)
    entries = client.get_dataset(dataset.reference).access_entries
    assert [entry.entity_id for entry in entries] == ["auditor@x.example"]


def test_a_copy_for_recovery_is_made_once_and_nobody_is_granted_it(
    service: StandIn, tmp_path: Path
):
    place = make(service, tmp_path / "home", "us", None, "--replica", "--reader", "bi@x.example")
    make(service, tmp_path / "home", "us", place.dataset, "--replica")
    replicas = {
        name.removeprefix(place.dataset): dataset.replicas
        for (_, name), dataset in service.warehouse.datasets.items()
    }
    copied = {name: places for name, places in replicas.items() if places}
    layers = ("_bronze", "_silver", "_gold", "_gold_restricted")
    assert copied == {layer: {"us-west1"} for layer in layers}
    grants = [e for d in bigquery_client().list_datasets() for e in _readers(d.dataset_id)]
    assert grants == [f"{place.dataset}_gold"]


def _readers(dataset: str) -> list[str]:
    entries = bigquery_client().get_dataset(f"{PROJECT}.{dataset}").access_entries
    return [dataset for entry in entries if entry.entity_id == "bi@x.example"]


def test_the_second_home_of_a_dataset_has_its_keys(place: Place, tmp_path: Path):
    """Two keys would count every person twice."""
    other = make(place.service, tmp_path / "other", "eu", place.dataset)
    listed = [assay("vault", "status", home=h)[1] for h in (place.home, other.home)]
    assert listed[0] == listed[1]
    (row,) = place.service.rows(f"{place.dataset}_vault", "salts")
    assert row["key_id"] in listed[0]

    shutil.copy(init_home(tmp_path / "stranger")[0].vault, other.home.vault)
    init = ["init", "--bigquery", PROJECT, "--dataset", place.dataset]
    assert "it holds other keys" in failed(*init, home=other.home)
    assert len(place.service.rows(f"{place.dataset}_vault", "salts")) == 1


def test_a_rotation_reaches_bigquery(place: Place):
    said = assay("vault", "rotate", home=place.home)[1]
    assert "dbt build --target bigquery_eu carries silver over" in said
    rows = place.service.rows(f"{place.dataset}_vault", "salts")
    assert {row["version"]: row["retired_at"] is None for row in rows} == {1: False, 2: True}
    [run] = place.rows("pipeline_runs")
    assert (run["stage"], run["status"]) == ("rotate", "succeeded")


def test_an_account_that_only_lands_makes_nothing_and_has_no_keys(
    place: Place, sent: Path, tmp_path: Path
):
    before = dict(place.service.warehouse.datasets)
    lander = make(place.service, tmp_path / "lander", "eu", place.dataset, "--land-only")
    assert place.service.warehouse.datasets == before
    assert not lander.home.vault.exists()
    assert assay("land", "attempts", sent, home=lander.home)[0] == 0
    landed_whole(lander, sent)
    assert "vault" not in assay("status", home=lander.home)[1].lower()
