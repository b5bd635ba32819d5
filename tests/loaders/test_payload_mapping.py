"""Mappings fill payloads: from fields and with constants. Amounts are in test_amounts.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from filled import BOUGHT, CENTS, DEPOSITS, NO_AMOUNT, land, land_csv, payloads, refusals
from landed import bronze_rows

from loaders.errors import AssayError
from loaders.home import Home
from loaders.landing import validation
from loaders.landing.batches import land_file
from loaders.landing.replay import replay, waiting


def test_fields_and_constants_fill_a_payload(home: Home):
    """Values keep their kind; what is absent or null is left out; what nothing takes is kept."""
    mapping = (
        "payload: {points: score, category: {constant: ü}, is_big: {constant: true}, who: user}\n"
    )
    event = {"event_type": "contribution.recorded", "occurred_at": "2026-05-01"}
    land(
        home,
        mapping,
        event | {"id": 1, "score": 5, "user": {"a": ["x", 1.50]}, "more": 1},
        event | {"id": 2, "score": -5, "user": None},
    )
    constants = {"category": "ü", "is_big": True}
    assert payloads(home) == [
        {"points": 5, "who": {"a": ["x", 1.5]}} | constants,
        {"points": -5} | constants,
    ]
    rest = [row["additional_data"] for row in bronze_rows(home, "platform_events")]
    assert rest == ['{"more":1}', None]


def test_a_text_of_a_table_is_no_number_but_may_be_an_amount(home: Home):
    """CSV has no kinds: a plain field is a text there, and a whole number has exponent 0."""
    record = BOUGHT | {"event_type": "wallet.credit"}
    mapping = "rename: {day: occurred_at}\nevent_id_from: all\npayload: {amount_minor: %s}\n"
    land_csv(home, mapping % "value", record | {"value": "5"})
    assert refusals(home) == [NO_AMOUNT]
    land_csv(home, mapping % "{amount: value, exponent: 0}", record | {"value": "5"})
    assert payloads(home) == [{"amount_minor": 5}]


def test_a_table_may_have_fields_of_the_payload_alone(home: Home):
    """They are what tells a table from any other text."""
    mapping = (
        "constants: {event_type: contribution.recorded, occurred_at: '2026-05-01'}\n"
        "payload: {points: {amount: won, exponent: 0}}\nevent_id_from: all\n"
    )
    land_csv(home, mapping, {"won": "5"})
    assert payloads(home) == [{"points": 5}]


def test_a_payload_is_the_same_from_every_format(home: Home):
    """So a repeat in another format is known as one."""
    mapping, bought = CENTS.replace("event_id_from: all", ""), BOUGHT | {"id": "p1"}
    land(home, mapping, bought | {"value": 11.77, "reference": "r"})
    land_csv(home, mapping, bought | {"value": "11.770", "reference": "r"})
    rows = bronze_rows(home, "platform_events")
    assert len(rows) == 2
    assert len({row["payload_hash"] for row in rows}) == 1


def test_what_waits_for_a_better_mapping_lands_by_replay(home: Home, tmp_path: Path):
    land(home, CENTS, BOUGHT | {"value": "1.234"})
    assert waiting(home) == {"schema_violation": 1}
    (tmp_path / "mapping.yml").write_text(DEPOSITS % 3, encoding="utf-8")
    [again] = replay(home, mapping_file=tmp_path / "mapping.yml")
    assert (again.tried, again.accepted) == (1, 1)
    assert payloads(home) == [{"amount_minor": 1234, "currency": "USD"}]


def test_equal_purchases_stay_as_many_as_they_are(home: Home):
    """With an id for each, the same when the file comes again with a line more."""
    twice = [BOUGHT | {"value": "5.00"}] * 2
    land(home, CENTS, *twice)
    land(home, CENTS, *twice, BOUGHT | {"value": "6.00"})
    ids = [row["event_id"] for row in bronze_rows(home, "platform_events")]
    assert (len(ids), len(set(ids))) == (5, 3)


def test_a_payload_of_the_sender_is_kept_beside(home: Home):
    """It is overridden, and stays in the overflow as any field that no column takes."""
    land(home, CENTS, BOUGHT | {"value": "5", "payload": {"amount_minor": 7}})
    (row,) = bronze_rows(home, "platform_events")
    assert json.loads(row["payload"]) == {"amount_minor": 500, "currency": "USD"}
    assert json.loads(row["additional_data"]) == {"payload": {"amount_minor": 7}}


def test_secrets_are_cut_under_any_name(home: Home):
    """A field of a secret name is cut before it gets another; what may never land does not."""
    mapping = CENTS.replace("reference_id: reference", "note: api_token")
    assert land(home, mapping, BOUGHT | {"value": "5", "api_token": "hunter2"}).cut == 1
    assert payloads(home)[0]["note"] == "[cut]"
    shared = mapping.replace("who: user_id", "api_token: user_id")
    assert land(home, shared, BOUGHT | {"value": "5", "api_token": "hunter2"}).cut == 1
    land(home, mapping.replace("note", "customer_name"), BOUGHT | {"value": "5", "api_token": "x"})
    land(
        home,
        mapping.replace("api_token", "customer_name"),
        BOUGHT | {"value": "5", "customer_name": 1},
    )
    assert set(refusals(home)) == {
        ("pii_forbidden", "/payload/customer_name"),
        ("pii_forbidden", None),
    }
    stored = [*bronze_rows(home, "platform_events"), *bronze_rows(home, "dead_letters")]
    assert "hunter2" not in str(stored)


def test_what_looks_at_payloads_alone_is_found(home: Home, monkeypatch: pytest.MonkeyPatch):
    """A twin that looks for secrets where their names are gone already lets one through."""
    monkeypatch.setattr(validation._Builder, "_searched", lambda _: "payload_sent")
    land(
        home,
        CENTS.replace("reference_id: reference", "note: api_token"),
        BOUGHT | {"value": "5", "api_token": "hunter2"},
    )
    assert "hunter2" in str(bronze_rows(home, "platform_events"))


def test_a_secret_name_for_another_value_is_refused(home: Home):
    """By that name it would be cut nowhere: the record knows it by another."""
    with pytest.raises(AssayError, match="payload has pin_code, a name"):
        land(home, CENTS.replace("reference_id", "pin_code"), BOUGHT)
    assert bronze_rows(home, "landing_ledger") == []


@pytest.mark.parametrize(
    ("mapping", "reason"),
    [
        ("payload: {a: {amount: b}}\n", "payload.a is of the wrong kind. payload: {field"),
        ("payload: {a: {amount: b, exponent: -1}}\n", "payload.a is of the wrong kind"),
        ("payload: {a: {amount: b, exponent: 19}}\n", "payload.a is of the wrong kind"),
        ("payload: {a: {amount: b, exponent: 2, constant: 1}}\n", "payload.a is of the wrong kind"),
        ("payload: {a: {constant: [1]}}\n", "payload.a is of the wrong kind"),
        ("payload: {a: 5}\n", "payload.a is of the wrong kind"),
        ("payload: {a: [b, c]}\n", "payload.a is of the wrong kind"),
        ("payload: {'a-b': c}\n", "payload is of the wrong kind"),
        ("payload: {}\n", "payload is of the wrong kind"),
        ("payload: fields\n", "payload is of the wrong kind"),
        ("payload: {a: 'b\"c'}\n", "must not hold a quote or a backslash"),
        ("payload: {a: b}\nrename: {c: payload}\n", "payload says what payload is, and rename too"),
        ("payload: {a: b}\nconstants: {payload: c}\n", "and constants too"),
        ("payload: {a: b}\nvalues: {payload: {c: d}}\n", "and values too"),
    ],
)
def test_a_wrong_payload_is_named(home: Home, mapping: str, reason: str):
    """In one line, with the file's name, before anything lands."""
    with pytest.raises(AssayError) as caught:
        land(home, mapping, BOUGHT)
    assert str(caught.value).startswith("mapping.yml: ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert bronze_rows(home, "landing_ledger") == []


def test_only_events_have_a_payload(home: Home, tmp_path: Path):
    (tmp_path / "mapping.yml").write_text("payload: {a: b}\n", encoding="utf-8")
    (tmp_path / "sent").write_text("{}\n", encoding="utf-8")
    with pytest.raises(AssayError, match="payload is for tables of events, which attempts is not"):
        land_file(home, "attempts", tmp_path / "sent", tmp_path / "mapping.yml")
