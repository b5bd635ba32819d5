"""JSON, CSV and Parquet have the same rows, typed, and a spreadsheet computes nothing of them."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from published import PUBLISHED_AT, TYPOS, published

from loaders.home import Home
from loaders.reports.asked import Asked, asked
from loaders.reports.declared import Measure, Report, Table, report_of
from loaders.reports.figures import Column, Figures, Made, make
from loaders.reports.files import as_csv, as_json, as_parquet

__all__ = ["published"]  # a fixture

TYPES = {"date": pa.date32(), "string": pa.string(), "int64": pa.int64(), "float64": pa.float64()}
COMPUTED = "=+-@\uff1d\uff0b\uff0d\uff20"


@pytest.fixture(scope="module")
def typos(published: Home) -> Made:
    report = report_of("mistyped_mail_domains")
    return make(published, report, asked(report))


@pytest.fixture(scope="module")
def funnel(published: Home) -> Made:
    report = report_of("registration_funnel")
    return make(published, report, asked(report, where=["domain_kind=product"]))


def typed(cell: str, kind: str) -> Any:
    """What a cell of CSV says, by the type that JSON names."""
    if cell == "" and kind != "string":
        return None
    if kind == "string":
        return cell.removeprefix("'")
    return {"int64": int, "float64": float, "date": str}[kind](cell)


@pytest.mark.parametrize("name", ["typos", "funnel"])
def test_the_formats_have_the_same_rows(name: str, request: pytest.FixtureRequest):
    """Types too, null as null, and days by ISO 8601."""
    made: Made = request.getfixturevalue(name)
    (told,) = json.loads(as_json(made))["tables"]
    rows = told["rows"]
    assert rows
    parquet = pq.read_table(pa.BufferReader(as_parquet(made)))
    assert [(f.name, f.type) for f in parquet.schema] == [
        (column["name"], TYPES[column["type"]]) for column in told["columns"]
    ]
    in_parquet = [
        {k: v.isoformat() if isinstance(v, date) else v for k, v in row.items()}
        for row in parquet.to_pylist()
    ]
    assert in_parquet == rows
    head, *cells = csv.reader(io.StringIO(as_csv(made).decode(), newline=""))
    assert head == [column["name"] for column in told["columns"]]
    kinds = [column["type"] for column in told["columns"]]
    in_csv = [dict(zip(head, map(typed, row, kinds), strict=True)) for row in cells]
    assert in_csv == rows
    if name == "funnel":
        assert None in {row["registered"] for row in rows}


def test_the_report_says_what_it_is_of(funnel: Made):
    """Release, days, filter, units; times in UTC to the second, in JSON and in Parquet."""
    told = json.loads(as_json(funnel))
    assert told["report"] == "registration_funnel"
    assert told["release_id"] == "r1"
    assert told["published_at"] == f"{PUBLISHED_AT:%Y-%m-%dT%H:%M:%SZ}"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", told["generated_at"])
    assert told["where"] == {"domain_kind": "product"}
    (table,) = told["tables"]
    assert (table["period"], table["first_day"], table["last_day"]) == (
        *("day", "2026-05-03", "2026-05-30"),
    )
    assert table["withheld"].count(".") == 1
    assert "fewer than k = 10 people" in table["withheld"]
    units = {column["name"]: column["unit"] for column in table["columns"]}
    assert units["visitors"] == "devices"
    assert units["registered"] == "people"
    assert units["period_start"] is units["domain"] is None
    metadata = pq.read_schema(pa.BufferReader(as_parquet(funnel))).metadata
    assert metadata[b"release_id"] == b"r1"


HOUR = datetime(2026, 5, 31, 23, tzinfo=UTC)


def one_table(texts: list[str]) -> Made:
    """A report of an hourly table with a word and a number, which may be below 0."""
    measure = Measure("change", "Change", "percent", value="change")
    table = Table("t", "T", "m", "period_start", (measure,), grain="hour", by=("word",))
    columns = (
        Column("period_start", "Hour", "timestamp", None, ""),
        Column("word", "Word", "string", None, ""),
        Column("change", "Change", "float64", "percent", ""),
    )
    rows = pa.table(
        {
            "period_start": pa.array([HOUR] * len(texts), pa.timestamp("us", "UTC")),
            "word": pa.array(texts),
            "change": pa.array([-1.5] * len(texts)),
        }
    )
    shown = Figures(table, "hour", HOUR.date(), HOUR.date(), columns, rows, "")
    report = Report("r", "R", "Text.", 1, (table,))
    return Made(report, Asked(), "r1", HOUR, HOUR, (shown,), ())


def test_times_are_utc():
    """An hour, in all formats."""
    made = one_table(["a"])
    (row,) = json.loads(as_json(made))["tables"][0]["rows"]
    assert row == {"period_start": "2026-05-31T23:00:00Z", "word": "a", "change": -1.5}
    assert as_csv(made) == b"period_start,word,change\r\n2026-05-31T23:00:00Z,a,-1.5\r\n"
    (value,) = pq.read_table(pa.BufferReader(as_parquet(made)))["period_start"].to_pylist()
    assert value == HOUR
    assert value.utcoffset().total_seconds() == 0


ATTACKS = [
    "=1+1",
    "+1",
    "-1+cmd",
    "@SUM(1)",
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://x.example","y")',
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    " =1+1",
    "a;=1+1",
    'a,"=1+1',
    "a\n=1+1",
    "a\t@x",
    "\uff1d1+1",
    "'=1+1",
    '"=1+1',
]
FINE = ["a", "play.example", "a=b", "one-two", "-", "a - b", "x@y.example", "", "Ä 東京"]


def opened_as(content: bytes, separator: str) -> list[str]:
    """The cells as a spreadsheet may take them: by the quotes, or as if there were none."""
    text = content.decode()
    cells = [cell for line in re.split(r"[\r\n]+", text) for cell in line.split(separator)]
    if separator == ",":
        cells += [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
    return cells


def computed(cell: str) -> bool:
    """Whether a spreadsheet computes a cell. It does not what begins with an apostrophe."""
    text = cell.lstrip(' \t"')
    return text[:1] in set(COMPUTED) and not re.fullmatch(r"-(\d+(\.\d+)?\"?)?", text)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_a_spreadsheet_computes_no_text(separator: str):
    """However it splits the file. Numbers below 0 stay numbers."""
    content = as_csv(one_table(ATTACKS))
    assert [cell for cell in opened_as(content, separator) if computed(cell)] == []
    assert content.count(b",-1.5\r\n") == len(ATTACKS)


def test_yes_and_no_are_as_in_json():
    """In CSV too, which has no types."""
    made = one_table(["a", "b"])
    (shown,) = made.tables
    rows = shown.rows.set_column(2, "change", pa.array([True, False]))
    told = replace(made, tables=(replace(shown, rows=rows),))
    assert [line.split(b",")[2] for line in as_csv(told).splitlines()[1:]] == [b"true", b"false"]
    assert [row["change"] for row in json.loads(as_json(told))["tables"][0]["rows"]] == [
        True,
        False,
    ]


def test_other_texts_are_as_they_were():
    """What nobody computes is not touched; JSON and Parquet never are."""
    rows = list(csv.reader(io.StringIO(as_csv(one_table(FINE)).decode())))[1:]
    assert [row[1] for row in rows] == [text if text != "-" else "'-" for text in FINE]
    for text in ATTACKS:
        made = one_table([text])
        assert json.loads(as_json(made))["tables"][0]["rows"][0]["word"] == text
        assert pq.read_table(pa.BufferReader(as_parquet(made)))["word"].to_pylist() == [text]


def test_the_attacks_would_be_seen():
    """The planted fault: the same file without the guard."""
    bare = "word\r\n" + "\r\n".join(ATTACKS)
    assert sum(computed(cell) for cell in opened_as(bare.encode(), "|")) > 10


def test_the_made_up_typos_hold_an_attack(typos: Made):
    assert "=1+1.com" in TYPOS
    assert b",'=1+1.com," in as_csv(typos)
