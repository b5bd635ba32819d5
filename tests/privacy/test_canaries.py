"""A canary in every field that can be sent: where it sings is where the field's privacy class says.

Of each kind of event one is sent for each of its fields, by enough people to be shown, with a word
in that field that is nowhere else; whatever type the field has, and whatever word belongs there.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from byte_search import Needles, as_text, files, search
from conftest import MODELS_ONLY, Demo, run_dbt

from loaders.contracts import Column, contract_of
from loaders.contracts.events import load_events
from loaders.gold.publish import publish
from loaders.home import Home, bronze_reader, init_home
from loaders.landing.batches import land_file

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("artifacts")]

TABLES = (
    *("attempts", "deposit_attempts", "platform_events", "claim_events"),
    *("fraud_decisions", "fraud_outcomes", "fraud_attributions"),
)
PEOPLE = 12
# What tells events apart is another word in each: it begins with the canary.
OF_ONE_EVENT = {"identifier", "direct_identifier"}
# What a field must hold for its event to be of this kind, and in this home.
KIND = {"action", "status", "event_type", "schema_version", "region", "timestamp", "occurred_at"}

# Told where enough people share it.
SHOWN_IN_GOLD = {
    "claim_events.api_endpoint sensitive",  # without the ids in its path
    "claim_events.claim_type quasi_identifier",
    "platform_events.limit_kind sensitive",
}
# Events and companies keep their ids there, and labels are made of the others.
KEPT_IN_SILVER = SHOWN_IN_GOLD | {
    *(f"{table}.event_id identifier" for table in TABLES),
    "claim_events.partner_id identifier",
    "claim_events.verification_result sensitive",
    "fraud_decisions.merchant_category quasi_identifier",
    "platform_events.country quasi_identifier",
    "platform_events.device quasi_identifier",
    "platform_events.geo quasi_identifier",
}

Row = dict[str, Any]


@dataclass(frozen=True)
class Field:
    """A field of an event, or of its payload."""

    table: str
    name: str
    privacy: str
    payload: str | None = None  # the column that it is in

    @property
    def canary(self) -> str:
        return f"canary{self.table}{self.name}".replace("_", "")


def fields_of(table: str, event_type: str | None) -> Iterator[Field]:
    contract = contract_of(table)
    for column in contract.columns:
        if column.set_by is None and column.name not in KIND:
            yield Field(table, column.name, column.privacy)
    if contract.payload:
        for column in payload_of(event_type):
            yield Field(table, column.name, column.privacy, contract.payload)


def payload_of(event_type: str | None) -> tuple[Column, ...]:
    return next((kind.fields for kind in load_events() if kind.event_type == event_type), ())


def kinds_of(demo: Demo, table: str) -> dict[str, Row]:
    """Of each kind of event in the demo the one that says most, by the names of the contract."""
    contract = contract_of(table)
    never = {column.name for column in contract.columns if column.privacy == "never"}
    found: dict[str, Row] = {}
    for file in sorted((demo.home.path / "demo").glob(f"{table}-*.jsonl")):
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                row = spelled(json.loads(line), contract.columns)
            except (AttributeError, ValueError):  # planted in the demo, and refused
                continue
            if never & row.keys():  # so is this
                continue
            kind = str(row.get("event_type") or row.get("status"))
            if contract.payload and row.get(contract.payload):
                row[contract.payload] = spelled(row[contract.payload], payload_of(kind))
            if len(str(row)) > len(str(found.get(kind, ""))):
                found[kind] = row
    return found


def spelled(row: Row, columns: tuple[Column, ...]) -> Row:
    names = {spelling: column.name for column in columns for spelling in column.spellings}
    return {names.get(name, name): value for name, value in row.items()}


def with_canary(row: Row, field: Field, number: int) -> Row:
    """The event of one person, with the canary of a field in that field."""
    own = f"{row.get('event_type')}-{field.payload}-{field.name}-{number:02}"
    changed = {**row, "event_id": f"event-{own}"}
    for name in contract_of(field.table).subject:
        if name in changed:
            changed[name] = f"{name}-{own}"
    word = field.canary + (f"{number:02}" if field.privacy in OF_ONE_EVENT else "")
    if field.payload is None:
        return {**changed, field.name: word}
    payload = changed.get(field.payload) or {}
    return {**changed, field.payload: {**payload, field.name: word}}


@pytest.fixture(scope="module")
def sent(demo: Demo) -> list[tuple[Field, Row]]:
    return [
        (field, with_canary(row, field, number))
        for table in TABLES
        for kind, row in sorted(kinds_of(demo, table).items())
        for field in fields_of(table, kind)
        for number in range(PEOPLE)
    ]


@pytest.fixture(scope="module")
def needles(sent: list[tuple[Field, Row]]) -> Needles:
    """Of each field its canary, under the name and the privacy class of the field."""
    return Needles(
        {field.canary.encode(): f"{field.table}.{field.name} {field.privacy}" for field, _ in sent}
    )


@pytest.fixture(scope="module")
def home(sent: list[tuple[Field, Row]], tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Landed, built and published."""
    folder = tmp_path_factory.mktemp("canaries")
    made, _ = init_home(folder / "home")
    for table in TABLES:
        file = folder / f"{table}.jsonl"
        rows = [json.dumps(row) for field, row in sent if field.table == table]
        file.write_text("\n".join(rows), encoding="utf-8")
        result = land_file(made, table, file)
        print(f"{table}: {result.accepted} of {result.received} events landed")
    run_dbt(made, "build", *MODELS_ONLY)
    publish(made)
    return made


def in_warehouse(warehouse: Path, schema: str, needles: Needles) -> set[str]:
    """The fields whose canaries are in the tables of a schema."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        tables = connection.execute(
            "select schema_name || '.' || table_name from duckdb_tables() where schema_name = ?",
            [schema],
        ).fetchall()
        assert tables
        found = [needles.names_in(as_text(connection.sql(f"from {table}"))) for (table,) in tables]
    return set().union(*found)


def not_safe(found: set[str]) -> set[str]:
    return {name for name in found if not name.endswith(" safe")}


def test_every_field_has_a_canary_in_bronze(
    home: Home, sent: list[tuple[Field, Row]], needles: Needles
) -> None:
    """Positive control: all that may land as text, of every type of event."""
    with bronze_reader(home, *TABLES) as bronze:
        texts = [as_text(bronze.sql(f"from bronze.{table}")) for table in TABLES]
    landed = set().union(*map(needles.names_in, texts))
    missing = {name.split()[0] for name in set(needles.names.values()) - landed}
    others = {
        f"{table}.{column.name}"
        for table in TABLES
        for column in [
            *contract_of(table).columns,
            *(column for kind in load_events() for column in kind.fields),
        ]
        if column.data_type != "string"
        or column.privacy == "never"
        or column.accepted
        or column.name == contract_of(table).payload
    }
    assert missing <= others
    kinds = {row["event_type"] for field, row in sent if field.table == "platform_events"}
    assert {kind.event_type for kind in load_events() if kind.fields} - kinds == set()


def test_gold_holds_words_of_safe_fields_and_of_few_others(home: Home, needles: Needles) -> None:
    for schema in ("gold", "gold_restricted"):
        assert not_safe(in_warehouse(home.warehouse, schema, needles)) <= SHOWN_IN_GOLD
    assert len(in_warehouse(home.warehouse, "gold", needles)) > 20, "what is safe is there"


def test_published_files_hold_what_gold_holds(home: Home, needles: Needles) -> None:
    places = [home.published, home.published_file, home.restricted, home.restricted_file]
    found = search(needles, [*places, home.partners, *home.path.glob("published_partner_*")])
    assert found
    assert not_safe(set().union(*found.values())) <= SHOWN_IN_GOLD


def test_silver_holds_nothing_that_names_people(home: Home, needles: Needles) -> None:
    found = in_warehouse(home.warehouse, "silver", needles)
    assert not_safe(found) == KEPT_IN_SILVER


def test_nothing_is_in_what_dbt_writes(home: Home, needles: Needles) -> None:
    folders = [home.path / "target", home.path / "logs"]
    assert all(map(files, folders))
    assert search(needles, folders) == {}


def test_what_may_never_land_is_nowhere(home: Home, needles: Needles) -> None:
    never = {name for name in needles.names.values() if name.endswith(" never")}
    assert len(never) > 3
    found = search(needles, [home.path])
    assert not never & set().union(*found.values())


def test_a_field_that_slips_through_is_seen(home: Home, needles: Needles, tmp_path: Path) -> None:
    """The planted fault: a mart takes a column for another one."""
    copy = Path(shutil.copy(home.warehouse, tmp_path / home.warehouse.name))
    query = Field("attempts", "query", "sensitive").canary
    with duckdb.connect(str(copy)) as connection:
        connection.execute("update gold.attempts_daily set domain = ?", [query])
    found = in_warehouse(copy, "gold", needles)
    assert not_safe(found) - SHOWN_IN_GOLD == {"attempts.query sensitive"}


def test_what_slips_into_a_file_is_seen(needles: Needles, tmp_path: Path) -> None:
    """The planted fault: an error quotes a value, and what may never land has landed."""
    fields = {name.split()[0]: canary.decode() for canary, name in needles.names.items()}
    quoted, never = fields["attempts.query"], fields["claim_events.customer_name"]
    (tmp_path / "dbt.log").write_text(f"Conversion Error: {quoted}", encoding="utf-8")
    rows = duckdb.sql("select ? as city from range(1000)", params=[never])
    rows.write_parquet(str(tmp_path / "batch.parquet"), compression="zstd")
    found = {Path(file).name: names for file, names in search(needles, [tmp_path]).items()}
    assert found == {
        "dbt.log": {"attempts.query sensitive"},
        "batch.parquet": {"claim_events.customer_name never"},
    }
