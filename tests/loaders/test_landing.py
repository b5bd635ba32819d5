"""The demo lands as its answer key says, and noise is accepted or kept."""

from __future__ import annotations

import json
import random
import re
from collections import Counter

from conftest import Demo
from landed import (
    LONG,
    bronze_rows,
)
from samples import Row, as_lines, attempt, land, make_rows, refusals

from loaders.home import Home


def test_the_demo_landed_as_its_answer_key_says(demo: Demo):
    """Received, accepted and refused by code per file, and every broken line as it stands there."""
    ledger = bronze_rows(demo.home, "landing_ledger")
    lines = {row["source_file"]: row for row in ledger if row["table_name"] == "attempts"}
    assert set(lines) == set(demo.key["files"])
    letters = bronze_rows(demo.home, "dead_letters")
    for name, books in demo.key["files"].items():
        line = lines[name]
        batch = [row for row in letters if row["batch_id"] == line["batch_id"]]
        assert line["received"] == books["received"]
        assert line["accepted"] == books["accepted"]
        assert line["rejected"] == sum(books["rejected"].values()) == len(batch)
        assert Counter(row["code"] for row in batch) == books["rejected"]
        (file,) = (path for path in demo.files if path.name == name)
        assert line["bytes"] == file.stat().st_size
    name_of = {row["batch_id"]: name for name, row in lines.items()}
    found = {
        (name_of[row["batch_id"]], row["line_number"]): row
        for row in letters
        if row["table_name"] == "attempts"
    }
    assert {place: row["code"] for place, row in found.items()} == {
        (broken["file"], broken["line"]): broken["code"] for broken in demo.key["broken"]
    }
    for (name, number), row in found.items():
        (file,) = (path for path in demo.files if path.name == name)
        assert row["raw"] == file.read_bytes().split(b"\n")[number - 1]


def test_the_ledger_holds_the_span_of_sequences_per_producer(demo: Demo):
    """First and last of each file, as json reads them there."""
    (file,) = (path for path in demo.files if path.name == "attempts-01.jsonl")
    sent: dict[str, list[int]] = {}
    for text in file.read_text(encoding="utf-8").splitlines():
        event = json.loads(text)
        sent.setdefault(event["producer"], []).append(event["sequence"])
    lines = bronze_rows(demo.home, "landing_ledger")
    (line,) = (row for row in lines if row["source_file"] == file.name)
    assert json.loads(line["sequences"]) == {p: [min(s), max(s)] for p, s in sent.items()}


def test_noise_is_accepted_or_kept(home: Home, dice: random.Random):
    """Mutated lines: none is lost, none stops the file, the refused ones are kept byte for byte.

    A row is accepted with the id and the domain that json reads from its line.
    """
    lines = [
        mutated(as_lines([row]).rstrip(), dice) for row in make_rows(40_000 if LONG else 2_000)
    ]
    result = land(home, attempt() + b"\n" + b"\n".join(lines))
    sent = {n: line for n, line in enumerate(lines, 2) if len(line) > 1 or line.strip()}
    letters = {number: raw for number, _, _, raw in refusals(home)}
    rows = {row["line_number"]: row for row in bronze_rows(home)}
    assert result.received == len(sent) + 1
    assert set(letters) | set(rows) == set(sent) | {1}
    assert not set(letters) & set(rows)
    assert len(letters) > 100
    assert {n: sent[n].rstrip(b"\r") for n in letters} == letters
    for number in set(rows) - {1}:
        event = read_leniently(sent[number])
        assert rows[number]["event_id"] == str(event.get("event_id", event.get("eventId")))
        assert rows[number]["domain"] == event.get("domain")


def read_leniently(line: bytes) -> Row:
    """The object of a line, trailing commas forgiven (V7)."""
    try:
        return dict(json.loads(line))
    except json.JSONDecodeError:
        return dict(json.loads(re.sub(rb",(\s*[}\]])", rb"\1", line)))


def mutated(line: bytes, dice: random.Random) -> bytes:
    """A line with some bytes replaced, removed, doubled or put in; half of them stay whole."""
    data = bytearray(line)
    for _ in range(dice.choice([0, 0, 0, 1, 1, 3])):
        at = dice.randrange(len(data)) if data else 0
        part = data[at : at + dice.randrange(1, 12)]
        noise = bytes(dice.choices(b'{}[]",:\\ \x00\xff\x1f0aZ-', k=dice.randrange(1, 4)))
        match dice.randrange(4):
            case 0:
                data[at : at + 1] = noise
            case 1:
                del data[at : at + len(part)]
            case 2:
                data[at:at] = part
            case 3:
                data[at:at] = noise
    return bytes(data)
