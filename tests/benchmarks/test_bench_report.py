"""What a run leaves: a file beside the others, and one table with earlier runs in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from figures import Row, Spread, at_least, at_most
from report import Run, between_markers, keep, newest, rows_of, scanned, table

FACTS = {
    "date": "2026-03-01",
    "events": 5_000,
    "cores": 2,
    "memory_gib": 16,
    "load_before": 0.1,
    "python": "3.11.7",
    "duckdb": "2.0.0",
}


def a_run(*figures: float, events: int = 5_000, failed: bool = False) -> Run:
    """A run of two sections."""
    rows = [
        Row(f"{events:,} lines", "7 rows/s", Spread.of(*figures), to="plain", goal=at_least(0.8)),
        Row("memory", "peak | most", Spread.of(12), "MiB"),
    ]
    last = [Row("late", "failed: no more", goal=at_most(1), has_failed=failed)]
    return Run(FACTS | {"events": events}, [*rows_of("landing", rows), *rows_of("freshness", last)])


def test_the_table_has_earlier_runs_beside_it():
    """A row is known by its words without their numbers: sizes differ between runs."""
    earlier = [a_run(0.5, events=100), a_run(0.4)]
    lines = table(a_run(0.9, 0.7, 1.1), earlier).splitlines()
    assert lines[2].endswith("| met | 2026-03-01, 100 events | 2026-03-01, 5,000 events |")
    figures = "0.9 (0.7 to 1.1) | plain | ≥ 0.8 | yes | 0.5 | 0.4"
    assert f"| 5,000 lines | 7 rows/s | {figures} |" in lines
    assert "| memory | peak / most | 12 MiB |  |  |  | 12 MiB | 12 MiB |" in lines
    assert {line.count("|") for line in lines[2:]} == {9}


def test_a_goal_that_is_missed_is_seen():
    """And what failed has no figure."""
    text = table(a_run(0.79), [])
    assert "| 0.79 | plain | ≥ 0.8 | **no** |" in text
    assert "| late | failed: no more |  |  | ≤ 1 |  |" in text


def test_the_table_tells_of_the_machine():
    """Cores, memory, load and versions."""
    told = table(a_run(1), []).splitlines()[0]
    for fact in ("2 cores", "16 GiB", "load average 0.1", "duckdb 2.0.0", "BENCH_EVENTS=5000"):
        assert fact in told


def test_one_section_alone():
    """For the page that is about it, with the price of so many MB for each million events."""
    text = scanned(a_run(1), "landing")
    # Twelve million bytes of a million events, of a thousand times as many, by 2**40 at 6.25.
    assert "| memory | peak | most | 12 MiB | 0.0682 |" in text
    assert "| late |" not in text


def test_runs_are_numbered_by_day_and_the_newest_are_found(tmp_path: Path):
    """The tenth of a day comes after the ninth, and what is read is what was kept."""
    assert newest(1, tmp_path) == []
    for n in range(1, 11):
        assert keep(a_run(n), tmp_path).name == f"2026-03-01-{n}.json"
    assert newest(2, tmp_path) == [a_run(10), a_run(9)]


def test_a_page_keeps_what_is_around_the_table(tmp_path: Path):
    """What stood between the markers is gone."""
    page = tmp_path / "page.md"
    page.write_text("head\n<!-- t -->\nold\n<!-- /t -->\ntail\n")
    between_markers(page, "t", "new")
    assert page.read_text() == "head\n<!-- t -->\nnew\n<!-- /t -->\ntail\n"


@pytest.mark.parametrize(
    "text", ["none", "<!-- /t --> <!-- t -->", "<!-- t --> <!-- t --><!-- /t -->"]
)
def test_a_page_without_its_markers_is_not_touched(text: str, tmp_path: Path):
    """Nothing is written over."""
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(ValueError, match="needs one"):
        between_markers(page, "t", "new")
    assert page.read_text() == text
