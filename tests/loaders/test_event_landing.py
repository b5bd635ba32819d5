"""Events of the product: what the registry takes lands, what it does not waits until it does."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from landed import bronze_rows
from test_event_registry import READ, in_field_meta, renamed, written

from loaders.books import read_books
from loaders.contracts.events import Registry, load_events
from loaders.home import Home, init_home
from loaders.landing import framing, shapes, validator
from loaders.landing.batches import LandingResult, land_file
from loaders.landing.replay import replay, waiting

Event = dict[str, Any]

# The two sources' own examples. Where a source leaves a value open ("..."), there is one here.
CHALLENGES: Event = {
    "id": "a1",
    "type": "submission.created",
    "userId": "u1",
    "metadata": {"challengeId": "c1", "trackId": "t1"},
    "timestamp": "2025-10-23T16:21:05Z",
}
GAMES: Event = {
    "event_id": "7e0b5f0e-64c4-4a0c-8c3f-1c1a0b0f9a11",
    "event_type": "bet.settled",
    "occurred_at": "2025-10-23T16:21:05Z",
    "ingested_at": "2025-10-23T16:21:06Z",
    "tenant_id": "brand-7",
    "region": "EU",
    "player_id": "p_19f3",
    "trace_id": "tr_a1b2c3",
    "schema_version": "1.3.0",
    "payload": {
        "stake_minor": 120,
        "win_minor": 30,
        "in_bonus": False,
        "game_id": "g_01",
        "provider_id": "studio_x",
    },
}
PLACED: Event = {
    "event_id": "b1",
    "event_type": "bet.placed",
    "occurred_at": "2026-05-01T10:00:00Z",
    "payload": {"stake_minor": 100},
}
CREDIT = PLACED | {"event_type": "wallet.credit"}
SENT = PLACED | {"event_type": "notification.sent"}


def land(home: Home, *events: Event | str, **options: Any) -> LandingResult:
    """Land events as JSON lines; a text is a line as it is."""
    path = home.path.parent / "sent"
    lines = [event if isinstance(event, str) else json.dumps(event) for event in events]
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return land_file(home, "platform_events", path, **options)


def landed(home: Home) -> list[Event]:
    return bronze_rows(home, "platform_events")


def refusals(home: Home) -> list[tuple[str, str | None]]:
    return [(row["code"], row["pointer"]) for row in bronze_rows(home, "dead_letters")]


def fields(**values: Any) -> Event:
    return {"payload": {"stake_minor": 100} | values}


def test_the_examples_of_both_sources_land(home: Home):
    assert land(home, CHALLENGES, GAMES).codes == {}
    first, second = landed(home)
    assert (first["event_id"], first["event_type"], first["user_id"]) == (
        *("a1", "submission.created", "u1"),
    )
    assert json.loads(first["payload"]) == CHALLENGES["metadata"]
    assert (second["tenant_id"], second["region"], second["user_id"], second["trace_id"]) == (
        *("brand-7", "EU", "p_19f3", "tr_a1b2c3"),
    )
    assert json.loads(second["payload"]) == GAMES["payload"]
    assert [row["occurred_at"].isoformat() for row in (first, second)] == [
        "2025-10-23T16:21:05+00:00"
    ] * 2
    assert second["sent_ingested_at"].isoformat() == "2025-10-23T16:21:06+00:00"
    assert second["ingested_at"] > second["sent_ingested_at"]


ACCEPTED: list[Event] = [
    {"schema_version": "1.0.0"},
    {"schema_version": "1.99.3"},
    {"schema_version": "1"},
    {"schema_version": " 1.0 "},
    {"schema_version": 1.2},
    {"schema_version": ""},
    fields(bet_id=17),
    fields(bet_id="[x]"),
    fields(in_bonus=None),
    fields(undeclared={"deep": [1, {"x": "y"}]}, winMinor="not of this type"),
    {"payload": None, "metadata": {"stakeMinor": 0}},
    {"payload": '{"stake_minor": 100}'},
    {"event_type": "account.login", "payload": None},
    {"event_type": "account.login", "payload": " "},
    {"event_type": "account.login", "payload": {}},
    {"event_type": "contribution.recorded", "payload": {"points": -5}},
    {"event_type": "challenge.won", "payload": {"challenge_id": "c", "rank": 1}},
    CREDIT | {"payload": {"amount_minor": 2**63 - 1, "state": "pending"}},
    {"region": "atlantis"},
]


def test_what_fits_lands(home: Home):
    land(home, *[PLACED | change for change in ACCEPTED])
    refused = [ACCEPTED[row["line_number"] - 1] for row in bronze_rows(home, "dead_letters")]
    assert refused == []
    assert len(landed(home)) == len(ACCEPTED)


REFUSED: list[tuple[Event, str, str | None]] = [
    ({"event_type": "bet.dreamt"}, "schema_unknown", "/event_type"),
    ({"event_type": "Bet.placed"}, "schema_unknown", "/event_type"),
    ({"event_type": " bet.placed"}, "schema_unknown", "/event_type"),
    ({"event_type": 5}, "schema_unknown", "/event_type"),
    ({"schema_version": "2.0.0"}, "schema_version_unsupported", "/schema_version"),
    ({"schema_version": "0.9"}, "schema_version_unsupported", "/schema_version"),
    ({"schema_version": "v1"}, "schema_version_unsupported", "/schema_version"),
    ({"schema_version": "1.0.0.0"}, "schema_version_unsupported", "/schema_version"),
    ({"payload": None}, "schema_violation", "/payload/stake_minor"),
    ({"payload": {}}, "schema_violation", "/payload/stake_minor"),
    ({"payload": {"stake_minor": None}}, "schema_violation", "/payload/stake_minor"),
    ({"payload": [1]}, "schema_violation", "/payload"),
    ({"payload": "100"}, "schema_violation", "/payload"),
    ({"payload": '{"stake_minor": 100'}, "schema_violation", "/payload"),
    ({"payload": '{"stake_minor": 100, "stake_minor": 1}'}, "schema_violation", "/payload"),
    ({"payload": '{"stake_minor": 100, "x": NaN}'}, "payload_malformed", None),
    (fields(stake_minor=1.5), "schema_violation", "/payload/stake_minor"),
    (fields(stake_minor="100"), "schema_violation", "/payload/stake_minor"),
    (fields(stake_minor=-1), "schema_violation", "/payload/stake_minor"),
    (fields(stake_minor=2**63), "schema_violation", "/payload/stake_minor"),
    (fields(stake_minor=10**30), "schema_violation", "/payload/stake_minor"),
    (fields(in_bonus="yes"), "schema_violation", "/payload/in_bonus"),
    (fields(in_bonus=1), "schema_violation", "/payload/in_bonus"),
    (fields(bet_id={"id": 1}), "schema_violation", "/payload/bet_id"),
    (fields(gameId=["g"], currency={}), "schema_violation", "/payload/currency /payload/game_id"),
    (
        {"event_type": "challenge.won", "payload": {"challenge_id": "c", "rank": 0}},
        *("schema_violation", "/payload/rank"),
    ),
    (
        CREDIT | {"payload": {"amount_minor": 1, "state": "Pending"}},
        *("schema_violation", "/payload/state"),
    ),
    (
        SENT | {"payload": {"notification_id": "n", "channel": "pigeon"}},
        *("schema_violation", "/payload/channel"),
    ),
    (
        SENT | {"payload": {}},
        *("schema_violation", "/payload/channel /payload/notification_id"),
    ),
    ({"occurred_at": None}, "envelope_violation", "/occurred_at"),
    ({"region": "US"}, "residency_violation", "/region"),
    ({"region": "\u00a0us-east1 "}, "residency_violation", "/region"),
    ({"customer_email": "x"}, "pii_forbidden", None),
    (fields(customerName=None), "pii_forbidden", "/payload/customer_name"),
    ({"payload": '{"claim_description": "x"}'}, "pii_forbidden", "/payload/claim_description"),
]


def test_what_does_not_fit_is_a_dead_letter(home: Home):
    """With code, pointers and its bytes, unless they may not be here; the books balance."""
    number = {"producer": "api-1", "sequence": 7}
    events = [json.dumps(PLACED | number | change) for change, _, _ in REFUSED]
    result = land(home, *events, PLACED)
    assert (result.accepted, result.rejected) == (1, len(REFUSED))
    letters = bronze_rows(home, "dead_letters")
    for letter, event, (change, code, pointer) in zip(letters, events, REFUSED, strict=True):
        assert (letter["code"], letter["pointer"]) == (code, pointer), change
        is_kept = code not in {"pii_forbidden", "residency_violation"}
        assert letter["raw"] == (event.encode() if is_kept else None), change
        known = (letter["event_id"], letter["producer"], letter["sequence"])
        is_of_here = code != "residency_violation"
        assert known == (("b1", "api-1", 7) if is_of_here else (None, None, None)), change
    assert_balanced(home)


def assert_balanced(home: Home) -> None:
    assert [batch.problem for batch in read_books(home)[0] if batch.problem] == []


def test_a_home_takes_the_regions_of_its_own_residency(tmp_path: Path):
    home, _ = init_home(tmp_path / "us", "us")
    land(home, PLACED | {"region": "EU"}, PLACED | {"region": "US-East1"}, PLACED)
    assert refusals(home) == [("residency_violation", "/region")]
    assert len(landed(home)) == 2


def test_secrets_are_cut_and_the_rest_is_kept(home: Home):
    """In a payload as anywhere else; what is not declared stays, whatever it is."""
    given = fields(note={"colour": "red"}, password="hunter2", session={"csrfToken": ["x", 1]})
    assert land(home, PLACED | given, PLACED | given).cut == 4
    row, same = landed(home)
    assert json.loads(row["payload"]) == {
        "stake_minor": 100,
        "note": {"colour": "red"},
        "password": "[cut]",
        "session": {"csrfToken": "[cut]"},
    }
    assert row["payload_hash"] == same["payload_hash"]


def test_a_payload_is_the_same_in_every_format(home: Home):
    """As an object, as its text, and as a cell of CSV; so a repeat is known as one."""
    text = io.StringIO()
    writer = csv.DictWriter(text, PLACED)
    writer.writeheader()
    writer.writerow(PLACED | {"payload": '{ "stake_minor" : 100 }'})
    path = home.path.parent / "sent.csv"
    path.write_text(text.getvalue(), encoding="utf-8")
    assert land_file(home, "platform_events", path).codes == {}
    land(home, PLACED, PLACED | {"payload": '{"stake_minor":100 }'})
    assert {row["payload"] for row in landed(home)} == {'{"stake_minor":100}'}
    assert len({row["payload_hash"] for row in landed(home)}) == 1


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Registers types, in place of what there was."""

    def register(*tables: dict[str, Any]) -> None:
        load_events.cache_clear()
        registry = load_events(written(tmp_path / "events", *tables))
        monkeypatch.setattr(validator, "load_events", lambda: registry)

    return register


def reading(number: int, **payload: Any) -> Event:
    return PLACED | {
        "event_id": f"r{number}",
        "event_type": "page.read",
        "payload": {"page_id": f"p{number}"} | payload,
    }


def test_what_is_unknown_lands_once_the_registry_knows_it(home: Home, registered: Any):
    """A type, a major version, a word: each waits, is refused again, and lands when it is known."""
    registered(renamed("book.read"))
    events = [reading(n) for n in range(3)]
    land(home, *events, reading(3, seconds="12"), reading(4) | {"schema_version": "2.1"})
    assert waiting(home) == {"schema_unknown": 5}
    [again] = replay(home)
    assert (again.tried, again.accepted, again.codes) == (5, 0, {"schema_unknown": 5})
    assert landed(home) == []
    assert_balanced(home)

    registered(READ)
    [known] = replay(home)
    assert (known.tried, known.accepted) == (5, 3)
    assert waiting(home) == {"schema_violation": 1, "schema_version_unsupported": 1}
    assert [row["payload"] for row in landed(home)] == [
        json.dumps(event["payload"], separators=(",", ":")) for event in events
    ]
    assert_balanced(home)

    second = renamed("page.read", version="2.0.0") | {"name": "page_read_v2"}
    registered(READ, second)
    [newer] = replay(home)
    assert (newer.tried, newer.accepted) == (2, 1)
    assert waiting(home) == {"schema_violation": 1}
    assert_balanced(home)


def test_an_event_without_a_version_is_of_the_newest(home: Home, registered: Any):
    second = renamed("page.read", version="2.0.0") | {"name": "page_read_v2"}
    in_field_meta(required=True)(second)
    registered(READ, second)
    land(home, reading(1), reading(2) | {"schema_version": "1.2.0"})
    assert refusals(home) == [("schema_violation", "/payload/seconds")]


def test_an_empty_registry_takes_nothing(home: Home, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(validator, "load_events", Registry)
    land(home, PLACED)
    assert refusals(home) == [("schema_unknown", "/event_type")]


def test_shapes_that_were_forgotten_are_judged_again(home: Home, monkeypatch: pytest.MonkeyPatch):
    """A sender who makes every name up loses nothing, and gets nothing past the checks."""
    monkeypatch.setattr(shapes, "_ENOUGH", 1000)
    monkeypatch.setattr(framing, "BLOCK_BYTES", 2500)
    names = [n if n % 2 else 0 for n in range(30)]  # every other one is known by then
    made_up = [PLACED | {f"made_up_{n}": n} | fields(**{f"own_{n}": n}) for n in names]
    wrong = [event | {"payload": event["payload"] | {"stake_minor": "x"}} for event in made_up]
    result = land(home, *[event for pair in zip(made_up, wrong, strict=True) for event in pair])
    assert result.codes == {"schema_violation": len(names)}
    kept = [json.loads(row["additional_data"] or "null") for row in landed(home)]
    assert kept == [{f"made_up_{n}": n} for n in names]
