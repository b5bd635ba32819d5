"""Files that cannot be read to their end land nothing; one bad record stops no file."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from landed import (
    ATTEMPT,
    assay,
    batch_files,
    says_one_line,
)
from samples import MARK, ROWS, as_csv, as_lines, as_parquet, land, make_rows, zstd

from loaders.home import Home
from loaders.landing import records


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


def test_bad_records_in_a_csv_are_found_by_halving(home: Home, monkeypatch: pytest.MonkeyPatch):
    """A thousand rows with three bad ones are not read row by row."""
    reads, read_csv = [], records.pa_csv.read_csv

    def counted(*arguments: Any) -> pa.Table:
        reads.append(arguments)
        return read_csv(*arguments)

    monkeypatch.setattr(records.pa_csv, "read_csv", counted)
    header, *rows = as_csv(make_rows(1_000, seed=2)).splitlines(keepends=True)
    # No UTF-8; and twice a comma that is within quotes for framing, and not for Arrow.
    bad = [b"\xff" + rows[0], b'a"b,c"' + rows[1], b'a"b,d"' + rows[2]]
    sent = [header, bad[0], *rows[:500], bad[1], bad[2], *rows[500:]]
    result = land(home, b"".join(sent))
    assert (result.accepted, result.rejected) == (1_000, 3)
    assert 1 < len(reads) < 60
