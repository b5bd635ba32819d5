"""What `reports/<name>.yml` may say, and reading it. docs/reports.md explains it to who writes one.

A report is one or more tables, each of one mart. What is declared is checked when it is read: its
shape here, its columns against the contract of the mart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from loaders.gold.marts import MartColumn, columns_of
from loaders.project import PROJECT
from loaders.reports.errors import NOT_FOUND, NOT_MADE, ReportError
from loaders.reports.schema import PERIODS, REPORT

FOLDER = PROJECT / "reports"
PERIOD = "period_start"  # what the column is called in every report

# Days add up to weeks and to months, weeks to nothing.
_COARSER = {
    "hour": ("hour", "day", "week", "month"),
    "day": ("day", "week", "month"),
    "week": ("week",),
    "month": ("month",),
}


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure of a table, in a unit; of the unit `share`, 1 is shown as 100%.

    `sum` adds a column up, and is for counts that add up; `ratio` divides two sums; `value` takes a
    column as it is, and is null where more than one row of the mart would have to be put together.
    """

    name: str
    title: str
    unit: str
    sum: str | None = None
    ratio: tuple[str, str] | None = None
    value: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the mart that it is made of."""
        return self.ratio or tuple(c for c in (self.sum, self.value) if c)


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture of a table.

    `line` and `columns` go by period, with a line or stack for each of `y` or each value of
    `series`; `ranking` has a bar for each value of `x`, of the last period or of `all`. `top` are
    the greatest by `top_by`, `facet` gives each value of a column a small chart of its own, with
    `own_scales` where the figures of one are not to be set against those of another.
    """

    title: str
    kind: str
    y: tuple[str, ...]
    x: tuple[str, ...] = ()
    series: str | None = None
    facet: str | None = None
    own_scales: bool = False
    top: int | None = None
    top_by: str | None = None
    over: str = "last"


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a report: rows of one mart by period and the columns `by`.

    `grain` is the period that a row of the mart stands for; where the mart has several, `grains`,
    the column `grain_column` says which. `period_title` says what happened then, where it is not
    what is counted. `where` is a condition that always holds. A report about one thing `needs` to
    be told which.
    """

    name: str
    title: str
    mart: str
    period: str
    measures: tuple[Measure, ...]
    text: str = ""
    grain: str | None = None
    grain_column: str | None = None
    grains: tuple[str, ...] = ()
    period_title: str = ""
    by: tuple[str, ...] = ()
    where: str = "true"
    filters: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    charts: tuple[Chart, ...] = ()

    @property
    def periods(self) -> tuple[str, ...]:
        """The periods that it can be shown by, its own first."""
        if self.grain is None:
            return self.grains
        add_up = all(measure.value is None for measure in self.measures)
        return _COARSER[self.grain] if add_up else (self.grain,)

    @property
    def columns(self) -> dict[str, MartColumn]:
        """The columns of the mart."""
        return columns_of(self.mart)


@dataclass(frozen=True, slots=True)
class Report:
    """A report as it is declared. `shown` is how many of the last periods it has by default.

    One with the `audience` partner is made of what one partner may read, and of nothing else.
    """

    name: str
    title: str
    text: str
    shown: int
    tables: tuple[Table, ...] = field(default_factory=tuple)
    audience: str = "internal"

    @property
    def is_for_partners(self) -> bool:
        """Whether it is about one partner, which has to be named."""
        return self.audience == "partner"

    @property
    def periods(self) -> tuple[str, ...]:
        """The periods that any of its tables can be shown by."""
        return tuple(p for p in PERIODS if any(p in table.periods for table in self.tables))

    @property
    def filters(self) -> tuple[str, ...]:
        """The columns that any of its tables can be filtered by."""
        return tuple(dict.fromkeys(f for table in self.tables for f in table.filters))


def report_of(name: str, folder: Path = FOLDER) -> Report:
    """A report by its name, also with hyphens. Raises ReportError that lists those there are."""
    name = name.replace("-", "_")
    there = sorted(path.stem for path in folder.glob("*.yml"))
    if name not in there:
        raise ReportError(NOT_FOUND, f"no report of that name. There are: {', '.join(there)}.")
    return _read(folder / f"{name}.yml")


def read_reports(folder: Path = FOLDER) -> list[Report]:
    """Every report that is declared."""
    return [_read(path) for path in sorted(folder.glob("*.yml"))]


@cache
def _read(path: Path) -> Report:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise _wrong(path, f"not valid YAML ({type(error).__name__})") from None
    fault = next(iter(Draft202012Validator(REPORT).iter_errors(document)), None)
    if fault is not None:
        place = ".".join(map(str, fault.absolute_path)) or "the file"
        raise _wrong(path, f"{place}: {fault.message}")
    report = Report(
        name=path.stem,
        title=document["title"],
        text=" ".join(document["text"].split()),
        shown=document["shown"],
        tables=tuple(_table(entry) for entry in document["tables"]),
        audience=document.get("audience", "internal"),
    )
    for table in report.tables:
        unknown = sorted(_named(table) - set(table.columns))
        if unknown:
            raise _wrong(path, f"mart {table.mart} has no column {', '.join(unknown)}")
        shown = {PERIOD, *table.by, *(measure.name for measure in table.measures)}
        drawn = {c for chart in table.charts for c in _drawn(chart)}
        if drawn - shown:
            raise _wrong(path, f"a chart shows {', '.join(sorted(drawn - shown))}, no column here")
        for chart in table.charts:
            if not _is_drawable(table, chart):
                raise _wrong(path, f"the chart {chart.title} would add up what does not add up")
    return report


def _table(entry: dict[str, Any]) -> Table:
    known = {k: v for k, v in entry.items() if k not in ("period", "measures", "charts", "text")}
    return Table(
        **_frozen(known),
        text=" ".join(entry.get("text", "").split()),
        period=entry["period"]["column"],
        period_title=entry["period"].get("title", ""),
        **_frozen({k: v for k, v in entry["period"].items() if k.startswith("grain")}),
        measures=tuple(Measure(**_frozen(measure)) for measure in entry["measures"]),
        charts=tuple(Chart(**_frozen(chart)) for chart in entry.get("charts", [])),
    )


def _named(table: Table) -> set[str]:
    """The columns of the mart that a table names, but for those in its `where`."""
    grain = {table.grain_column} if table.grain_column else set()
    measured = {column for measure in table.measures for column in measure.columns}
    return {table.period, *grain, *table.by, *table.filters, *table.needs, *measured}


def _drawn(chart: Chart) -> set[str]:
    others = (chart.series, chart.facet, chart.top_by)
    return {*chart.x, *chart.y, *(column for column in others if column)}


def _is_drawable(table: Table, chart: Chart) -> bool:
    """Whether a mark of a chart stands for one row, or for several whose figures add up."""
    apart = {column for column in (chart.series, chart.facet, *chart.x) if column}
    is_one_row = set(table.by) <= apart and not (chart.kind == "ranking" and chart.over == "all")
    adds_up = all(m.sum for m in table.measures if m.name in chart.y) and chart.kind != "line"
    return is_one_row or adds_up


def _frozen(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(v) if isinstance(v, list) else v for key, v in entry.items()}


def _wrong(path: Path, why: str) -> ReportError:
    return ReportError(NOT_MADE, f"{path.name}: {why}. Mend the file.")
