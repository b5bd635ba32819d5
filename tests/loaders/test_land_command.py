"""What `assay land` answers: exit codes, and one line where it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest
from landed import (
    assay,
    bronze_rows,
    says_one_line,
)
from samples import ROWS, as_lines

from loaders.home import Home


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
