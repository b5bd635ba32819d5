"""`assay dashboards check`: what is declared is whole; what is not is refused by file and line."""

from __future__ import annotations

import json
import random
import re
from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import PROJECT, Demo
from gold import published
from planted import GOOD, line_of, plant

from loaders.cli import main
from loaders.dashboards.check import check, newest, opened, sql_of
from loaders.dashboards.declared import Dashboard, read_dashboard, read_dashboards
from loaders.dashboards.errors import DashboardError
from loaders.dashboards.sql import Engine, filters_in, marts_in
from loaders.home import Home

__all__ = ["published"]
DASHBOARDS = read_dashboards()
# Nobody has asked for anything yet that the audit log keeps.
OF_THE_LOG = ["compliance/audited", "compliance/logs"]


def problems(home: Home, file: Path) -> list[str]:
    """What check says of one file."""
    return [str(problem) for problem in check(home, [read_dashboard(file)]).problems]


def test_every_dashboard_passes_and_shows_something(published: Home) -> None:
    done = check(published, DASHBOARDS)
    assert [str(problem) for problem in done.problems] == []
    assert done.empty == OF_THE_LOG
    assert done.dashboards == len(list((PROJECT / "metabase").glob("*.yml")))
    assert done.runs > 5 * done.queries


def test_the_command_says_the_same(published: Home, tmp_path: Path) -> None:
    plant(tmp_path / "good")
    command = ["dashboards", "check", "--home", str(published.path), "--json", "--folder"]
    good = CliRunner().invoke(main, [*command, str(tmp_path / "good")])
    assert good.exit_code == 0, good.output
    assert json.loads(good.output)["problems"] == []
    file = plant(tmp_path / "bad", "sum(attempts)", "sum(atempts)")
    bad = CliRunner().invoke(main, [*command, str(tmp_path / "bad")])
    assert bad.exit_code == 1
    (problem,) = json.loads(bad.output)["problems"]
    assert problem.startswith(f"small.yml:{line_of(file, 'atempts')}: DASHBOARD_INVALID: total:")


# What is planted, on which line it is told, and what is said.
PLANTED = {
    "a misspelled column": ("sum(attempts)", "sum(atempts)", "atempts", "atempts"),
    "a misspelled column of a model": ("sum: attempts", "sum: atempts", "model:", "atempts"),
    "a filter that is never used": (
        "  domain: {",
        "  country: {title: Country, type: text}\n  domain: {",
        "country:",
        "no card uses the filter country",
    ),
    "a function of DuckDB": (
        "cast(sum(attempts) as int64)",
        "list_sum(list(attempts))",
        "list_sum",
        "may mean something else on BigQuery",
    ),
    "a cast of DuckDB": (
        "cast(sum(attempts) as int64)",
        "sum(attempts)::int64",
        "::int64",
        "write cast",
    ),
    "a type of DuckDB": ("as int64", "as bigint", "as bigint", "bigint is no type of both"),
    "a mart that is not there": ("'attempts_daily'", "'attempts_dayly'", "dayly", "no mart"),
    "a silver model": (
        "'attempts_daily'",
        "'stg_access__attempts'",
        "stg_access",
        "no mart stg_access__attempts in gold",
    ),
    "a filter that is not declared": (
        "  domain: {title: Domain, type: text}\n",
        "",
        "select cast",
        "no filter domain",
    ),
    "a filter of another type": (
        "filter('domain', 'domain')",
        "filter('domain', 'attempts')",
        "select cast",
        "no text",
    ),
    "people that are added up": ("sum: attempts", "sum: subjects", "model:", "does not add up"),
    "two rows of one x": ("    by: status\n", "", "model:", ""),
    "y that is not in the answer": ("as requests\n", "as enquiries\n", "select cast", "no column"),
    "a figure of a table without a unit": (
        "    show: number\n    unit: requests\n    y: requests\n",
        "    show: table\n",
        "select cast",
        "requests has no unit",
    ),
    "an alert that breaks": ("sum(errors) as", "sum(erors) as", "erors", "erors"),
    "a default that is none": ("past7days~", "yesterday", "yesterday", "a default of days"),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_what_is_wrong_is_told_by_file_and_line(published: Home, tmp_path: Path, fault: str):
    old, new, where, what = PLANTED[fault]
    file = plant(tmp_path, old, new)
    if fault == "two rows of one x":  # as they are, not added up
        file.write_text(file.read_text().replace("sum: attempts", "y: attempts"), encoding="utf-8")
    found = problems(published, file)
    assert found
    assert found[0].startswith(f"small.yml:{line_of(file, where)}: DASHBOARD_INVALID: "), found
    assert what in found[0]
    assert "\n" not in found[0]


# Refused when the file is read.
MALFORMED = {
    "no YAML": ("title: Small", "title: [", "collection:"),
    "a key twice": ("access:", "title: Again\naccess:", "title: Again"),
    "an unknown key": ("title: Small", "titel: Small", "dashboard:"),
    "no such picture": ("show: line", "show: pie", "show: pie"),
    "a card in no row": ("  - [total, by_day:3]", "  - [total]", "by_day:"),
    "a row of no card": ("by_day:3", "by_week:3", "by_week"),
    "no unit": ("    unit: requests\n    model", "    model", "by_day:"),
    "an alert without a rhythm": ("    every: hour\n", "", "storm:"),
}


@pytest.mark.parametrize("fault", MALFORMED)
def test_a_malformed_file_is_refused_when_it_is_read(tmp_path: Path, fault: str):
    old, new, where = MALFORMED[fault]
    file = plant(tmp_path, old, new)
    with pytest.raises(DashboardError) as error:
        read_dashboard(file)
    assert str(error.value).startswith(f"small.yml:{line_of(file, where)}: DASHBOARD_INVALID: ")


def test_a_slug_is_there_once(tmp_path: Path):
    plant(tmp_path, name="one")
    plant(tmp_path, name="two")
    with pytest.raises(DashboardError, match=r"^two\.yml:1: .*one\.yml has the slug small, too"):
        read_dashboards(tmp_path)


def test_the_faults_are_faults_of_this_dashboard(published: Home, tmp_path: Path):
    """Without one there is none."""
    assert problems(published, plant(tmp_path)) == []


def test_partners_read_what_is_for_partners(published: Home, tmp_path: Path):
    file = plant(tmp_path)
    file.write_text(GOOD.replace("access:", "for_each: partner\naccess:"), encoding="utf-8")
    assert all("is not for partners" in problem for problem in problems(published, file))


def of(slug: str) -> Dashboard:
    return next(dashboard for dashboard in DASHBOARDS if dashboard.slug == slug)


def test_registration_errors_fire_in_the_planted_hour_and_in_no_other(published: Home):
    """Asked in each hour of the demo, at twenty past. The recount is of the mart's own rows."""
    access = of("access")
    alert = access.alerts["registration_errors"]
    with opened(published, access) as gold:
        hours = gold.execute(
            "select period_start, max(errors) as most from ("
            "select period_start, domain, sum(errors) as errors from gold.attempts_hourly "
            "where action = 'signup' group by 1, 2) group by 1 order by 1"
        ).fetchall()
        first, last = hours[0][0], newest(gold, access) + timedelta(days=1)
        told = []
        hour = first
        while hour < last:
            now = hour + timedelta(hours=1, minutes=20)
            if rows := gold.execute(sql_of(alert, Engine("duckdb", "gold", now), {})).fetchall():
                told.append((hour, {row[0] for row in rows}))
            hour += timedelta(hours=1)
    storms = [hour for hour, most in hours if most > 100]
    assert len(storms) == 1
    assert told == [(storms[0], {storms[0]})]


# What the demo plants, and what comes of it: what is handed in is rewarded a day later.
OF_PATTERNS = {
    ("submissions", "submission_spike"): {"spike": (0,)},
    ("users", "engagement_drop"): {"drop": (0,)},
    ("wallet", "reward_burst"): {"burst": (0,), "spike": (1,)},
}


@pytest.mark.parametrize(("slug", "name"), OF_PATTERNS)
def test_alerts_of_patterns_fire_on_planted_days_and_on_no_other(
    published: Home, demo: Demo, slug: str, name: str
):
    """Asked on each morning of six weeks, before which there is nothing to compare with."""
    planted = json.loads((demo.home.path / "demo" / "answer_key.json").read_text(encoding="utf-8"))
    days = planted["platform_events"]["planted"]
    expected = {
        date.fromisoformat(days[pattern]) + timedelta(days=later)
        for pattern, delays in OF_PATTERNS[slug, name].items()
        for later in delays
    }
    told = set()
    with opened(published, of(slug)) as gold:
        last = newest(gold, of(slug))
        for back in range(42):
            now = last - timedelta(days=back) + timedelta(hours=9)
            sql = sql_of(of(slug).alerts[name], Engine("duckdb", "gold", now), {})
            if gold.execute(sql).fetchall():
                told.add(now.date() - timedelta(days=1))
    assert told == expected


@pytest.mark.parametrize("name", ["nothing_landed", "stale_gold"])
def test_an_alert_of_no_rows_fires_where_there_are_none(published: Home, name: str):
    """Days after the demo was landed, and not on the day itself."""
    operations = of("operations")
    alert = operations.alerts[name]
    with opened(published, operations) as gold:
        landed = gold.execute("select max(updated_at) from gold.pipeline_health").fetchone()[0]
        if name == "nothing_landed":
            (day,) = gold.execute("select max(period_start) from gold.loss_ledger").fetchone()
            landed = landed.replace(year=day.year, month=day.month, day=day.day)
        for days, rows in ((0, []), (3, [("no rows",)])):
            engine = Engine("duckdb", "gold", landed + timedelta(days=days))
            assert gold.execute(sql_of(alert, engine, {})).fetchall() == rows


@pytest.mark.parametrize("days", [28, 0])
def test_a_filter_leaves_what_was_chosen(published: Home, dice: random.Random, days: int):
    """What a filter becomes, recounted on all rows in Python."""
    access = of("access")
    card = access.cards["registered"]
    with opened(published, access) as gold:
        rows = gold.execute(
            "select period_start, domain, action, registered from gold.attempt_errors_daily"
        ).fetchall()
        day = dice.choice(sorted({row[0] for row in rows}))
        domain = dice.choice(sorted({row[1] for row in rows}))
        chosen = {"period": (day - timedelta(days=days), day), "domain": (domain,)}
        sql = sql_of(card, Engine("duckdb", "gold", newest(gold, access)), chosen)
        (found,) = gold.execute(sql).fetchone()
    expected = [
        row[3]
        for row in rows
        if day - timedelta(days=days) <= row[0] <= day and row[1] == domain and row[2] == "signup"
    ]
    assert (found or 0) == sum(expected)


def test_alerts_are_those_that_were_asked_for():
    """Each is of a mart that is there."""
    alerts = {name for dashboard in DASHBOARDS for name in dashboard.alerts}
    asked = """registration_errors rate_limit_storm stale_gold freshness completeness
        ledger_imbalance reward_burst submission_spike engagement_drop deposit_success_drop
        webhook_lag provider_silent"""
    assert set(asked.split()) <= alerts


def test_every_card_says_what_it_is():
    """A title, and a unit for each figure that is drawn; titles are there once."""
    for dashboard in DASHBOARDS:
        titles = [card.title for card in dashboard.cards.values()]
        assert len(set(titles)) == len(titles), dashboard.slug
        for card in dashboard.cards.values():
            assert set(card.y) <= card.units.keys(), card.slug
            assert not re.search(r"\.$", card.title), card.slug
            is_of_now = marts_in(card.sql) == ["pipeline_health"]
            assert filters_in(card.sql) or card.show == "table" or is_of_now, card.slug
