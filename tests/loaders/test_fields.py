"""What becomes of the fields of a record: none is lost, none is half understood."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from conftest import PROJECT
from landed import (
    ATTEMPT,
    bronze_rows,
)
from samples import MARK, as_csv, as_lines, land, refusals

from loaders.contracts import contract_of
from loaders.home import Home
from loaders.landing import shapes
from loaders.landing.mapping import Mapping
from loaders.landing.validator import Validator


def test_unknown_fields_go_to_the_overflow(home: Home):
    """They join what the sender put there; objects stay objects, and nothing else moves."""
    sent = [
        {"extra": 1},
        {"extra": {"deep": [1, {"x": "ü"}]}, "other": "text", "additional_data": {"own": True}},
        {"additionalData": '{"own":"text"}', "extra": False},
        {"additional_data": "no object", "extra": 1.5},
        {"additional_data": [1, 2], "extra": ""},
        {"additional_data": {"own": 1}},
        {"additional_data": "no object"},
        {},
    ]
    land(home, as_lines([ATTEMPT | fields for fields in sent]))
    found = [row["additional_data"] for row in bronze_rows(home)]
    assert [json.loads(text) for text in found[:6]] == [
        {"extra": 1},
        {"extra": {"deep": [1, {"x": "ü"}]}, "other": "text", "own": True},
        {"own": "text", "extra": False},
        {"additional_data": "no object", "extra": 1.5},
        {"additional_data": "[1,2]", "extra": ""},
        {"own": 1},
    ]
    assert found[6:] == ["no object", None]


def test_columns_that_no_field_has_go_to_the_overflow_from_csv_too(home: Home):
    land(home, as_csv([ATTEMPT | {"extra": "1", "note": None}]))
    (row,) = bronze_rows(home)
    assert json.loads(row["additional_data"])["extra"] == "1"


def test_an_unknown_status_lands_unclassified_with_its_word(home: Home):
    """Never a reason to refuse the row, and the word can be found again."""
    sent = [{"status": MARK}, {"status": "who knows", "additional_data": {"a": 1}, "x": 2}]
    result = land(home, as_lines([ATTEMPT | fields for fields in sent]))
    assert (result.accepted, result.rejected) == (2, 0)
    rows = bronze_rows(home)
    assert [row["status"] for row in rows] == ["unclassified"] * 2
    assert [json.loads(row["additional_data"]) for row in rows] == [
        {"status": MARK},
        {"status": "who knows", "a": 1, "x": 2},
    ]


def test_every_spelling_of_the_vocabulary_lands_as_its_word(home: Home):
    """As the seed lists it, in capitals, with blanks or dashes for underscores."""
    with (PROJECT / "seeds" / "vocabulary.csv").open(encoding="utf-8", newline="") as file:
        words = [w for w in csv.DictReader(file) if w["list_name"] in ("action", "status")]
    styles = [str, str.upper, lambda s: s.replace("_", " "), lambda s: s.replace("_", "-").title()]
    cases = [(w["list_name"], style(w["spelling"]), w["value"]) for w in words for style in styles]
    land(home, as_lines([ATTEMPT | {name: spelling} for name, spelling, _ in cases]))
    rows = bronze_rows(home)
    assert len(rows) == len(cases) > 400
    found = [(name, said, row[name]) for (name, said, _), row in zip(cases, rows, strict=True)]
    assert found == cases


TIMES = {
    "2026-05-01T10:00:00Z": "2026-05-01T10:00:00",
    "2026-05-01T10:00:00.123456Z": "2026-05-01T10:00:00.123456",
    "2026-05-01T10:00:00.123456789Z": "2026-05-01T10:00:00.123456",
    "2026-05-01 10:00:00": "2026-05-01T10:00:00",
    "2026-05-01T10:00:00+05:30": "2026-05-01T04:30:00",
    "2026-05-01T10:00:00+0530": "2026-05-01T04:30:00",
    "2026-05-01T10:00:00-05": "2026-05-01T15:00:00",
    "2026-05-01 10:00:00.5 UTC": "2026-05-01T10:00:00.500000",
    "2026-05-01": "2026-05-01T00:00:00",
}
NO_TIMES = [
    *("soon", "1777600000", "2026-02-30", "2026-05-01T25:00:00Z", "05/01/2026", "now", "infinity"),
    *("epoch", "1989-12-31T23:59:59Z", "9999-01-01T00:00:00Z", "12026-05-01", "2026"),
]


def test_times(home: Home):
    """ISO 8601 with any offset, in UTC where it names none, or a refusal; never another time."""
    land(home, as_lines([ATTEMPT | {"timestamp": text} for text in [*TIMES, *NO_TIMES]]))
    assert [row["timestamp"] for row in bronze_rows(home)] == [
        datetime.fromisoformat(utc).replace(tzinfo=UTC) for utc in TIMES.values()
    ]
    assert [refusal[1:3] for refusal in refusals(home)] == [("time_violation", "/timestamp")] * len(
        NO_TIMES
    )


@pytest.mark.parametrize(
    "text",
    [
        "2026-05-01 10:00:00 Europe/Berlin",
        "2026-05-01 10:00:00 CEST",
        "2026-05-01 10:00:00 PM",
        "2026-05-01T10:00:00+99:00",
    ],
)
def test_a_time_that_is_only_half_understood_is_refused(home: Home, text: str):
    land(home, as_lines([ATTEMPT | {"timestamp": text}]))
    assert [refusal[1:3] for refusal in refusals(home)] == [("time_violation", "/timestamp")]


@pytest.mark.parametrize("text", ["2026-05-01 10:00:00 UTC", "2026-05-01T10:00:00Z "])
def test_a_time_that_names_utc_is_not_moved_by_the_mapping(home: Home, text: str):
    """BigQuery writes its timestamps this way."""
    land(home, as_lines([ATTEMPT | {"timestamp": text}]), mapping="timezone: Asia/Tokyo\n")
    (row,) = bronze_rows(home)
    assert row["timestamp"] == datetime(2026, 5, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize("duration", [123.0, 1e3, "5.0"])
def test_whole_numbers_sent_as_floats_land(home: Home, duration: object):
    land(home, as_lines([ATTEMPT | {"duration": duration}]))
    assert [row["duration"] for row in bronze_rows(home)] == [int(float(duration))]


def test_two_spellings_of_a_field_lose_no_value(home: Home):
    """The second value goes to the overflow, or the row is refused."""
    land(home, as_lines([ATTEMPT | {"user_agent": "one", "userAgent": "two"}]))
    kept = json.dumps([bronze_rows(home), refusals(home)], default=str)
    assert "one" in kept
    assert "two" in kept


def test_the_overflow_loses_no_value(home: Home):
    """What the sender put there and what joins it may have one name."""
    land(
        home, as_lines([ATTEMPT | {"additional_data": {"x": "own"}, "x": "late", "y": {"z": None}}])
    )
    (row,) = bronze_rows(home)
    assert "own" in row["additional_data"]
    assert "late" in row["additional_data"]
    assert '"z"' in row["additional_data"]


def test_a_field_with_any_name_is_kept(home: Home):
    land(home, as_lines([ATTEMPT | {"ip\x1fgeo": "kept"}]))
    assert "kept" in json.dumps([bronze_rows(home), refusals(home)], default=str)


def test_what_lands_as_json_is_json(home: Home):
    """NaN and infinities are refused; a comma too many is left out, and is nobody's value."""
    broken = ['{"x":NaN}', '{"x":[1, -Infinity]}', "[nAn]", '{"x":"a: nan"}', '{"x":[1,],}']
    head = as_lines([ATTEMPT])[:-2].decode()
    sent = [f'{head}, "{field}": {value}}}' for field in ("resp", "other") for value in broken]
    land(home, "\n".join(sent).encode())
    assert [refusal[:2] for refusal in refusals(home)] == [
        (line, "payload_malformed") for line in (1, 2, 3, 6, 7, 8)
    ]
    expected = [{"x": "a: nan"}, {"x": [1]}]
    rows = bronze_rows(home)
    assert [strictly(row["resp"]) for row in rows[:2]] == expected
    assert [strictly(row["additional_data"])["other"] for row in rows[2:]] == expected


def strictly(text: str) -> Any:
    """JSON as the standard has it."""

    def refuse(word: str) -> None:
        raise AssertionError(word)

    return json.loads(text, parse_constant=refuse)


def test_no_field_is_lost_however_many_names_are_made_up(monkeypatch: pytest.MonkeyPatch):
    """What is known of lists of names is forgotten at times: never in the middle of a block."""
    monkeypatch.setattr(shapes, "_ENOUGH", 1000)
    with Validator(contract_of("attempts"), Mapping(), "eu") as validator:
        for number in range(4):
            own = [{"extra": 1}] + [{f"x{number} {n}": n} for n in range(20)]
            docs = [json.dumps(ATTEMPT | fields) for fields in own]
            block = {"line_number": range(len(own)), "doc": pa.array(docs, pa.large_string())}
            rows = validator.rows(pa.table(block))[0].sort_by("line_number")
            assert [json.loads(text) for text in rows["additional_data"].to_pylist()] == own
