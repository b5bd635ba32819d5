"""The figures of a report are those of the published marts, added up by hand where they add up."""

from __future__ import annotations

import csv
import math
import random
import shutil
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import PROJECT, Demo
from made_up import needed, of_whom
from published import DAYS, FIRST, MISSING, published, rows_of, write_release

from loaders.gold.publish import publish
from loaders.home import Home
from loaders.reports import figures
from loaders.reports.asked import asked
from loaders.reports.declared import Report, Table, read_reports, report_of
from loaders.reports.errors import ReportError
from loaders.reports.figures import Figures, Made, make

__all__ = ["published"]  # a fixture

LAST = FIRST + timedelta(days=DAYS - 1)
# The conditions of the reports, once more by hand.
CONDITIONS = {
    "requests": lambda row: row["status"] != "test",
    "errors": lambda row: row["error_code"] != "none",
    "landing": lambda row: row["domain"] != "platform",
    "refusals": lambda row: row["domain"] != "platform",
    "answers": lambda row: row["errors_per_1000"] is not None,
    "runs": lambda row: row["domain"] == "platform",
    "rewards": lambda row: row["reward_type"] != "none",
    "steps": lambda row: row["rank"] == "all",
    "winners": lambda row: row["step"] == "won",
}

Row = dict[str, Any]


def start_of(moment: date, period: str) -> date:
    """The hour, the Monday, the first of the month, or the day."""
    if period == "hour" and isinstance(moment, datetime):
        return moment.replace(tzinfo=UTC)
    day = date(moment.year, moment.month, moment.day)
    if period == "week":
        return date.fromisocalendar(*day.isocalendar()[:2], 1)
    return date(day.year, day.month, 1) if period == "month" else day


def bands() -> list[str]:
    """The labels of all bands, in the order of the seed."""
    with (PROJECT / "seeds" / "amount_buckets.csv").open(encoding="utf-8", newline="") as seed:
        return [row["label"] for row in csv.DictReader(seed) if row["label"] != "unknown"]


def place_of(label: Any) -> tuple[int, Any]:
    """Bands stand before other words, as in the seed; months before them, by their number."""
    if isinstance(label, int):
        return 0, label
    return (1, bands().index(label)) if label in bands() else (2, label)


def only(rows: list[Row], where: list[str]) -> list[Row]:
    """The rows that have what is asked for."""
    wanted = dict(part.split("=") for part in where)
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def by_hand(rows: list[Row], table: Table, period: str, first: date, last: date) -> list[Row]:
    """The rows of a table in plain Python."""
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        starts, day = start_of(row[table.period], period), start_of(row[table.period], "day")
        wanted = start_of(first, period) <= start_of(day, period) <= start_of(last, period)
        if table.grain_column:
            wanted = wanted and row[table.grain_column] == period
        if wanted and CONDITIONS.get(table.name, lambda _: True)(row):
            groups[(starts, *(row[name] for name in table.by))].append(row)
    found = []
    for key in sorted(groups, key=lambda k: (k[0], *map(place_of, k[1:]))):
        members = groups[key]
        made: Row = dict(zip(("period_start", *table.by), key, strict=True))
        for measure in table.measures:
            if measure.value:
                made[measure.name] = members[0][measure.value] if len(members) == 1 else None
            elif measure.ratio:
                pairs = [[m[column] for column in measure.ratio] for m in members]
                whole = [pair for pair in pairs if None not in pair]
                above, below = (sum(pair[n] for pair in whole) for n in (0, 1))
                made[measure.name] = above / below if below else None
            else:
                told = [m[measure.sum] for m in members if m[measure.sum] is not None]
                made[measure.name] = sum(told) if told else None
        found.append(made)
    return found


def assert_same(found: list[Row], expected: list[Row]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.keys() == other.keys()
        for name, value in one.items():
            if isinstance(value, float) and other[name] is not None:
                assert math.isclose(value, other[name], rel_tol=1e-12), name
            else:
                assert value == other[name], name


def of(home: Home, name: str, **given: Any) -> Made:
    report = report_of(name)
    return make(home, report, asked(report, **given))


def table_of(made: Made, name: str) -> Figures:
    (found,) = (figures for figures in made.tables if figures.table.name == name)
    return found


def busiest(home: Home) -> str:
    """The partner of whom most is told by the day."""
    told = {
        p.name: len(rows_of(home, "daily_claim_stats", p.name)) for p in home.partners.iterdir()
    }
    return max(told, key=lambda slug: told[slug])


@pytest.fixture(scope="module")
def published_demo(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Real gold, built, tested and published."""
    skip = shutil.ignore_patterns("bronze", "demo", "target", "logs")
    folder = tmp_path_factory.mktemp("demo") / "home"
    home = Home(Path(shutil.copytree(demo.home.path, folder, ignore=skip)))
    publish(home)
    return home


@pytest.mark.parametrize("report", read_reports(), ids=lambda report: report.name)
def test_figures_are_those_of_the_demo(published_demo: Home, report: Report):
    home = published_demo
    partner = busiest(home) if report.is_for_partners else None
    needs = {name: table.mart for table in report.tables for name in table.needs}
    usual = {n: Counter(row[n] for row in rows_of(home, mart)) for n, mart in needs.items()}
    where = [f"{name}={values.most_common(1)[0][0]}" for name, values in usual.items()]
    made = make(home, report, asked(report, "2020-01-01", where=where, partner=partner))
    for found in made.tables:
        rows = only(rows_of(home, found.table.mart, partner), where)
        assert rows
        expected = by_hand(rows, found.table, found.period, date(2020, 1, 1), date(2100, 1, 1))
        assert_same(found.rows.to_pylist(), expected)


def test_any_days_by_any_period(published: Home, dice: random.Random):
    """Weeks and months are whole ones, and what is outside of the days is not there."""
    for _ in range(30):
        report = dice.choice(read_reports())
        period = dice.choice(report.periods)
        first, last = sorted(FIRST + timedelta(days=dice.randrange(DAYS)) for _ in range(2))
        where = needed(report)
        days = {"first": str(first), "last": str(last), "period": period}
        partner = of_whom(report)
        made = of(published, report.name, **days, where=where, partner=partner)
        for found in made.tables:
            rows = only(rows_of(published, found.table.mart, partner), where)
            expected = by_hand(rows, found.table, period, first, last)
            assert_same(found.rows.to_pylist(), expected)
            if found.first and found.last and expected:
                assert found.first <= start_of(expected[0]["period_start"], "day")
                assert start_of(expected[-1]["period_start"], "day") <= found.last


def test_the_last_periods_are_shown_by_default(published: Home):
    """As many as the report says, to the newest one that is published."""
    made = table_of(of(published, "access_overview"), "requests")
    assert (made.first, made.last) == (LAST - timedelta(days=27), LAST)
    assert made.rows.num_rows == 27
    assert MISSING not in made.rows["period_start"].to_pylist()
    weeks = table_of(of(published, "access_overview", period="week"), "requests")
    assert weeks.rows.num_rows == DAYS // 7 + 1
    typos = table_of(of(published, "mistyped_mail_domains"), "typos")
    assert typos.first == date(2026, 4, 6)
    assert typos.last == date(2026, 5, 31)


def test_tables_of_other_periods_have_the_days_of_the_first(published: Home, tmp_path: Path):
    """Six months of steps, and the weeks that these are in, whole."""
    home = Home(Path(shutil.copytree(published.path, tmp_path / "home", symlinks=True)))
    marts = ("challenge_performance", "challenge_performance_weekly")
    until = {
        mart: [r for r in rows_of(home, mart) if f"{r['period_start']}" < "2026-05"]
        for mart in marts
    }
    write_release(home, until, "r2")
    made = of(home, "challenge", where=["challenge=challenge-a"])
    days = {found.table.name: (found.period, found.first, found.last) for found in made.tables}
    assert days == {
        "steps": ("month", date(2025, 11, 1), date(2026, 4, 30)),
        "winners": ("month", date(2025, 11, 1), date(2026, 4, 30)),
        "weeks_of_one": ("week", date(2025, 10, 27), date(2026, 5, 3)),
    }


def test_what_is_withheld_is_said(published: Home):
    """Each as its mart does it: merged, left out, or, of our own services, not at all."""
    said = {
        "wallet_distribution": "fewer than k = 10 people is merged into Other or left out.",
        "user_progression": "fewer than k = 10 people is left out.",
        "platform_health": "What is about our own services is told however little it is",
    }
    for name, words in said.items():
        assert words in of(published, name).tables[0].withheld


def test_bands_are_in_the_order_of_the_seed(dice: random.Random):
    """Of any one set of them, mixed with numbers of months and words."""
    with (PROJECT / "seeds" / "amount_buckets.csv").open(encoding="utf-8", newline="") as seed:
        sets: dict[str, list[str]] = defaultdict(list)
        for row in csv.DictReader(seed):
            sets[row["bucket_set"]].append(row["label"])
    sets["numbers"] = [str(number) for number in range(12)]
    sets["words"] = ["Other", "none", "open_lab", "unknown"]
    for labels in sets.values():
        assert sorted(dice.sample(labels, len(labels)), key=figures.in_order) == labels


def test_a_filter_leaves_the_rest_out(published: Home):
    """Of the tables that have it; those that do not are left out, and named."""
    made = of(published, "access_overview", where=["domain=promo.example", "action=login"])
    assert [found.table.name for found in made.tables] == ["requests"]
    assert made.left_out == ("Response times",)
    rows = [
        row
        for row in rows_of(published, "attempts_daily")
        if (row["domain"], row["action"]) == ("promo.example", "login") and row["status"] != "test"
    ]
    days = made.tables[0].rows.to_pylist()
    assert sum(day["attempts"] for day in days) == sum(
        row["attempts"] for row in rows if row["period_start"] > LAST - timedelta(days=28)
    )
    nothing = of(published, "access_overview", where=["country='; drop table x; --"])
    assert [found.rows.num_rows for found in nothing.tables] == [0, 0]


def test_a_period_that_a_table_does_not_have_leaves_it_out(published: Home):
    made = of(published, "access_overview", period="month")
    assert [found.table.name for found in made.tables] == ["requests"]
    assert made.left_out == ("Response times",)


def test_all_figures_are_of_one_release(published: Home, tmp_path: Path):
    """It says which, and is made of it alone, though the next one is there before it is read."""
    home = Home(Path(shutil.copytree(published.path, tmp_path / "home", symlinks=True)))
    report = report_of("access_overview")
    read = figures._figures
    done: list[str] = []

    def swapped(*arguments: Any) -> Figures:
        if not done:
            marts = ("attempts_daily", "response_times_daily")
            other = {mart: [row | {"attempts": 1} for row in rows_of(home, mart)] for mart in marts}
            write_release(home, other, "r2")
        done.append("")
        return read(*arguments)

    figures._figures = swapped
    try:
        made = make(home, report, asked(report))
    finally:
        figures._figures = read
    assert made.release_id == "r1"
    assert {row["attempts"] for row in made.tables[1].rows.to_pylist()} != {1}
    assert make(home, report, asked(report)).release_id == "r2"


def test_a_mart_that_is_not_published_is_named(published: Home, tmp_path: Path):
    home = Home(Path(shutil.copytree(published.path, tmp_path / "home", symlinks=True)))
    (home.published / "current" / "registration_funnel_daily.parquet").unlink()
    with pytest.raises(ReportError, match="METRIC_NOT_FOUND: release r1 has no mart registration_"):
        of(home, "registration_funnel")


def test_a_file_that_is_damaged_is_an_error_of_the_query(published: Home, tmp_path: Path):
    home = Home(Path(shutil.copytree(published.path, tmp_path / "home", symlinks=True)))
    (home.published / "current" / "registration_funnel_daily.parquet").write_bytes(b"nothing")
    with pytest.raises(ReportError, match="ANALYTICS_QUERY_FAILED: the published gold could not"):
        of(home, "registration_funnel")
