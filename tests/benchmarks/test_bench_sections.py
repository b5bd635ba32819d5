"""Sections run at a tiny size, and one that fails is a row: how fast they are is for elsewhere."""

from __future__ import annotations

from pathlib import Path

import bench
import landing
import pytest
import storing
from figures import Row
from measuring import Bench

from loaders.project import PROJECT


@pytest.fixture
def tiny(tmp_path: Path) -> Bench:
    """The smallest run, without peers."""
    return Bench(bench.SMALLEST, tmp_path)


def test_landing_is_measured(tiny: Bench, monkeypatch: pytest.MonkeyPatch):
    """Beside DuckDB; what is beside dlt says that it was not run."""
    monkeypatch.setattr(landing, "RUNS", 1)
    rows = list(landing.section(tiny))
    assert {row.what for row in rows if row.figure is None} == {
        "the same, beside dlt: dicts, Parquet as loader format",
        "the same, beside dlt: Arrow batches",
    }
    assert all("not run" in row.measured for row in rows if row.figure is None)
    assert all(row.figure.median > 0 for row in rows if row.figure and row.unit != "exponent")
    assert not list(tiny.folder.iterdir()), "it leaves nothing behind"


def test_the_spool_is_measured(tiny: Bench):
    """Beside a file and SQLite."""
    rows = list(storing.section(tiny))
    assert [row.unit for row in rows] == ["events/s", "", ""]
    assert all(row.figure and row.figure.tries == storing.TURNS for row in rows)


def test_a_section_that_fails_is_a_row(tiny: Bench, capfd: pytest.CaptureFixture[str]):
    """There are no games to ask, and the traceback says so."""
    assert list(bench.measured("asking", tiny)) == [
        Row("asking", "failed: the rest of this section is missing", has_failed=True)
    ]
    assert "Traceback" in capfd.readouterr().err


def test_every_section_is_there():
    """The file of each has the function."""
    for title, name in bench.SECTIONS.items():
        text = (Path(bench.__file__).parent / f"{name}.py").read_text(encoding="utf-8")
        assert "\ndef section(bench: Bench) -> Iterator[Row]:" in text, title


def test_the_lock_of_the_peers_names_no_place():
    """Names, versions and hashes: where to get them from is the user's own matter."""
    lock = (PROJECT / "benchmarks" / "peers.lock").read_text(encoding="utf-8")
    assert "://" not in lock and "--index" not in lock
    assert "\ndlt[duckdb]==" in lock and "\nsqlmesh==" in lock and "--hash=sha256:" in lock
