"""Payloads that no honest sender writes: none stops a file, and only what fits is in bronze."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from loaders import books
from loaders.home import Home, bronze_reader
from loaders.landing.batches import land_file

RECORDS = 600
# By hand, from what the registry says of these types.
WHOLE = {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}
ID = {"type": ["string", "integer", "null"]}
FITTING = {
    "bet.settled": {
        "type": "object",
        "required": ["stake_minor", "win_minor"],
        "properties": {
            "stake_minor": WHOLE,
            "win_minor": WHOLE,
            "in_bonus": {"type": ["boolean", "null"]},
            "bet_id": ID,
        },
    },
    "challenge.won": {
        "type": "object",
        "required": ["challenge_id"],
        "properties": {
            "challenge_id": {"type": ["string", "integer"]},
            "rank": {"anyOf": [WHOLE | {"minimum": 1}, {"type": "null"}]},
        },
    },
}
NUMBERS = ["0", "-0", "1", "-1", "01", "1.0", "1.5", "1e3", "1E400", "NaN", "-Infinity", "1" * 40]
NUMBERS += ["9223372036854775807", "9223372036854775808", "-9223372036854775809"]
OTHERS = ['""', '"x"', '"\\u0000"', '"\\ud83d"', '"\U0001f3b2"', "true", "null", "[]", "{}", "x"]
NAMES = ["stake_minor", "win_minor", "in_bonus", "bet_id", "challenge_id", "rank", "", "a\x1f", "é"]


def payload(dice: random.Random) -> str:
    """The text of an object, now and then broken, repeated, nested deep or long."""
    depth = dice.choice([0, 0, 0, 1, 127, 128, 129, 5_000])
    values = [*NUMBERS, *OTHERS, "[" * depth + "1" + "]" * depth]
    whole = ['"stake_minor": 1', '"win_minor": 2', '"challenge_id": "c"']
    members = dice.sample(whole, dice.randint(1, 3))
    members += [
        f"{json.dumps(dice.choice(NAMES))}: {dice.choice(values)}"
        for _ in range(dice.choice([0, 1, 1, 2, 300]))
    ]
    return "{" + ", ".join(members) + dice.choice(["}"] * 9 + ["", ",}", "}}"])


def line(dice: random.Random, number: int) -> bytes:
    sent = payload(dice)
    is_text = dice.random() < 0.3
    head = {
        "event_id": f"e{number}",
        "event_type": dice.choice(list(FITTING)),
        "occurred_at": "2026-05-01T10:00:00Z",
    }
    return f'{json.dumps(head)[:-1]}, "payload": {json.dumps(sent) if is_text else sent}}}'.encode()


def is_fitting(event_type: str, text: str) -> bool:
    """By Python's reading of JSON, in which a float is no whole number."""

    def refuse(_: str) -> Any:
        raise ValueError

    def number(text: str) -> Any:
        return [text]  # of no type that a field has

    value = json.loads(text, parse_constant=refuse, parse_float=number)
    return Draft202012Validator(FITTING[event_type]).is_valid(value)


def test_every_payload_lands_or_waits(home: Home, tmp_path: Path, dice: random.Random):
    lines = [line(dice, number) for number in range(RECORDS)]
    file = tmp_path / "events"
    file.write_bytes(b"\n".join(lines))
    result = land_file(home, "platform_events", file)
    with bronze_reader(home) as reader:
        rows = reader.execute(
            "select line_number, event_id, event_type, payload from bronze.platform_events"
        ).fetchall()
        letters = dict(reader.sql("select line_number, raw from bronze.dead_letters").fetchall())
    assert sorted([*letters, *(row[0] for row in rows)]) == list(range(1, RECORDS + 1))
    assert letters == {number: lines[number - 1] for number in letters}
    assert set(result.codes) <= {"payload_malformed", "schema_violation"}
    assert 50 < len(rows) < RECORDS - 50
    assert [row for row in rows if not is_fitting(row[2], row[3])] == []
    assert [b.problem for b in books.read_books(home)[0]] == [None]
