"""Contracts are read deny by default: what they do not say in full, they refuse to mean."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from conftest import Demo

from loaders.contracts import CONTRACTS, Column, ContractError, contract_of, load_contracts
from loaders.errors import AssayError
from loaders.home import Home

Table = dict[str, Any]

VISITS: Table = {
    "name": "visits",
    "description": "One row is one visit.",
    "config": {
        "meta": {
            "key": "visit_id",
            "event_time": "seen_at",
            "subject": ["reader"],
            "overflow": "rest",
            "retention_days": 90,
        }
    },
    "columns": [
        {
            "name": name,
            "description": f"The {name}.",
            "data_type": data_type,
            "config": {"meta": {"privacy": privacy}},
        }
        for name, data_type, privacy in (
            ("visit_id", "string", "identifier"),
            ("seen_at", "timestamp", "quasi_identifier"),
            ("reader", "string", "direct_identifier"),
            ("pages", "int64", "safe"),
            ("rest", "string", "sensitive"),
            ("reader_name", "string", "never"),
        )
    ],
}

# Written down from the catalogue, not from the contracts.
REQUIRED = {
    "attempts": {"event_id", "timestamp", "action", "status"},
    "platform_events": {"event_id", "event_type", "occurred_at"},
    "claim_events": {"event_id", "event_type", "timestamp", "partner_id"},
    # `event_id` is what the catalogue calls `id` and `outcome_id`.
    "fraud_decisions": {
        "event_id",
        "transaction_id",
        "timestamp",
        "decision",
        "model_score",
        "final_score",
        "model_version",
        "model_provider",
        "channel",
        "total_latency_ms",
    },
    "fraud_outcomes": {"event_id", "transaction_id", "recorded_at"},
    "fraud_attributions": {"event_id", "method"},  # by the id of the decision
    "experiments": {"experiment_id", "name", "status", "start_date"},
    "replay_scenarios": {"scenario_id", "name", "status", "overrides"},
    "data_subject_requests": {"request_id", "kind", "status", "updated_at"},
    "dead_letters": {
        "dead_letter_id",
        "code",
        "table_name",
        "batch_id",
        "line_number",
        "received_at",
    },
    "landing_ledger": {
        "batch_id",
        "table_name",
        "received",
        "accepted",
        "rejected",
        "duplicates",
        "bytes",
        "checksum",
        "started_at",
        "finished_at",
    },
    "expectation_results": {
        "result_id",
        "table_name",
        "checked_batch_id",
        "checked_at",
        "expectation",
        "success",
    },
    "pipeline_runs": {"run_id", "pipeline_id", "pipeline_name", "stage", "status", "started_at"},
    "public_claim_releases": {
        "release_id",
        "period_start",
        "claim_type",
        "region",
        "epsilon",
        "delta",
        "noise_scale",
        "cells_per_person",
        "mechanism",
        "released_at",
    },
}
ATTEMPT_FIELDS = [
    *("event_id", "timestamp", "action", "status", "user_agent", "ip", "geo", "as_country_code"),
    *("as_description", "as_number", "domain", "path", "query", "fp", "referrer", "email"),
    *("country", "currency", "phone", "aff_data", "additional_data", "resp", "error_code"),
    "duration",
]
ENVELOPE = {"ingested_at", "batch_id", "source_system", "pipeline_version"}
PRIVACY = {"never", "direct_identifier", "identifier", "quasi_identifier", "sensitive", "safe"}
PARQUET = {
    "string": pa.string(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "timestamp": pa.timestamp("us", "UTC"),
    "date": pa.date32(),
    "bytes": pa.binary(),
}


def written(folder: Path, *tables: Table, name: str = "visits.yml") -> Path:
    document = {"version": 2, "sources": [{"name": "bronze", "tables": list(tables)}]}
    (folder / name).write_text(yaml.safe_dump(document), encoding="utf-8")
    return folder


def declared() -> dict[str, Table]:
    """The tables of the project as its YAML has them."""
    return {
        table["name"]: table
        for path in CONTRACTS.glob("*.yml")
        for source in yaml.safe_load(path.read_text(encoding="utf-8"))["sources"]
        for table in source["tables"]
    }


@pytest.fixture(scope="module")
def sources(demo: Demo) -> dict[str, Table]:
    """The bronze sources as dbt understood them when it built the demo."""
    manifest = json.loads((demo.home.path / "target" / "manifest.json").read_text(encoding="utf-8"))
    sources = manifest["sources"].values()
    return {source["name"]: source for source in sources if source["source_name"] == "bronze"}


# --- the project's own contracts


def test_every_table_that_is_declared_is_a_contract():
    """Nothing in models/bronze is passed over, and the catalogue's tables are among it."""
    assert set(load_contracts()) == set(declared())
    assert set(REQUIRED) <= set(load_contracts())


@pytest.mark.parametrize("table", REQUIRED)
def test_required_fields_are_those_of_the_catalogue(table: str):
    """A sender who reads the catalogue knows what a row must carry."""
    assert {c.name for c in contract_of(table).columns if c.required} == REQUIRED[table]


def test_attempts_hold_every_field_of_the_request_log():
    """The 22 columns of S3, the event's id and the error code; the row's envelope beside them."""
    names = [column.name for column in contract_of("attempts").columns]
    assert names[: len(ATTEMPT_FIELDS)] == ATTEMPT_FIELDS
    assert set(names) >= ENVELOPE | {"producer", "sequence"}


def test_every_column_says_what_it_is_and_how_private():
    """A description and a privacy class per column, and no spelling that could mean two."""
    for contract in load_contracts().values():
        assert contract.description
        sent = [column for column in contract.columns if column.set_by is None]
        spellings = [spelling for column in sent for spelling in column.spellings]
        assert len(spellings) == len(set(spellings)), contract.table
        for column in contract.columns:
            assert column.description, f"{contract.table}.{column.name}"
            assert column.privacy in PRIVACY, f"{contract.table}.{column.name}"


def test_what_names_a_person_is_not_called_safe():
    """Only our own words, times and counts are safe; what a person typed or is found by is not."""
    contract = contract_of("attempts")
    assert contract.subject == ("email", "phone", "fp", "ip")
    for name in contract.subject:
        assert contract.column(name).privacy == "direct_identifier"
    safe = {column.name for column in contract.columns if column.privacy == "safe"}
    assert safe == ENVELOPE | {
        "action",
        "status",
        "domain",
        "error_code",
        "duration",
        "producer",
        "sequence",
        "line_number",
    }


def test_an_unknown_table_is_answered_with_those_there_are():
    with pytest.raises(AssayError, match=r"No bronze table visits\. There are: attempts, "):
        contract_of("visits")


def test_dbt_sources_and_contracts_agree(sources: dict[str, Table]):
    """Same tables, same columns in the same order, same types, classes and roles."""
    contracts = load_contracts()
    assert set(sources) == set(contracts)
    for table, source in sources.items():
        contract = contracts[table]
        assert source["loaded_at_field"] == "ingested_at"
        assert list(source["columns"]) == [column.name for column in contract.columns]
        for column in contract.columns:
            known = source["columns"][column.name]
            assert known["data_type"] == column.data_type
            assert known["config"]["meta"]["privacy"] == column.privacy
        meta = source["config"]["meta"]
        for role in ("key", "event_time", "overflow", "payload", "silver", "duplicates"):
            assert meta.get(role) == getattr(contract, role), f"{table}.{role}"
        assert meta.get("reference", False) == contract.reference
        assert meta["retention_days"] == contract.retention_days
        assert tuple(meta.get("subject", ())) == contract.subject


def test_every_doc_block_of_a_column_is_found(sources: dict[str, Table]):
    """What dbt renders is a sentence, whether it stands in the contract or in a doc block."""
    for table, source in sources.items():
        for name, column in source["columns"].items():
            description = column["description"].strip()
            assert description.endswith("."), f"{table}.{name}"
            assert "{{" not in description, f"{table}.{name}"


def test_a_fresh_home_holds_every_table_with_its_types(home: Home):
    """An empty Parquet file per table has the contract's columns, none of them forbidden."""
    for table, node in declared().items():
        (file,) = (home.bronze / table).rglob("*.parquet")
        schema = pq.read_schema(file)
        kept = [c for c in node["columns"] if c["config"]["meta"]["privacy"] != "never"]
        assert schema.names == [column["name"] for column in kept]
        assert schema.types == [PARQUET[column["data_type"]] for column in kept]


# --- contracts that nobody should have written


def test_a_whole_contract_loads(tmp_path: Path):
    """The contract that the refusals below are made from is itself in order."""
    (contract,) = load_contracts(written(tmp_path, VISITS)).values()
    assert (contract.table, contract.key, contract.event_time) == ("visits", "visit_id", "seen_at")
    assert [column.name for column in contract.columns] == [c["name"] for c in VISITS["columns"]]
    assert "reader_name" not in contract.arrow_schema.names
    assert "reader_name" not in [column.name for column in contract.sent_columns]


def in_table(**changes: Any) -> Callable[[Table], None]:
    def change(table: Table) -> None:
        for key, value in changes.items():
            table.pop(key, None) if value is None else table.update({key: value})

    return change


def in_meta(**changes: Any) -> Callable[[Table], None]:
    return lambda table: in_table(**changes)(table["config"]["meta"])


def in_column(**changes: Any) -> Callable[[Table], None]:
    return lambda table: in_table(**changes)(table["columns"][3])


def in_column_meta(**changes: Any) -> Callable[[Table], None]:
    return lambda table: in_table(**changes)(table["columns"][3]["config"]["meta"])


def unstructured_payload(table: Table) -> None:
    """A payload that no object could be sent as, beside the columns that it needs."""
    for column, name in zip(table["columns"][3:5], ("event_type", "schema_version"), strict=True):
        column.update(name=name, data_type="string")
    table["config"]["meta"].update(overflow="event_type", payload="reader")


def misplaced_privacy(table: Table) -> None:
    table["columns"][3].update(config={}, meta={"privacy": "safe"})


@pytest.mark.parametrize(
    ("change", "column", "reason"),
    [
        (in_column_meta(privacy=None), "pages", "needs a privacy class"),
        (in_column_meta(privacy="public"), "pages", "needs a privacy class"),
        (in_column(config=None), "pages", "needs a privacy class"),
        (misplaced_privacy, "pages", "needs a privacy class"),
        (in_column_meta(privcy="safe"), "pages", "unknown meta key privcy"),
        (in_column(data_type="varchar"), "pages", "data_type must be one of"),
        (in_column(data_type="INT64"), "pages", "data_type must be one of"),
        (in_column(data_type=None), "pages", "data_type must be one of"),
        (in_column(description=None), "pages", "needs a description"),
        (in_column(description="  "), "pages", "needs a description"),
        (in_meta(key="id"), "id", "named in meta, but not declared"),
        (in_meta(event_time="at"), "at", "named in meta, but not declared"),
        (in_meta(subject=["reader", "email"]), "email", "named in meta, but not declared"),
        (in_meta(overflow="extra"), "extra", "named in meta, but not declared"),
        (in_meta(payload="extra"), "extra", "named in meta, but not declared"),
        (unstructured_payload, "reader", "is the payload, and not structured"),
        (in_meta(payload="rest"), None, "meta.payload needs the columns event_type and"),
        (in_meta(key=None), None, "meta.key is missing"),
        (in_meta(event_time=None), None, "meta.event_time is missing"),
        (in_meta(retention_days=None), None, "meta.retention_days is missing"),
        (in_meta(retention="90 days"), None, "unknown meta key retention"),
        (in_table(description=None), None, "needs a description"),
        (in_table(config=None), None, "meta.key is missing"),
    ],
)
def test_an_incomplete_contract_is_refused(
    tmp_path: Path, change: Callable[[Table], None], column: str | None, reason: str
):
    """The error is one line that names file, table and, where one is at fault, column."""
    table = copy.deepcopy(VISITS)
    change(table)
    with pytest.raises(ContractError) as caught:
        load_contracts(written(tmp_path, table))
    message = str(caught.value)
    assert message.startswith(
        "visits.yml: table visits" + (f", column {column}:" if column else ":")
    )
    assert reason in message
    assert "\n" not in message


def test_a_file_that_is_no_yaml_is_named(tmp_path: Path):
    (tmp_path / "visits.yml").write_text("sources: [\n", encoding="utf-8")
    with pytest.raises(ContractError, match=r"^visits\.yml: not valid YAML"):
        load_contracts(tmp_path)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (in_table(name=None), "a table without a name"),
        (in_column(name=None), "a column without a name"),
        (lambda table: table.update(config=None), "an empty config"),
        (lambda table: table["columns"].append(table["columns"][3]), "a column declared twice"),
        (in_meta(cluster_by=["nothing"]), "cluster_by of an undeclared column"),
        (in_meta(retention_days="ninety"), "retention that is no number"),
        (in_column_meta(required="no"), "required that is neither true nor false"),
        (in_column_meta(set_by="nobody"), "set_by that is not landing"),
        (in_column_meta(vocabulary="nothing"), "a vocabulary that the seed has not"),
        (in_column_meta(unknown="other"), "an unknown word without a vocabulary"),
        (in_column_meta(min=5, max=4), "a range without a number in it"),
        (in_column_meta(accepted=["a"]), "words for a number"),
        (in_column_meta(retired=True, required=True), "retired and required"),
        (in_column_meta(required_unless=["reader"]), "required unless a column is nothing"),
        (in_column_meta(required_unless=["writer", "x"]), "required unless an unknown column"),
        (in_column_meta(required=True, required_unless=["reader", "x"]), "required twice"),
        (in_column_meta(since="soon"), "since that is no version"),
        (in_column(name="Pages"), "a name that is not in lower case"),
        (in_meta(event_time="pages"), "an event time that is no time"),
        (in_meta(reference=True, silver="stg_sites__visits"), "events that are a reference"),
        (in_table(columns=None), "a table without columns"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-",
)
def test_a_contract_that_contradicts_itself_is_refused(
    tmp_path: Path, change: Callable[[Table], None], what: str
):
    """Whatever would fail later, or mean something else than it says, fails here."""
    table = copy.deepcopy(VISITS)
    change(table)
    with pytest.raises(ContractError, match=r"^visits\.yml"):
        load_contracts(written(tmp_path, table))


@pytest.mark.parametrize("text", ["", "[]", "sources: null", "sources: [{tables: [1]}]"])
def test_a_file_without_tables_is_named(tmp_path: Path, text: str):
    """A file that is there and declares nothing is a mistake, not nothing."""
    (tmp_path / "visits.yml").write_text(text, encoding="utf-8")
    with pytest.raises(ContractError, match=r"^visits\.yml: "):
        load_contracts(tmp_path)


def test_a_table_declared_in_two_files_is_refused(tmp_path: Path):
    written(tmp_path, VISITS)
    with pytest.raises(ContractError, match="visits"):
        load_contracts(written(tmp_path, VISITS, name="visits_again.yml"))


# --- spellings


@pytest.mark.parametrize(
    ("name", "aliases", "spellings"),
    [
        ("ip", (), ("ip",)),
        ("user_agent", (), ("user_agent", "userAgent")),
        ("as_country_code", (), ("as_country_code", "asCountryCode")),
        ("p95_ms", (), ("p95_ms", "p95Ms")),
        ("window_1h", (), ("window_1h", "window1h")),
        ("user_id", ("player_id", "userId"), ("user_id", "userId", "player_id")),
    ],
)
def test_spellings(name: str, aliases: tuple[str, ...], spellings: tuple[str, ...]):
    """snake_case first, then camelCase, then the aliases, each once."""
    column = Column(name, "string", "A column.", "safe", aliases=aliases)
    assert column.spellings == spellings
