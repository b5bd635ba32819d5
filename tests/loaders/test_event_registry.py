"""The event registry: what it declares, what it refuses to mean, and that silver has all of it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import PROJECT, Demo

from loaders.contracts import ContractError, event_pages
from loaders.contracts.descriptions import readable
from loaders.contracts.events import EventType, Registry, load_events

Table = dict[str, Any]

# Written down from the catalogue, not from the registry: types, and fields that models rely on.
CATALOGUE = """
account.registered {country, currency, channel}
account.profile_updated {fields_filled, fields_total}
account.login {}
challenge.viewed {challenge_id, track_id}
challenge.joined {challenge_id, track_id}
challenge.completed {challenge_id, track_id, rank}
challenge.won {challenge_id, track_id, rank}
submission.created {submission_id, challenge_id, track_id, category, file_size_bytes, file_type}
submission.approved {submission_id, challenge_id, track_id, category, file_size_bytes, file_type}
submission.rejected {submission_id, challenge_id, track_id, category, file_size_bytes, file_type}
contribution.recorded {category, points}
badge.awarded {badge_id}
notification.sent {notification_id, channel}
notification.delivered {notification_id, channel}
notification.failed {notification_id, channel}
admin.action {action, target_type}
session.started {session_id, device, geo}
session.ended {session_id, device, geo}
bet.placed {bet_id, stake_minor, currency, in_bonus, game_id, provider_id, device, geo}
bet.settled {bet_id, stake_minor, currency, in_bonus, game_id, provider_id, device, geo,
  win_minor, jackpot_contribution_minor, commission_minor}
bet.voided {bet_id}
wallet.debit {amount_minor, currency, reason, reference_id, reward_type, state}
wallet.credit {amount_minor, currency, reason, reference_id, reward_type, state}
payment.intent {payment_id, amount_minor, currency, method, provider_id, device}
payment.authorized {payment_id, amount_minor, currency, method, provider_id, device}
payment.captured {payment_id, amount_minor, currency, method, provider_id, device}
payment.failed {payment_id, amount_minor, currency, method, provider_id, device}
payment.refunded {payment_id, amount_minor, currency, method, provider_id, device}
bonus.issued {bonus_id, amount_minor, currency}
bonus.consumed {bonus_id, amount_minor, currency}
rg.limit.hit {limit_kind}
rg.reality_check {action}
"""
PERSONAL = {"session_id", "bet_id", "payment_id", "bonus_id", "reference_id", "submission_id"}

READ: Table = {
    "name": "page_read",
    "description": "Somebody read a page.",
    "config": {
        "meta": {
            "event_type": "page.read",
            "domain": "reading",
            "actor": "person",
            "version": "1.2.0",
        }
    },
    "columns": [
        {
            "name": name,
            "description": f"The {name}.",
            "data_type": data_type,
            "config": {"meta": meta},
        }
        for name, data_type, meta in (
            ("page_id", "string", {"privacy": "safe", "required": True}),
            ("seconds", "int64", {"privacy": "sensitive"}),
            ("colour", "string", {"privacy": "safe", "accepted": ["red", "blue"]}),
        )
    ],
}


def written(folder: Path, *tables: Table, name: str = "pages.yml") -> Path:
    """A registry of some types, in a folder of its own."""
    document = {"version": 2, "sources": [{"name": "events", "tables": list(tables)}]}
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(yaml.safe_dump(document), encoding="utf-8")
    return folder


def renamed(event_type: str, **meta: str) -> Table:
    """The same type under another name."""
    table = copy.deepcopy(READ) | {"name": event_type.replace(".", "_")}
    table["config"]["meta"] |= {"event_type": event_type, **meta}
    return table


def test_every_type_and_field_of_the_catalogue_is_declared():
    wanted = {
        line.split()[0]: set(line[line.index("{") + 1 : -1].replace(" ", "").split(",")) - {""}
        for line in CATALOGUE.replace(",\n ", ",").strip().splitlines()
    }
    found = {event.event_type: {field.name for field in event.fields} for event in load_events()}
    assert found == wanted


def test_what_is_declared_says_what_it_is():
    for event in load_events():
        assert event.domain in {"engagement", "gaming"}
        assert event.version >= (1, 0, 0)
        for text in (event.description, *(field.description for field in event.fields)):
            assert readable(text).endswith("."), f"{event.event_type}: {text}"
            assert "{{" not in readable(text), f"{event.event_type}: {text}"


def test_what_leads_to_one_person_is_an_identifier():
    """Amounts are sensitive, and nothing of a person is called safe."""
    classes = {field.name: field.privacy for event in load_events() for field in event.fields}
    assert {name for name in PERSONAL if classes[name] != "identifier"} == set()
    money = {name for name in classes if name.endswith("_minor")}
    assert {classes[name] for name in money} == {"sensitive"}
    assert {name for name in classes if name in {"country", "geo", "device"}} == {
        name for name in ("country", "geo", "device") if classes[name] == "quasi_identifier"
    }


def test_dbt_reads_the_same_registry(demo: Demo):
    """Each type is a source of dbt, with the same fields and classes."""
    manifest = json.loads((demo.home.path / "target" / "manifest.json").read_text(encoding="utf-8"))
    sources = {
        source["config"]["meta"]["event_type"]: {
            name: (column["data_type"], column["config"]["meta"]["privacy"])
            for name, column in source["columns"].items()
        }
        for source in manifest["sources"].values()
        if source["source_name"] == "events"
    }
    assert sources == {
        event.event_type: {f.name: (f.data_type, f.privacy) for f in event.fields}
        for event in load_events()
    }


def test_the_page_of_events_is_that_of_the_registry():
    """If this fails, run `assay contracts accept`, which writes it."""
    written = event_pages.PAGE.read_text(encoding="utf-8")
    assert event_pages.page(written, load_events()) == written
    assert written.count("\n### `") == len(load_events().types)
    read = Registry({"page.read": {1: EventType("page.read", "reading", (1, 2, 0), "Read.", ())}})
    changed = event_pages.page(written, read)
    assert changed.startswith(written.partition(event_pages.MARK)[0])
    assert changed.endswith("## Events of reading\n\n### `page.read` 1.2.0\n\nRead.\n")


def test_silver_describes_a_column_for_every_field():
    """Identifiers as pseudonyms, which a rotation of the key must know, all others as they are."""
    path = PROJECT / "models/silver/engagement/stg_engagement__events.yml"
    [model] = yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
    described = {
        column["name"]: (
            column["data_type"],
            column.get("config", {}).get("meta", {}).get("privacy", "safe"),
        )
        for column in model["columns"]
    }
    for event in load_events():
        for field in event.fields:
            is_identifier = field.privacy in {"identifier", "direct_identifier"}
            name = field.name.removesuffix("_id") + "_key" if is_identifier else field.name
            wanted = ("string", "pseudonym") if is_identifier else (field.data_type, field.privacy)
            assert described.get(name) == wanted, f"{event.event_type}.{field.name}"


def test_a_type_is_read_once_per_major_version(tmp_path: Path):
    second = copy.deepcopy(READ) | {"name": "page_read_v2"}
    second["config"]["meta"]["version"] = "2.0.0"
    registry = load_events(written(tmp_path, READ, second))
    assert {(event.event_type, event.version) for event in registry} == {
        ("page.read", (1, 2, 0)),
        ("page.read", (2, 0, 0)),
    }
    assert registry.newest("page.read") == 2


def in_meta(**changes: Any) -> Callable[[Table], None]:
    def change(table: Table) -> None:
        _changed(table["config"]["meta"], changes)

    return change


def in_field(place: int = 1, **changes: Any) -> Callable[[Table], None]:
    return lambda table: _changed(table["columns"][place], changes)


def in_field_meta(place: int = 1, **changes: Any) -> Callable[[Table], None]:
    return lambda table: _changed(table["columns"][place]["config"]["meta"], changes)


def _changed(node: dict[str, Any], changes: dict[str, Any]) -> None:
    for key, value in changes.items():
        node.pop(key, None)
        if value is not None:
            node[key] = value


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (in_field_meta(privacy=None), "column seconds: needs a privacy class"),
        (in_field_meta(privacy="never"), "column seconds: needs a privacy class, one of direct"),
        (in_field(data_type="timestamp"), "data_type must be one of string, int64, float64, bool"),
        (in_field(description=" "), "column seconds: needs a description"),
        (in_field_meta(structured=True), "unknown meta key structured"),
        (in_field_meta(accepted=["a"]), "accepted is for strings, not for int64"),
        (in_field_meta(min=2, max=1), "min is greater than max"),
        (in_field(name="page_id"), "column page_id: declared twice"),
        (in_field(name="user_id"), "column user_id: is a column of platform_events"),
        (in_field(name="user"), "column user: is a column of platform_events"),
        (in_field(name="page_key"), "column page_key: ends like a pseudonym of silver"),
        (in_field(name="card_number"), "column card_number: has the name of a secret"),
        (in_field_meta(aliases=["pageId"]), "pageId is also page_id"),
        (in_meta(version=None), "meta.version is missing"),
        (in_meta(domain=None), "meta.domain is missing"),
        (in_meta(actor=None), "meta.actor is missing"),
        (in_meta(actor="robot"), "robot"),
        (in_meta(version="1.0"), "1.0"),
        (in_meta(version="0.1.0"), "0.1.0"),
        (in_meta(event_type="page"), "event_type"),
        (in_meta(event_type="page.opened"), "call it page_opened, or page_opened_v1"),
        (in_meta(retention_days=90), "unknown meta key retention_days"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    tmp_path: Path, change: Callable[[Table], None], reason: str
):
    """In one line that names file and type, and the field where one is at fault."""
    table = copy.deepcopy(READ)
    change(table)
    with pytest.raises(ContractError) as caught:
        load_events(written(tmp_path, table))
    message = str(caught.value)
    assert message.startswith("pages.yml: table page_read")
    assert reason in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (READ, "page.read is declared twice with major version 1"),
        (
            in_field(data_type="string"),
            "data_type is string here and int64 elsewhere. A name means one thing",
        ),
        (in_field_meta(privacy="safe"), "privacy is safe here and sensitive elsewhere"),
    ],
)
def test_types_that_contradict_each_other_are_refused(
    tmp_path: Path, other: Table | Callable[[Table], None], reason: str
):
    table = other
    if callable(other):
        table = renamed("book.read")
        other(table)
    written(tmp_path, READ)
    with pytest.raises(ContractError, match=reason) as caught:
        load_events(written(tmp_path, table, name="read.yml"))
    assert str(caught.value).startswith("read.yml: table ")
