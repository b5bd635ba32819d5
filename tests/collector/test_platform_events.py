"""Events of the product over HTTP: what the registry refuses is told at once, with its place."""

from __future__ import annotations

from typing import Any

from collecting import assert_balanced, collecting, rows, sums, token
from jsonschema import Draft202012Validator

from loaders.home import Home

PLACED: dict[str, Any] = {
    "event_type": "bet.placed",
    "occurred_at": "2026-05-01T10:00:00Z",
    "payload": {"stake_minor": 100},
}
# What is sent beside the above, and how it is refused.
SENT: list[tuple[dict[str, Any], str | None, str | None]] = [
    ({}, None, None),
    ({"schema_version": "1.9.0", "region": "EU"}, None, None),
    ({"event_type": "bet.dreamt"}, "schema_unknown", "/event_type"),
    ({"schema_version": "2.0.0"}, "schema_version_unsupported", "/schema_version"),
    (
        {"payload": {"stake_minor": "100", "in_bonus": "no"}},
        *("schema_violation", "/payload/in_bonus /payload/stake_minor"),
    ),
    ({"payload": {"customer_name": "x"}}, "pii_forbidden", "/payload/customer_name"),
    ({"region": "us"}, "residency_violation", "/region"),
]


def test_an_event_is_told_what_the_registry_says_of_it(home: Home):
    bearer = token(home, "games")
    events = [PLACED | {"event_id": f"e{n}"} | more for n, (more, _, _) in enumerate(SENT)]
    with collecting(home) as collector:
        reply = collector.post(events, bearer, table="events").json()
        described = collector.client.get(collector.url("/openapi.json")).json()
        collector.drained()
    wanted = [
        {"index": n, "code": code, "pointer": pointer}
        for n, (_, code, pointer) in enumerate(SENT)
        if code
    ]
    assert (reply["accepted"], reply["rejected"]) == (2, wanted)
    assert sorted(row["event_id"] for row in rows(home, "platform_events")) == ["e0", "e1"]
    letters = {row["event_id"]: row for row in rows(home, "dead_letters")}
    assert {(row["code"], row["pointer"]) for row in letters.values()} == {
        (refusal["code"], refusal["pointer"]) for refusal in wanted
    }
    assert {name for name, row in letters.items() if row["raw"]} == {"e2", "e3", "e4"}
    assert sums(home)["rejected"] == len(wanted)
    assert_balanced(home)

    assert "/v1/events:batch" in described["paths"]
    schema = {
        "$ref": "#/components/schemas/platform_events",
        "components": described["components"],
    }
    Draft202012Validator.check_schema(schema)
    fits = Draft202012Validator(schema).is_valid
    assert [fits(event) for event in events[:5]] == [True, True, False, True, False]
    assert not fits(PLACED | {"event_id": "e", "payload": {}})
    assert fits(PLACED | {"event_id": "e", "payload": '{"stake_minor": 100}'})
