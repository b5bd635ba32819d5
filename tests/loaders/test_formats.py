"""Equal events land equal rows, whatever format they come in."""

from __future__ import annotations

import gzip
import json
from datetime import datetime
from decimal import Decimal

import pytest
from kept_validator import one_validator
from landed import (
    ATTEMPT,
    assay,
    bronze_rows,
)
from samples import FORMATS, ROWS, Row, as_lines, as_parquet, land, only_sent

from loaders.errors import AssayError
from loaders.home import Home, init_home

__all__ = ["one_validator"]  # a fixture


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


@pytest.mark.parametrize("data", [b"", b"\n\n", b"[]", b"[\n]", gzip.compress(b"", mtime=0)])
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
