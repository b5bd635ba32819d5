"""Marts about operations are made of what says nothing about a person, and of nothing else.

Such a mart needs no k people behind a row. So its statement, and that of each model below that says
the same of itself, must work where all other tables have their columns of privacy class `safe` and
no others, but for marts of gold: what follows from those follows from what is published.
"""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pytest
from compiled import sandbox
from conftest import Demo

Node = dict[str, Any]


@pytest.fixture(scope="module")
def manifest(demo: Demo) -> Node:
    """What dbt wrote of the first build of the demo."""
    path = demo.home.path / "target" / "manifest.json"
    found: Node = json.loads(path.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def nodes(manifest: Node) -> dict[str, Node]:
    """Models, compiled, and sources, by dbt's id."""
    models = {k: n for k, n in manifest["nodes"].items() if n["resource_type"] == "model"}
    return models | manifest["sources"]


def about_operations(nodes: dict[str, Node]) -> list[str]:
    """Ids of the models that say so, each after those that it is made of."""
    found: list[str] = []

    def add(model: str) -> None:
        for parent in nodes[model].get("depends_on", {}).get("nodes", []):
            if parent in nodes and parent not in found:
                add(parent)
        if nodes[model]["config"].get("meta", {}).get("about") == "operations":
            found.append(model)

    for model in nodes:
        if model not in found:
            add(model)
    return found


def safe_columns(nodes: dict[str, Node], node: Node) -> dict[str, str]:
    """Types of the columns that may be read: safe, or of a name that is safe in all of bronze."""
    classes: dict[str, set[str]] = {}
    for source in nodes.values():
        if source["resource_type"] == "source":
            for name, column in source["columns"].items():
                classes.setdefault(name, set()).add(privacy(column) or "")
    return {
        name: column["data_type"]
        for name, column in node["columns"].items()
        if (privacy(column) or "".join(classes.get(name, ["unknown"]))) == "safe"
    }


def privacy(column: Node) -> str | None:
    return column["config"].get("meta", {}).get("privacy")


def faults(nodes: dict[str, Node], models: list[str]) -> dict[str, str]:
    """What is wrong with models that are about operations, by name."""
    found = {}
    with sandbox() as database:
        database.execute("attach ':memory:' as warehouse")
        for schema in ("bronze", "silver", "gold", "gold_restricted"):
            database.execute(f"create schema warehouse.{schema}")
        for node in nodes.values():
            if node["unique_id"] not in models:
                columns = safe_columns(nodes, node)
                if node["schema"] == "gold":
                    columns = {n: column["data_type"] for n, column in node["columns"].items()}
                if node["resource_type"] == "source":
                    columns["ingest_date"] = "date"  # which day's folder a file lies in
                make = ", ".join(f"{name} {kind}" for name, kind in columns.items())
                if make:
                    database.execute(f"create table {place(node)} ({make})")
        for model in models:
            node = nodes[model]
            statement = node["compiled_code"]
            for source in nodes.values():
                if source["resource_type"] == "source":
                    statement = statement.replace(source["relation_name"], place(source))
            try:
                database.execute(f"create table {place(node)} as {statement}")
            except duckdb.Error as error:
                found[node["name"]] = str(error).splitlines()[0]
                continue
            made = {row[0] for row in database.execute(f"describe {place(node)}").fetchall()}
            if unsafe := made - set(safe_columns(nodes, node)):
                found[node["name"]] = f"not declared safe: {', '.join(sorted(unsafe))}"
    return found


def place(node: Node) -> str:
    """Where the table of a node is in the sandbox."""
    schema = "bronze" if node["resource_type"] == "source" else node["schema"]
    return f'"warehouse"."{schema}"."{node["name"]}"'


def test_they_read_what_is_safe_alone(nodes: dict[str, Node]) -> None:
    models = about_operations(nodes)
    assert {"model.assay.loss_ledger", "model.assay.platform_health_monthly"} <= set(models)
    assert faults(nodes, models) == {}


def test_whatever_has_no_k_says_that_it_is_about_operations(
    manifest: Node, nodes: dict[str, Node]
) -> None:
    """And stands where the rule of dbt-bouncer lets it, or is told with noise."""
    tests = [n for n in manifest["nodes"].values() if n["resource_type"] == "test"]
    proofs = ("k_anonymous", "differentially_private")
    with_k = {
        test["attached_node"]
        for test in tests
        if (test.get("test_metadata") or {}).get("name") in proofs
    }
    marts = {key for key, node in nodes.items() if node["path"].startswith("gold/")}
    assert marts - with_k == marts & set(about_operations(nodes))
    assert all(nodes[mart]["path"].startswith("gold/platform/") for mart in marts - with_k)


# Column, model that is made to read it, and in place of what.
PLANTED = [
    ("email", "int_platform__row_counts", "producer,", "email as producer,"),
    ("subject_key", "int_platform__row_counts", "line_number,", "subject_key,"),
    ("fp", "int_platform__number_ranges", "producer,", "fp as producer,"),
    ("undeclared", "loss_ledger", "missing,", "missing, 1 as undeclared,"),
    ("happened_at", "int_platform__monthly_landings", "*,", "*, happened_at,"),
    ("subjects", "platform_health_monthly", "completeness,", "completeness, 1 as subjects,"),
    ("user_id", "stg_platform__audit_entries", "action,", "user_id as action,"),
    ("query_params", "stg_platform__audit_entries", "action,", "query_params as action,"),
    ("source_file", "stg_platform__batches", "batch_id,", "batch_id, source_file,"),
]


@pytest.mark.parametrize(("column", "model", "before", "after"), PLANTED)
def test_a_model_that_reads_more_is_seen(
    nodes: dict[str, Node], column: str, model: str, before: str, after: str
) -> None:
    node = nodes[f"model.assay.{model}"]
    text = node["compiled_code"]
    assert f"        {before}\n" in text
    planted = node | {"compiled_code": text.replace(f"        {before}\n", f" {after}\n", 1)}
    found = faults(nodes | {node["unique_id"]: planted}, about_operations(nodes))
    assert column in found[model]


def test_a_mart_about_people_cannot_say_so(nodes: dict[str, Node]) -> None:
    for name in ("attempts_daily", "deposit_attempts_hourly", "email_domain_typos_weekly"):
        model = f"model.assay.{name}"
        claimed = nodes[model] | {"config": {"meta": {"about": "operations"}}}
        models = about_operations(nodes | {model: claimed})
        assert name in faults(nodes, models)
