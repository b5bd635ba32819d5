"""A report as a page: one file of HTML with its charts in it, that loads and runs nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from loaders.reports.charts import Drawn, draw
from loaders.reports.declared import FOLDER, Chart, Table
from loaders.reports.figures import Column, Figures, Made

_NAME = re.compile(r"`(\w+)`")
_NO_FIGURE = "\N{EN DASH}"


@dataclass(frozen=True, slots=True)
class _Shown:
    """A table as the page shows it: its charts, and its rows as text."""

    table: Table
    period: str
    days: str
    columns: tuple[Column, ...]
    charts: list[tuple[Chart, Drawn | None]]
    rows: list[list[tuple[Column, str]]]
    withheld: str


def page(made: Made) -> bytes:
    """The page of a report. Raises ReportError where charts cannot be drawn."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["moment"] = _moment
    tables = [_shown(figures) for figures in made.tables]
    first = min((t.first for t in made.tables if t.first), default=None)
    last = max((t.last for t in made.tables if t.last), default=None)
    template = environment.get_template("page.html")
    return template.render(made=made, days=_days(first, last), tables=tables).encode()


def _shown(figures: Figures) -> _Shown:
    drawings = [
        (chart, draw(figures, chart, f"{figures.table.name}{number}"))
        for number, chart in enumerate(figures.table.charts)
    ]
    return _Shown(
        figures.table,
        figures.period,
        _days(figures.first, figures.last),
        tuple(replace(c, description=_in_words(c, figures.columns)) for c in figures.columns),
        [(chart, _markup(drawn) if drawn else None) for chart, drawn in drawings],
        [
            [
                (column, _text(column, row[column.name], figures.period))
                for column in figures.columns
            ]
            for row in figures.rows.to_pylist()
        ],
        figures.withheld,
    )


def _in_words(column: Column, columns: tuple[Column, ...]) -> str:
    """What a column means; others are named there as the page names them."""
    titles = {other.name: other.title for other in columns}
    return _NAME.sub(lambda name: titles.get(name[1], name[1]), column.description)


def _markup(drawn: Drawn) -> Drawn:
    return Drawn(Markup(drawn.svg), drawn.note)  # noqa: S704 - Vega has escaped what is data


def _text(column: Column, value: Any, period: str) -> str:
    if value is None:
        return _NO_FIGURE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M}"
    if isinstance(value, date):
        return f"{value:%Y-%m}" if period == "month" else value.isoformat()
    if column.unit == "share":
        if 0 < value < 0.0005 or 0.9995 <= value < 1:  # is not said to be nothing, or all
            return f"{min(max(value, 0.00001), 0.99999):.3%}"
        return f"{value:.1%}"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if column.unit else str(value)


def _days(first: date | None, last: date | None) -> str:
    if last is None:
        return "no day"
    return f"{first or 'the first day'} to {last}, in UTC"


def _moment(value: datetime) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
