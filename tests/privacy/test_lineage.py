"""Every way from a person's data to gold leads past what takes the person out of it.

Read off the SQL that was run to build the demo, column by column, from bronze to gold. It sees what
names and tests of rows do not: an id under another name, or a column that went round its labels.
What the lineage of is not known is a fault.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from conftest import PROJECT, Demo
from lineage import NOTHING, Columns, Flow, UnknownLineageError, Value, columns_of, flows_of

from loaders.contracts import load_contracts
from loaders.contracts.events import load_events

Node = dict[str, Any]
Nodes = dict[str, Node]

# Labels are given where these tests are: nothing is published that goes round them.
LABEL_TESTS = {"blocks_pass", "timed_blocks_pass"}
# Cohorts are told as wholes, by `cohort_cells`: none_or_enough and the row space see to that.
COHORTS = {"int_gaming__cohort_days", "int_gaming__lifetime_values", "int_gaming__retention"}
PERSONAL = {"direct_identifier", "identifier"}
# What is of a person all the same, and why it may be there.
MISTYPED = "only domains that look mistyped, which k people typed"
AGE = "how much older than its landing a batch's newest event was, of 100 batches"
COMPANY = "a partner is a company, with a key domain of its own, of an industry"
SHARED = "of k people and 100 transactions, in a key domain of its own"
MONTH = "the month alone; in gold_restricted"
NAMED = "a short name out of our own configuration"
EXPLAINED = {
    "email_domain_typos_weekly.typed_domain: the value of attempts.email": MISTYPED,
    "email_domain_typos_weekly.suggested_domain: the value of attempts.email": MISTYPED,
    **{
        f"platform_health_monthly.freshness_p95_seconds: {column}, quasi_identifier, no label": AGE
        for column in (
            "attempts.timestamp",
            "claim_events.timestamp",
            "deposit_attempts.timestamp",
            "fraud_attributions.computed_at",
            "fraud_decisions.timestamp",
            "fraud_outcomes.recorded_at",
            "platform_events.occurred_at",
        )
    },
    **{
        f"{mart}.partner_id_hash: the pseudonym of claim_events.partner_id": COMPANY
        for mart in (
            "daily_claim_stats",
            "fraud_patterns_weekly",
            "partner_behavior_profiles",
            "partner_benchmarks_monthly",
            "partner_features_daily",
            "verification_metrics_daily",
        )
    },
    "fraud_patterns_weekly.industry: the value of claim_events.partner_id": COMPANY,
    "partner_benchmarks_monthly.industry: the value of claim_events.partner_id": COMPANY,
    **{
        f"{column}: the pseudonym of claim_events.{leaf}": "of its own domain"
        for column in ("claim_events.claim_id_hash", "fraud_training_set.example_id")
        for leaf in ("claim_id", "partner_id")
    },
    "claim_events.partner_id_hash: the pseudonym of claim_events.partner_id": "of its own domain",
    **{
        f"fraud_cohorts.value_hash: the pseudonym of fraud_decisions.{leaf}": SHARED
        for leaf in ("device_id", "merchant_id")
    },
    **{
        f"{column}: experiments.variants.{field}, of no class, no label": NAMED
        for column in (
            "experiment_guardrails.variant_id",
            "experiment_results.variant_id",
            "experiment_results.winner",
        )
        for field in ("id", "variantId", "variant_id")
    },
    "replay_decision_changes.transaction_hash: the pseudonym of fraud_decisions.transaction_id": (
        "of its own domain"
    ),
    "top_contributors.contributor: the pseudonym of platform_events.user_id": "of its own domain",
    "top_contributors.points_band: platform_events.payload.points, sensitive, no label": "a band",
    "top_contributors.period_start: platform_events.occurred_at, quasi_identifier, no label": MONTH,
}


@pytest.fixture(scope="module")
def nodes(demo: Demo) -> Nodes:
    """All of the manifest of the demo's build."""
    path = demo.home.path / "target" / "manifest.json"
    manifest: Node = json.loads(path.read_text(encoding="utf-8"))
    return manifest["nodes"] | manifest["sources"]


def privacy_classes() -> dict[str, str]:
    """Of each column of bronze, and of each field of a payload, under all of its names."""
    found = {}
    for table, contract in load_contracts().items():
        for column in contract.columns:
            found[f"{table}.{column.name}"] = column.privacy
        if contract.payload:
            for field in (field for event in load_events() for field in event.fields):
                for name in field.spellings:
                    found[f"{table}.{contract.payload}.{name}"] = field.privacy
    return found


def given(nodes: Nodes) -> dict[str, Columns]:
    """What models are made of: bronze, by its files; seeds; the keys."""
    tables: dict[str, Columns] = {"main.salts": _safe("region", "version", "ipad", "opad")}
    for node in nodes.values():
        if node["resource_type"] == "source":
            columns = {
                name: frozenset([Flow(f"{node['name']}.{name}")]) for name in node["columns"]
            }
            [path] = re.findall(r"read_parquet\('([^']*)'", node["relation_name"]) or [node["name"]]
            tables[path] = columns | _safe("ingest_date")
        elif node["resource_type"] == "seed":
            with (PROJECT / node["original_file_path"]).open(encoding="utf-8") as file:
                tables[f"{node['schema']}.{node['alias']}"] = _safe(*next(csv.reader(file)))
    return tables


def _safe(*names: str) -> dict[str, Value]:
    return {name.lower(): NOTHING for name in names}


def gives_labels(nodes: Nodes, model: Node) -> bool:
    """Whether a model is one in which rows get the labels that they are published under."""
    return model["name"] in COHORTS or any(
        node.get("attached_node") == model["unique_id"]
        and node["test_metadata"]["name"] in LABEL_TESTS
        for node in nodes.values()
    )


@pytest.fixture(scope="module")
def tables(nodes: Nodes) -> dict[str, Columns]:
    """The columns of every table that there is, with all that flows into them."""
    known = given(nodes)
    models = {name: node for name, node in nodes.items() if node["resource_type"] == "model"}
    for name in in_order(models):
        model = models[name]
        columns = columns_of(model["compiled_code"], known)
        if missing := columns.keys() ^ {column.lower() for column in model["columns"]}:
            raise UnknownLineageError(f"{model['name']}: {missing}")
        labels = frozenset([model["name"]] if gives_labels(nodes, model) else [])
        known[f"{model['schema']}.{model['alias']}"] = {
            column: frozenset(
                replace(flow, passed=flow.passed | labels) for flow in flows_of(value)
            )
            if labels
            else value
            for column, value in columns.items()
        }
    return known


def in_order(models: Nodes) -> list[str]:
    """Names of models, each after those that it is made of."""
    found: dict[str, None] = {}

    def add(name: str) -> None:
        for parent in models[name]["depends_on"]["nodes"]:
            if parent in models and parent not in found:
                add(parent)
        found[name] = None

    for name in models:
        if name not in found:
            add(name)
    return list(found)


def faults(mart: str, columns: Columns) -> list[str]:
    """What flows of a person into columns of gold, and should not."""
    classes, found = privacy_classes(), []
    for column, value in columns.items():
        for flow in sorted(flows_of(value), key=str):
            document = ".".join(flow.leaf.split(".")[:2])
            of_field = "safe" if classes.get(document) == "safe" else "of no class"
            kind = classes.get(flow.leaf, of_field)
            if kind in PERSONAL:
                what = "the pseudonym" if flow.is_hashed else "the value"
                found.append(f"{mart}.{column}: {what} of {flow.leaf}")
            elif kind != "safe" and not flow.passed:
                found.append(f"{mart}.{column}: {flow.leaf}, {kind}, no label")
    return found


def test_nothing_personal_leads_to_gold(tables: dict[str, Columns]) -> None:
    """But for what is explained, and all of that is still there."""
    gold = {name.split(".")[1]: name for name in tables if name.startswith("gold")}
    assert len(gold) > 30
    found = {fault for mart, name in gold.items() for fault in faults(mart, tables[name])}
    assert found == EXPLAINED.keys()


MART, COLUMN = "attempts_daily", "domain"
EMAIL = "select max(email) from {bronze}"
# Planted in the place of a column of a mart: what the gate says of it.
PLANTED = {
    "a value under another name": (f"({EMAIL})", "the value of attempts.email"),
    "a part of it": (f"left(upper(({EMAIL})), 3)", "the value of attempts.email"),
    "through a function that nobody knows": (f"f(({EMAIL}))", "the value of attempts.email"),
    "in one branch": (f"case when attempts > 9 then ({EMAIL}) end", "the value of attempts.email"),
    "as the first of many": (
        "(select first_value(email) over (order by phone) from {bronze})",
        "the value of attempts.email",
    ),
    "as a list": ("(select list(phone)[1] from {bronze})", "the value of attempts.phone"),
    "a hash without a key": (f"md5(({EMAIL}))", "the pseudonym of attempts.email"),
    "a pseudonym": (
        "(select max(subject_key) from silver.stg_access__attempts)",
        "the pseudonym of attempts.email",
    ),
    "round its labels": (
        "(select max(country) from silver.stg_access__attempts)",
        "attempts.geo, quasi_identifier, no label",
    ),
    "a field of a payload": (
        "(select max(amount_minor) from silver.stg_engagement__events)",
        "platform_events.payload.amount_minor, sensitive, no label",
    ),
}
HARMLESS = [
    "(select count(distinct email) from {bronze})",
    f"({EMAIL}) is null",
    f"case when ({EMAIL}) like '%@mail.example' then 'a' else 'b' end",
    "(select row_number() over (order by email) from {bronze} limit 1)",
]


@pytest.fixture(scope="module")
def planted(nodes: Nodes, tables: dict[str, Columns]) -> Callable[[str], list[str]]:
    """Puts SQL in the place of a column of the mart, and says what the gate says of it."""
    [bronze] = [path for path in tables if path.endswith("/attempts/**/*.parquet")]
    sql = nodes[f"model.assay.{MART}"]["compiled_code"]

    def said(expression: str) -> list[str]:
        code = expression.replace("{bronze}", f"read_parquet('{bronze}')")
        changed = f"select * replace ({code} as {COLUMN}) from ({sql}) as mart"
        return faults(MART, columns_of(changed, tables))

    return said


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_way_is_seen(name: str, planted: Callable[[str], list[str]]) -> None:
    expression, fault = PLANTED[name]
    assert f"{MART}.{COLUMN}: {fault}" in planted(expression)


@pytest.mark.parametrize("expression", HARMLESS)
def test_what_says_nothing_of_a_person_is_none(
    expression: str, planted: Callable[[str], list[str]]
) -> None:
    assert planted(expression) == []


@pytest.mark.parametrize(
    "expression", ["(select x from elsewhere)", "(select x from {bronze})", "nothing.domain"]
)
def test_what_is_not_known_is_a_fault(expression: str, planted: Callable[[str], list[str]]) -> None:
    with pytest.raises(UnknownLineageError):
        planted(expression)
