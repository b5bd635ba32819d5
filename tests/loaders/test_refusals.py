"""What is refused is kept whole, with its code and place, and no message shows a value."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from landed import (
    ATTEMPT,
    assay,
    bronze_rows,
)
from samples import MARK, as_csv, as_lines, as_parquet, attempt, land, refusals

from loaders import bronze
from loaders.contracts import Column, contract_of
from loaders.home import Home, init_home
from loaders.landing import batches


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


NUMBERED: list[tuple[Any, Any, str | None, int | None]] = [
    ("api-1", 7, "api-1", 7),
    ("Signup_2.eu-" + "a" * 32, "12", "Signup_2.eu-" + "a" * 32, 12),
    ("api-1", 3.0, "api-1", 3),
    ("api-1", None, "api-1", None),
    ("api-1", -1, "api-1", None),
    ("api-1", 2**63, "api-1", None),
    ("api-1", True, "api-1", None),
    ("api-1", "seven", "api-1", None),
    (None, 7, None, None),
    ("", 7, None, None),
    ("a" * 129, 7, None, None),
    ("ada@mail.example", 7, None, None),
    ("Ada Lovelace", 7, None, None),
    ("4111111111111111", 7, None, None),
    ({"name": "Ada"}, 7, None, None),
    (["api-1"], 7, None, None),
]


def test_refused_records_keep_their_producer_and_number(home: Home):
    """Where the name is a plain one, so that it can be said what of a producer came."""
    sent = [ATTEMPT | {"action": "fly", "producer": p, "sequence": n} for p, n, _, _ in NUMBERED]
    land(home, as_lines(sent) + b'{"producer": "api-1", "sequence": 7')
    letters = bronze_rows(home, "dead_letters")
    found = [(row["producer"], row["sequence"]) for row in letters]
    assert found == [(producer, number) for _, _, producer, number in NUMBERED] + [(None, None)]


def test_a_producer_is_kept_where_the_bytes_may_not_be(home: Home, monkeypatch: pytest.MonkeyPatch):
    """It names our own service. What is no plain name could hold what may never land."""
    forbid_customer_name(monkeypatch)
    about = {"customer_name": MARK, "sequence": 7}
    land(home, as_lines([ATTEMPT | about | {"producer": p} for p in ("api-1", f"for {MARK}")]))
    letters = bronze_rows(home, "dead_letters")
    assert [(r["code"], r["raw"], r["producer"], r["sequence"]) for r in letters] == [
        ("pii_forbidden", None, "api-1", 7),
        ("pii_forbidden", None, None, None),
    ]
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
    for module in (batches, bronze):
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
