"""Landing: equal events of any format land equal rows, once, and what is refused is kept whole."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import re
import shutil
import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import PROJECT, Demo
from landed import (
    ASSAY,
    ATTEMPT,
    LONG,
    assay,
    batch_files,
    bronze_rows,
    dice,
    says_one_line,
)

from loaders import bronze, landing
from loaders.contracts import Column, contract_of
from loaders.errors import AssayError
from loaders.home import Home, init_home
from loaders.landing import LandingResult, land_file

__all__ = ["dice"]

Row = dict[str, Any]

MARK = "Zq7731-secret"  # stands in every value that no message may show

TEXTS = [
    *("plain", "comma, semicolon; pipe| and\ttab", "a \"quote\" and an 'other'", "line\nbreak"),
    *("carriage\r\nreturn", "Jürgen 東京 🎲", '{"a":1,"b":[1,2]}', "=1+1", " spaces ", "\u2028"),
    *("back\\slash", "null", "NaN", "007", "1e5", "true", "{", "[", "''", "a" * 300),
]


def make_rows(count: int, seed: int = 1) -> list[Row]:
    """Attempts with awkward texts. No text is empty: CSV cannot tell that from null."""
    draw = random.Random(seed)

    def maybe(value: Any) -> Any:
        return value if draw.random() < 0.8 else None

    return [
        {
            "event_id": f"id {n} {draw.choice(TEXTS)}",
            "timestamp": f"2026-05-{1 + n % 28:02}T10:00:00.{n:06}Z",
            "action": draw.choice(["login", "signup", "validate", "restore_password"]),
            "status": draw.choice(["success", "error", "test", "blocked"]),
            "user_agent": maybe(draw.choice(TEXTS)),
            "as_country_code": maybe("DE"),
            "domain": draw.choice(["a.example", "b.example"]),
            "query": maybe(draw.choice(TEXTS)),
            "email": maybe(f"{n}@mail.example"),
            "resp": maybe(draw.choice(TEXTS)),
            "additional_data": maybe('{"k":"v"}'),
            "duration": maybe(draw.randrange(10**15)),
            "producer": "api-1",
            "sequence": n,
        }
        for n in range(count)
    ]


ROWS = make_rows(300)


def camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


def as_camel(rows: list[Row]) -> list[Row]:
    return [{camel(name): value for name, value in row.items()} for row in rows]


def as_lines(rows: list[Row], newline: str = "\n", **style: Any) -> bytes:
    return "".join(json.dumps(row, **style) + newline for row in rows).encode()


def as_csv(rows: list[Row], delimiter: str = ",", newline: str = "\r\n", quoting: int = 0) -> bytes:
    file = io.StringIO()
    writer = csv.DictWriter(
        file, rows[0], delimiter=delimiter, lineterminator=newline, quoting=quoting
    )
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()


def as_parquet(rows: list[Row], is_typed: bool = False, **options: Any) -> bytes:
    table = pa.Table.from_pylist(rows)
    if is_typed:
        times = [datetime.fromisoformat(row["timestamp"]) for row in rows]
        at = table.column_names.index("timestamp")
        table = table.set_column(at, "timestamp", pa.array(times, pa.timestamp("us", "UTC")))
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file.getvalue()


def zstd(data: bytes) -> bytes:
    return bytes(pa.compress(data, codec="zstd", asbytes=True))


FORMATS: dict[str, Callable[[list[Row]], bytes]] = {
    "json lines": as_lines,
    "json lines, no last newline": lambda rows: as_lines(rows).rstrip(),
    "json lines, CRLF": lambda rows: as_lines(rows, "\r\n"),
    "json lines, blank lines": lambda rows: b"\n" + as_lines(rows, "\n\n"),
    "json lines, unescaped": lambda rows: as_lines(rows, ensure_ascii=False),
    "json lines, camelCase": lambda rows: as_lines(as_camel(rows)),
    "json lines, fields in another order": lambda rows: as_lines(rows, sort_keys=True),
    "json lines, nulls left out": lambda rows: as_lines(
        [{k: v for k, v in row.items() if v is not None} for row in rows]
    ),
    "json array": lambda rows: json.dumps(rows).encode(),
    "json array, indented": lambda rows: json.dumps(rows, indent=2).encode() + b"\n",
    "csv": as_csv,
    "csv, LF, all quoted": lambda rows: as_csv(rows, newline="\n", quoting=csv.QUOTE_ALL),
    "csv, camelCase": lambda rows: as_csv(as_camel(rows)),
    "csv, semicolons": lambda rows: as_csv(rows, ";"),
    "csv, tabs": lambda rows: as_csv(rows, "\t"),
    "csv, bars": lambda rows: as_csv(rows, "|"),
    "csv, byte-order mark": lambda rows: b"\xef\xbb\xbf" + as_csv(rows),
    "parquet": as_parquet,
    "parquet, typed times": lambda rows: as_parquet(rows, is_typed=True),
    "parquet, small groups": lambda rows: as_parquet(rows, row_group_size=7),
    "parquet, camelCase": lambda rows: as_parquet(as_camel(rows)),
    "gzip": lambda rows: gzip.compress(as_lines(rows)),
    "gzip of two parts": lambda rows: (
        gzip.compress(as_lines(rows[:99])) + gzip.compress(as_lines(rows[99:]))
    ),
    "gzip of csv": lambda rows: gzip.compress(as_csv(rows)),
    "zstd": lambda rows: zstd(as_lines(rows)),
    "zstd of an array": lambda rows: zstd(json.dumps(rows).encode()),
}


def land(home: Home, data: bytes, name: str = "sent", mapping: str | None = None) -> LandingResult:
    """Land some bytes in attempts. The file has no suffix: the format is read from the bytes."""
    path = home.path.parent / name
    path.write_bytes(data)
    mapping_file = None
    if mapping is not None:
        mapping_file = home.path.parent / f"{name}.yml"
        mapping_file.write_text(mapping, encoding="utf-8")
    return land_file(home, "attempts", path, mapping_file)


def only_sent(rows: list[Row]) -> list[Row]:
    return [{name: row[name] for name in ROWS[0]} for row in rows]


def refusals(home: Home) -> list[tuple[int, str, str | None, bytes | None]]:
    letters = bronze_rows(home, "dead_letters")
    return [(row["line_number"], row["code"], row["pointer"], row["raw"]) for row in letters]


@pytest.fixture(scope="module")
def expected() -> list[Row]:
    """The rows as bronze must hold them: as sent, with the time as a time."""
    return [{**row, "timestamp": datetime.fromisoformat(row["timestamp"])} for row in ROWS]


@pytest.fixture(scope="module")
def hashes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Payload hash by event id, of the rows landed as JSON lines."""
    home = init_home(tmp_path_factory.mktemp("lines") / "home")[0]
    land(home, as_lines(ROWS))
    return {row["event_id"]: row["payload_hash"] for row in bronze_rows(home)}


# --- formats


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_lands_the_same_rows(
    home: Home, form: str, expected: list[Row], hashes: dict[str, str]
):
    """Values, order and payload hashes are those of the events, not of the file they came in."""
    result = land(home, FORMATS[form](ROWS))
    assert (result.received, result.accepted, result.rejected) == (len(ROWS), len(ROWS), 0)
    rows = bronze_rows(home)
    assert only_sent(rows) == expected
    assert {row["event_id"]: row["payload_hash"] for row in rows} == hashes


def test_payload_hashes_tell_payloads_apart(home: Home):
    """Any field changes the hash; producer and sequence, which a re-sending changes, do not."""
    changes = [
        {"status": "error"},
        {"duration": 5},
        {"resp": "x"},
        {"timestamp": "2026-05-01T10:00:00.000001Z"},
        {"weird": 1},
        {"email": "x"},
        {"phone": "x"},
    ]
    same = [
        {"producer": "api-2", "sequence": 9},
        {"timestamp": "2026-05-01T12:00:00+02:00"},
        {"action": "sign in"},
    ]
    rows = [ATTEMPT | {"event_id": "x"} | change for change in [{}, *same, *changes]]
    land(home, as_lines(rows))
    found = [row["payload_hash"] for row in bronze_rows(home)]
    assert set(found[: 1 + len(same)]) == {found[0]}
    assert len(set(found)) == 1 + len(changes)


def test_a_value_cannot_imitate_another_field(home: Home):
    land(home, as_lines([ATTEMPT | {"ip": "1\x1fgeo=2"}, ATTEMPT | {"ip": "1", "geo": "2"}]))
    assert len({row["payload_hash"] for row in bronze_rows(home)}) == 2


@pytest.mark.parametrize("form", ["json array", "gzip of csv", "parquet"])
def test_standard_input(home: Home, form: str, expected: list[Row]):
    """`-` reads whatever a file may hold, calls it `-` in the ledger, and leaves nothing behind."""
    before = set(home.path.iterdir())
    result = assay("land", "attempts", "-", home=home, stdin=FORMATS[form](ROWS))
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"-: received {len(ROWS)}, accepted {len(ROWS)}, rejected 0\n"
    assert only_sent(bronze_rows(home)) == expected
    (line,) = bronze_rows(home, "landing_ledger")
    assert line["source_file"] == "-"
    assert set(home.path.iterdir()) == before


@pytest.mark.parametrize("data", [b"", b"\n\n", b"[]", b"[\n]", gzip.compress(b"")])
def test_an_empty_file_is_a_batch_of_nothing(home: Home, data: bytes):
    result = land(home, data)
    assert (result.received, result.accepted, result.rejected) == (0, 0, 0)
    (line,) = bronze_rows(home, "landing_ledger")
    assert line["received"] == 0
    assert bronze_rows(home) == []


@pytest.mark.parametrize("is_array", [False, True])
def test_json_with_a_byte_order_mark(home: Home, is_array: bool, expected: list[Row]):
    data = json.dumps(ROWS).encode() if is_array else as_lines(ROWS)
    land(home, b"\xef\xbb\xbf" + data)
    assert only_sent(bronze_rows(home)) == expected


def test_a_broken_first_line_is_not_swallowed_as_a_header(home: Home):
    """Received counts it, or the file is refused as a whole."""
    try:
        result = land(home, b"oops\n" + as_lines(ROWS[:2]))
    except AssayError:
        return
    assert result.received == 3


def test_a_file_that_is_no_data_is_refused(home: Home):
    with pytest.raises(AssayError):
        land(home, b"Not found\n")


def test_decimals_of_parquet_keep_their_digits(home: Home):
    """BigQuery's NUMERIC comes as such."""
    rows = [ATTEMPT | {"duration": Decimal(5), "fp": Decimal("12345678901234567890.12")}]
    land(home, as_parquet(rows))
    assert [(row["duration"], row["fp"]) for row in bronze_rows(home)] == [
        (5, "12345678901234567890.12")
    ]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_column_may_have_any_name(home: Home, form: str):
    """The row is lost with it: what the dead letter keeps is that column's value."""
    land(home, FORMATS[form]([ATTEMPT | {"source_rows": "kept"}]))
    assert [json.loads(row["additional_data"]) for row in bronze_rows(home)] == [
        {"source_rows": "kept"}
    ]


# --- what becomes of fields


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
        words = [w for w in csv.DictReader(file) if w["vocabulary"] in ("action", "status")]
    styles = [str, str.upper, lambda s: s.replace("_", " "), lambda s: s.replace("_", "-").title()]
    cases = [(w["vocabulary"], style(w["spelling"]), w["value"]) for w in words for style in styles]
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


# --- what is refused


def attempt(**fields: Any) -> bytes:
    return json.dumps(ATTEMPT | fields, ensure_ascii=False).encode()


def without(field: str) -> bytes:
    return json.dumps({"note": MARK} | {k: v for k, v in ATTEMPT.items() if k != field}).encode()


REFUSED: list[tuple[bytes, str, str | None]] = [
    (without("event_id"), "envelope_violation", "/event_id"),
    (without("timestamp"), "envelope_violation", "/timestamp"),
    (without("action"), "envelope_violation", "/action"),
    (without("status"), "envelope_violation", "/status"),
    (attempt(event_id=None, fp=MARK), "envelope_violation", "/event_id"),
    (attempt(event_id="  ", fp=MARK), "envelope_violation", "/event_id"),
    (attempt(event_id={"id": MARK}), "envelope_violation", "/event_id"),
    (attempt(status=[MARK]), "envelope_violation", "/status"),
    (attempt(timestamp=MARK), "time_violation", "/timestamp"),
    (attempt(timestamp="2126-05-01T10:00:00Z", fp=MARK), "time_violation", "/timestamp"),
    (attempt(timestamp="1926-05-01T10:00:00Z", fp=MARK), "time_violation", "/timestamp"),
    (attempt(action=MARK), "schema_violation", "/action"),
    (attempt(email={"address": MARK}), "schema_violation", "/email"),
    (attempt(duration=MARK), "schema_violation", "/duration"),
    (attempt(duration=-1, fp=MARK), "schema_violation", "/duration"),
    (attempt(duration=1.5, fp=MARK), "schema_violation", "/duration"),
    (attempt(duration=2**63, fp=MARK), "schema_violation", "/duration"),
    (attempt(sequence=-1, fp=MARK), "schema_violation", "/sequence"),
    (attempt(fp=MARK)[:-1], "payload_malformed", None),
    (b'["' + MARK.encode() + b'"]', "payload_malformed", None),
    (b'"' + MARK.encode() + b'"', "payload_malformed", None),
    (b"null  " + MARK.encode(), "payload_malformed", None),
    (MARK.encode(), "payload_malformed", None),
    (attempt(fp=MARK).replace(b'"fp"', b'"action"'), "payload_malformed", None),
    (attempt(fp=MARK) + attempt(), "payload_malformed", None),
    (attempt(fp=MARK).replace(b"-secret", b"\xff\xfe"), "payload_malformed", None),
    (attempt(fp=MARK) + b"  \t,", "payload_malformed", None),
    (attempt(fp=MARK + "x" * (8 << 20)), "size_violation", None),
]


def broken_lines() -> tuple[bytes, list[tuple[int, str, str | None, bytes]]]:
    """Every refusal between good lines, blank ones and both line ends, and what must come of it."""
    lines, expected = [attempt(), b""], []
    for raw, code, pointer in REFUSED:
        lines += [raw, attempt(), b""]
        expected.append((len(lines) - 2, code, pointer, raw))
    ends = [b"\r\n" if n % 2 else b"\n" for n in range(len(lines))]
    return b"".join(map(bytes.__add__, lines, ends)), expected


def test_refused_lines_are_kept_whole_with_code_pointer_and_line(home: Home):
    """Byte for byte, in place: a person finds the line in the file, and a mend can replay it."""
    data, expected = broken_lines()
    result = land(home, data)
    assert refusals(home) == expected
    assert result.received == 2 * len(REFUSED) + 1
    assert result.accepted == len(REFUSED) + 1 == len(bronze_rows(home))
    assert result.codes == Counter(code for _, code, _, _ in expected)
    letters = bronze_rows(home, "dead_letters")
    assert len({row["dead_letter_id"] for row in letters}) == len(REFUSED)
    for row in letters:
        assert row["batch_id"] == result.batch_id
        assert (row["table_name"], row["attempts"], row["resolution"]) == ("attempts", 1, None)
    assert {row["event_id"] for row in letters if row["code"] == "time_violation"} == {"e1"}


def test_refusals_have_the_same_ids_wherever_they_land(home: Home, tmp_path: Path):
    """A letter can be named before and after a home was lost."""
    data, _ = broken_lines()
    other = init_home(tmp_path / "other")[0]
    ids = []
    for place in (home, other):
        land(place, data)
        ids.append([row["dead_letter_id"] for row in bronze_rows(place, "dead_letters")])
    assert ids[0] == ids[1]


def test_elements_of_an_array_are_refused_by_number(home: Home):
    """And what follows the array is one more record, refused."""
    small = [raw for raw, code, _ in REFUSED[:18] if code != "size_violation"]
    elements = [attempt(), *small, b'{"a": oops}', attempt()]
    result = land(home, b"[" + b",".join(elements) + b"] " + MARK.encode())
    assert refusals(home) == [
        *[(n, code, pointer, raw) for n, (raw, code, pointer) in enumerate(REFUSED[:18], 2)],
        (20, "payload_malformed", None, b'{"a": oops}'),
        (22, "payload_malformed", None, MARK.encode()),
    ]
    assert (result.received, result.accepted) == (22, 2)


def test_refused_rows_of_csv_are_kept_as_they_stood(home: Home):
    """With their quotes, their line breaks and the number of the line that they begin on."""
    header = b"event_id,timestamp,action,status,fp\r\n"
    good = b'a,2026-05-01,login,ok,"x\r\n""y"""\r\n'
    broken: list[tuple[bytes, str, str | None]] = [
        (b'b,2026-05-01,login,ok,"a\n\nb",more', "payload_malformed", None),
        (b"c,2026-05-01,login", "payload_malformed", None),
        (b'd,"' + MARK.encode() + b'\n",login,ok,', "time_violation", "/timestamp"),
        (b',2026-05-01,login,ok,"""q"""', "envelope_violation", "/event_id"),
        (b"e,2026-05-01,login,ok,\xff", "payload_malformed", None),
    ]
    data, expected = header + good, []
    for raw, code, pointer in broken:
        expected.append((data.count(b"\n") + 1, code, pointer, raw))
        data += raw + b"\n" + good
    land(home, data)
    assert refusals(home) == expected
    assert [row["fp"] for row in bronze_rows(home)] == ['x\r\n"y"'] * (1 + len(broken))


def test_a_quote_that_never_closes_is_refused(home: Home):
    """Else one opening quote too many lands all that follows as one row's last field."""
    data = as_csv([ATTEMPT | {"fp": "x"}])
    land(home, data + b'b,2026-05-01,login,ok,"x\r\n' + data.splitlines(keepends=True)[1] * 9)
    assert [row["event_id"] for row in bronze_rows(home)] == ["e1"]
    assert refusals(home)[0][:2] == (3, "payload_malformed")


def test_refused_rows_of_parquet_are_kept_as_json(home: Home):
    """There is no text to keep, so the row is, as one JSON object."""
    rows = [ATTEMPT, ATTEMPT | {"action": MARK}, ATTEMPT]
    land(home, as_parquet(rows))
    ((number, code, pointer, raw),) = refusals(home)
    assert (number, code, pointer) == (2, "schema_violation", "/action")
    assert json.loads(raw) == rows[1]


def test_a_field_that_may_never_land_is_refused_without_its_bytes(
    home: Home, monkeypatch: pytest.MonkeyPatch
):
    """The dead letter says where and which event, and holds nothing of what was sent."""
    forbid_customer_name(monkeypatch)
    rows = [ATTEMPT, {"customer_name": MARK}, {"customerName": None}, {"note": "customer_name"}]
    result = land(home, as_lines([ATTEMPT | fields for fields in rows]))
    assert refusals(home) == [(2, "pii_forbidden", None, None), (3, "pii_forbidden", None, None)]
    assert [row["event_id"] for row in bronze_rows(home, "dead_letters")] == ["e1", "e1"]
    assert (result.accepted, result.rejected) == (2, 2)
    assert not holds(home, MARK)


def test_a_forbidden_field_in_a_large_record_is_not_kept_either(
    home: Home, monkeypatch: pytest.MonkeyPatch
):
    forbid_customer_name(monkeypatch)
    land(home, attempt(customer_name=MARK, fp="x" * (8 << 20)))
    ((_, _, _, raw),) = refusals(home)
    assert raw is None


def forbid_customer_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the contract of attempts a field of class never, for lack of a table that has one."""
    real = contract_of("attempts")
    forbidden = Column("customer_name", "string", "A name.", "never")
    changed = replace(real, columns=(*real.columns, forbidden))
    for module in (landing, bronze):
        monkeypatch.setattr(
            module, "contract_of", lambda t: changed if t == "attempts" else contract_of(t)
        )


def holds(home: Home, text: str) -> bool:
    """Whether any file of bronze holds a text, in a column of any type."""
    return any(
        text in str(row)
        for table in ("attempts", "dead_letters", "landing_ledger")
        for row in bronze_rows(home, table)
    )


@pytest.fixture
def unspeakable(tmp_path: Path) -> Path:
    """A file in whose every fault the mark stands."""
    path = tmp_path / "sent"
    path.write_bytes(broken_lines()[0] + attempt(event_id=MARK, status=MARK))
    return path


def test_no_output_shows_a_value(home: Home, unspeakable: Path):
    """Landing, ledger and status name line, code and count, and never what was sent."""
    said = [
        assay("land", "attempts", unspeakable, "--strict", home=home),
        assay("ledger", home=home),
        assay("status", "--json", home=home),
    ]
    assert [result.returncode for result in said] == [1, 0, 0]
    assert "time_violation 3" in said[0].stdout
    assert "time_violation 3" in said[2].stdout
    for result in said:
        assert MARK not in result.stdout + result.stderr
    for line in bronze_rows(home, "landing_ledger"):
        assert MARK not in str(line)


def test_no_json_shows_a_value(home: Home, unspeakable: Path):
    """One object with the counts by code."""
    result = assay("land", "attempts", unspeakable, "--json", home=home)
    (batch,) = json.loads(result.stdout)["batches"]
    assert batch["codes"] == Counter(code for _, code, _ in REFUSED)
    assert MARK not in result.stdout + result.stderr


# --- files that cannot be read to their end


def damaged(data: bytes, at: int) -> bytes:
    return data[:at] + b"\xff" * 30 + data[at + 30 :]


WHOLE = as_parquet(ROWS, compression="snappy")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (gzip.compress(as_lines(ROWS))[:-30], "cannot be unpacked to its end"),
        (damaged(gzip.compress(as_lines(ROWS)), 2000), "cannot be unpacked to its end"),
        (zstd(as_lines(ROWS))[:-30], "cannot be unpacked to its end"),
        (b"\x1f\x8b" + MARK.encode(), "cannot be unpacked to its end"),
        (WHOLE[:-30], "not a whole Parquet file"),
        (b"PAR1" + MARK.encode(), "not a whole Parquet file"),
        (f"event_id,{MARK},{MARK}\n1,2,3\n".encode(), "names a column twice"),
        (MARK.encode() + b"\xff\xfe\n", "neither JSON, Parquet nor UTF-8 CSV"),
        (damaged(WHOLE, 500), "not a whole Parquet file"),
    ],
)
def test_a_damaged_file_lands_nothing(home: Home, tmp_path: Path, data: bytes, reason: str):
    """One line names the file and what is wrong; bronze holds nothing of it, and goes on."""
    path = tmp_path / "damaged"
    path.write_bytes(data)
    result = assay("land", "attempts", path, home=home)
    line = says_one_line(result)
    assert result.returncode == 1
    assert line.startswith("damaged: ")
    assert reason in line
    assert MARK not in line
    for table in ("attempts", "dead_letters", "landing_ledger"):
        assert batch_files(home, table) == []
    assert not list((home.bronze / ".staging").glob("*/*"))
    assert land(home, as_lines(ROWS)).accepted == len(ROWS)


def test_one_bad_epoch_does_not_stop_the_file(home: Home):
    rows = [ATTEMPT | {"timestamp": 1777600000}, ATTEMPT | {"timestamp": 10**300}]
    result = land(home, as_lines(rows), mapping="types: {timestamp: epoch_s}\n")
    assert (result.accepted, dict(result.codes)) == (1, {"time_violation": 1})


def test_one_bad_byte_in_a_csv_does_not_slow_it_down(home: Home, tmp_path: Path):
    """A thousand rows take a tenth of a second beside the start of the command. They took 20."""
    sent = tmp_path / "sent"
    data = as_csv(make_rows(1_000, seed=2))
    sent.write_bytes(data + b"\xff" + data.splitlines(keepends=True)[1])
    command = [ASSAY, "land", "attempts", sent, "--home", home.path]
    subprocess.run(command, capture_output=True, check=True, timeout=4)
    assert len(bronze_rows(home)) == 1_000


# --- once


def test_the_same_file_lands_once(home: Home, tmp_path: Path):
    """Under its own name or another, and says so the second time."""
    data = as_lines(ROWS) + b"broken\n"
    first = land(home, data)
    again = land(home, data)
    copy = land(home, data, name="copy")
    assert not first.already_landed
    assert again.already_landed
    assert copy.already_landed
    assert again.batch_id == copy.batch_id == first.batch_id
    assert len(bronze_rows(home)) == len(ROWS)
    assert len(bronze_rows(home, "dead_letters")) == 1
    assert len(bronze_rows(home, "landing_ledger")) == 1
    said = assay("land", "attempts", tmp_path / "sent", home=home)
    assert said.stdout == (
        f"sent: landed before as batch {first.batch_id}, nothing to do: "
        f"received {len(ROWS) + 1}, accepted {len(ROWS)}, rejected 1 (payload_malformed 1)\n"
    )


def test_another_byte_or_another_mapping_is_another_batch(home: Home):
    """A batch is its bytes and how they are read."""
    data = as_lines(ROWS)
    batches = {
        land(home, data).batch_id,
        land(home, data + b"\n").batch_id,
        land(home, data, mapping="constants: {domain: x.example}\n").batch_id,
        land(home, data, mapping="constants: {domain: y.example}\n").batch_id,
    }
    assert len(batches) == len(bronze_rows(home, "landing_ledger")) == 4


def test_landing_at_once_lands_once(home: Home, tmp_path: Path):
    """Three processes with one file, and one with another, at the same moment."""
    same, other = tmp_path / "same", tmp_path / "other"
    same.write_bytes(as_lines(make_rows(8_000)) + b"broken\n")
    other.write_bytes(as_lines(ROWS))
    processes = [
        subprocess.Popen(
            [ASSAY, "land", "attempts", path, "--home", home.path],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for path in (same, same, same, other)
    ]
    said = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0], said
    assert sum("landed before" in out for out, _ in said) == 2
    assert len(bronze_rows(home)) == 8_000 + len(ROWS)
    assert len(bronze_rows(home, "dead_letters")) == 1
    assert len(bronze_rows(home, "landing_ledger")) == 2
    assert list((home.bronze / ".staging").iterdir()) == []


def test_a_batch_that_another_committed_and_could_not_move_is_found_behind_the_lock(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The other is killed between commit and move while this one waits for its lock."""
    other = init_home(tmp_path / "other")[0]
    with monkeypatch.context() as patched:
        patched.setattr(bronze, "_publish", lambda *_: None)
        batch_id = land(other, as_lines(ROWS)).batch_id

    waits, lock = threading.Event(), bronze.batch_lock

    def announced(home: Home, batch_id: str) -> AbstractContextManager[None]:
        waits.set()
        return lock(home, batch_id)

    monkeypatch.setattr(bronze, "batch_lock", announced)
    outcome: list[object] = []

    def second() -> None:
        try:
            outcome.append(land(home, as_lines(ROWS)))
        except OSError as error:
            outcome.append(error)

    with lock(home, batch_id):
        thread = threading.Thread(target=second)
        thread.start()
        assert waits.wait(30)
        (home.bronze / ".committed").mkdir(exist_ok=True)
        shutil.move(other.bronze / ".committed" / batch_id, home.bronze / ".committed")
    thread.join(30)
    assert isinstance(outcome[0], LandingResult), outcome
    assert outcome[0].already_landed
    assert len(bronze_rows(home)) == len(ROWS)


# --- the command's answers


def test_strict_is_1_when_a_record_was_refused(home: Home, tmp_path: Path):
    """Without it a partly refused file is done, with its counts."""
    path = tmp_path / "sent"
    path.write_bytes(as_lines(ROWS[:3]) + b"broken\n")
    result = assay("land", "attempts", path, "--strict", home=home)
    assert result.returncode == 1
    assert result.stdout == ("sent: received 4, accepted 3, rejected 1 (payload_malformed 1)\n")
    assert len(bronze_rows(home)) == 3
    path.write_bytes(as_lines(ROWS[:3]))
    assert assay("land", "attempts", path, "--strict", home=home).returncode == 0
    path.write_bytes(b"broken\n" + as_lines(ROWS[:3]))


def test_strict_is_1_again_when_the_batch_landed_before(home: Home, tmp_path: Path):
    """A retry of a failed job must not turn it green."""
    path = tmp_path / "sent"
    path.write_bytes(as_lines(ROWS[:3]) + b"broken\n")
    codes = [assay("land", "attempts", path, "--strict", home=home).returncode for _ in range(2)]
    assert codes == [1, 1]


@pytest.mark.parametrize(
    "arguments",
    [
        ("land", "attempts"),
        ("land", "attempts", "file", "--nothing"),
        ("land", "attempts", "file", "--map", "/nowhere/mapping.yml"),
        ("lend",),
        ("init", "--residency", "mars"),
        ("demo-data", "--events", "10"),
        ("refresh", "yearly"),
    ],
)
def test_wrong_usage_is_2(home: Home, arguments: tuple[str, ...]):
    result = assay(*arguments, ASSAY_HOME=str(home.path))
    assert result.returncode == 2
    assert result.stdout == ""
    assert "Error: " in result.stderr
    assert "Traceback" not in result.stderr


def test_a_missing_home_is_said_in_one_line(tmp_path: Path):
    """Wherever the name of the home came from, and without leaving anything there."""
    sent, nowhere = tmp_path / "sent", tmp_path / "nowhere"
    sent.write_bytes(as_lines(ROWS[:1]))
    for result in (
        assay("land", "attempts", sent, home=nowhere),
        assay("land", "attempts", sent, ASSAY_HOME=str(nowhere)),
        assay("land", "attempts", "-", home=nowhere, stdin=b"{}"),
    ):
        assert result.returncode == 1
        assert says_one_line(result) == (
            f'No home at {nowhere}. Run "assay init", or set ASSAY_HOME.'
        )
    assert not nowhere.exists()


def test_what_cannot_land_is_said_in_one_line(home: Home, tmp_path: Path):
    """A table that is none, a file that is none."""
    sent = tmp_path / "sent"
    sent.write_bytes(as_lines(ROWS[:1]))
    table = assay("land", "attemps", sent, home=home)
    file = assay("land", "attempts", tmp_path / "nothing", home=home)
    folder = assay("land", "attempts", tmp_path, home=home)
    assert [result.returncode for result in (table, file, folder)] == [1, 1, 1]
    assert says_one_line(table).startswith("No bronze table attemps. There are: attempts, ")
    assert says_one_line(file) == f"No file {tmp_path / 'nothing'}."
    assert says_one_line(folder) == f"No file {tmp_path}."


def test_nobody_lands_in_the_tables_that_assay_keeps(home: Home, tmp_path: Path):
    sent = tmp_path / "sent"
    sent.write_bytes(b"{}\n")
    for table in ("landing_ledger", "dead_letters", "pipeline_runs"):
        assert table in says_one_line(assay("land", table, sent, home=home))
    assert bronze_rows(home, "landing_ledger") == []


# --- the demo's answer key, and noise


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
    found = {(name_of[row["batch_id"]], row["line_number"]): row for row in letters}
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
