"""Every report that is declared can be made of the marts as their contracts are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from made_up import keys_of, pinned

from loaders.gold.audiences import partner_marts
from loaders.reports.declared import FOLDER, Measure, Report, Table, read_reports, report_of
from loaders.reports.errors import ReportError

REPORTS = read_reports()
DECLARED = {report.name: report for report in REPORTS}
EACH = [(report, table) for report in REPORTS for table in report.tables]
# Figures that are not the sum of those of their parts.
NEVER_SUMMED = re.compile(r"^p\d+_|_rate$|^share$|_percent$|^subjects$|^(dau|wau|mau)")


def not_additive(table: Table, measure: Measure) -> list[str]:
    """Columns that a measure adds up though they count people, or are no counts at all."""
    if measure.value:
        return []
    return [
        column
        for column in measure.columns
        if NEVER_SUMMED.search(column)
        or table.columns[column].description.startswith("Distinct")
        or table.columns[column].data_type not in ("int64", "float64")
    ]


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.name)
def test_a_report_says_what_it_is(report: Report):
    """Title and text, a chart for each table, and names that are its own."""
    assert report.title
    assert report.text.endswith(".")
    assert len({table.name for table in report.tables}) == len(report.tables)
    for table in report.tables:
        assert table.charts, table.name
        assert table.columns, f"no mart {table.mart}"
        assert len({measure.name for measure in table.measures}) == len(table.measures)
        assert set(table.needs) <= set(table.filters)
        if report.is_for_partners:
            assert table.mart in partner_marts()


@pytest.mark.parametrize(("report", "table"), EACH, ids=[f"{r.name}-{t.name}" for r, t in EACH])
def test_nothing_is_added_up_that_does_not_add_up(report: Report, table: Table):
    """People, medians and rates are shown as the mart has them."""
    assert {m.name: not_additive(table, m) for m in table.measures if not_additive(table, m)} == {}


@pytest.mark.parametrize(("report", "table"), EACH, ids=[f"{r.name}-{t.name}" for r, t in EACH])
def test_a_value_is_that_of_one_row(report: Report, table: Table):
    """Where a figure is shown as it is, the table has all that names a row of the mart.

    What its `where` leaves one value of is named by that. What depends on the rest, such as the
    suggestion on the typed domain, may be there too.
    """
    if any(measure.value for measure in table.measures):
        shown = {table.period, *table.by, *table.needs, *pinned(table)}
        shown |= {table.grain_column} if table.grain_column else set()
        shown |= {"partner_id_hash"} if report.is_for_partners else set()
        assert set(keys_of(table.mart)) <= shown


def written(folder: Path, **changes: Any) -> Path:
    """The overview with its first table changed, in a folder."""
    document = yaml.safe_load((FOLDER / "access_overview.yml").read_text(encoding="utf-8"))
    document["tables"][0] |= changes
    (folder / "changed.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return folder


MEASURE = {"name": "n", "title": "N", "unit": "requests"}
FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "a mart that is none": ({"mart": "atempts"}, "mart atempts has no column"),
    "a column that is none": ({"by": ["cuntry"]}, "mart attempts_daily has no column cuntry"),
    "a filter that is none": ({"filters": ["cuntry"]}, "has no column cuntry"),
    "a measure of no column": ({"measures": [MEASURE | {"sum": "x"}]}, "has no column x"),
    "a measure of two kinds": (
        {"measures": [MEASURE | {"sum": "attempts", "value": "attempts"}]},
        "tables.0.measures.0",
    ),
    "a chart of what is not shown": (
        {"charts": [{"title": "T", "kind": "line", "y": ["p50_ms"]}]},
        "a chart shows p50_ms, no column here",
    ),
    "a line of several rows": (
        {"by": ["country"], "charts": [{"title": "T", "kind": "line", "y": ["attempts"]}]},
        "would add up what does not add up",
    ),
    "columns that add rates up": (
        {"by": ["country"], "charts": [{"title": "T", "kind": "columns", "y": ["error_rate"]}]},
        "would add up what does not add up",
    ),
    "a key that nobody knows": ({"colour": "red"}, "'colour' was unexpected"),
    "no grain": ({"period": {"column": "period_start"}}, "tables.0.period"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_said_in_one_line(tmp_path: Path, fault: str):
    """File and place, with the code."""
    changes, expected = FAULTS[fault]
    with pytest.raises(ReportError) as found:
        report_of("changed", written(tmp_path, **changes))
    said = str(found.value)
    assert said.startswith("REPORT_GENERATION_ERROR: changed.yml: ")
    assert expected in said
    assert said.endswith("Mend the file.")
    assert "\n" not in said


def test_a_file_that_is_no_yaml_is_said(tmp_path: Path):
    (tmp_path / "broken.yml").write_text("title: [", encoding="utf-8")
    with pytest.raises(ReportError, match=r"broken.yml: not valid YAML \(ParserError\)"):
        report_of("broken", tmp_path)


def test_people_that_are_added_up_are_seen():
    """The guard can fail: a count of people, a median, a rate and a word."""
    funnel, times = DECLARED["registration_funnel"].tables[0], DECLARED["access_overview"].tables[1]
    for table, column in (
        (funnel, "visitors"),
        (times, "p50_ms"),
        (funnel, "registration_rate"),
        (funnel, "domain_kind"),
    ):
        assert not_additive(table, Measure("n", "N", "people", sum=column)) == [column]
    assert not_additive(times, Measure("n", "N", "requests", sum="attempts")) == []
