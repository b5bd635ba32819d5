"""Charts as SVG, drawn by Vega-Lite: a page shows them without a script and without a network.

A line is told apart by its colour and by its dash, so that it can be on paper without colour, too.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from html import escape
from typing import Any

from loaders.reports.asked import back
from loaders.reports.declared import PERIOD, Chart, Measure
from loaders.reports.errors import NOT_MADE, ReportError
from loaders.reports.figures import Figures, in_order

Row = dict[str, Any]
Specification = dict[str, Any]
Moment = date | datetime

WIDTH = 800  # of a plot, in pixels; a page scales it
_SPACING = 24
_WIDEST_BAR = 64
VEGA_LITE = "6.4"
_FORMATS = {"hour": "%d %b %H:%M", "day": "%d %b", "week": "%d %b", "month": "%b %Y"}
_LABELS = {"hour": 8, "day": 12, "week": 12, "month": 9}  # that have room along a plot
# Told apart by people who see few colours; each is dark enough on white.
COLOURS = ["#0a5c9e", "#c2410c", "#15803d", "#7e22ce", "#525252", "#a16207", "#be185d", "#0e7490"]
DASHES = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [12, 4], [4, 4], [1, 3], [10, 2, 2, 2]]
_FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
CONFIG = {
    "font": _FONT,
    "background": "#ffffff",
    "view": {"stroke": None},
    "axis": {
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelColor": "#262626",
        "titleColor": "#262626",
        "gridColor": "#e5e5e5",
        "domainColor": "#737373",
        "tickColor": "#737373",
        "labelLimit": 700,
        "titlePadding": 12,
    },
    "legend": {
        "orient": "bottom",
        "title": None,
        "labelFontSize": 12,
        "labelLimit": 700,
        "labelColor": "#262626",
        "columns": 4,
        "columnPadding": 32,  # a reader's font may be wider than ours
    },
    "header": {"title": None, "labelFontSize": 13, "labelAnchor": "start", "labelLimit": 700},
    "range": {"category": COLOURS},
}


@dataclass(frozen=True, slots=True)
class Drawn:
    """A chart as an SVG element, and a note where it does not show all that is in the table."""

    svg: str
    note: str = ""


def draw(figures: Figures, chart: Chart, number: str) -> Drawn | None:
    """Draw a chart of a table; None where there is nothing to draw.

    `number` sets its ids apart from those of other charts of a page. Raises ReportError where the
    library is not installed.
    """
    try:
        import vl_convert  # noqa: PLC0415 - only who draws
    except ImportError:
        raise ReportError(
            NOT_MADE,
            "a page needs a library that is not installed. "
            "Run: pip install 'assay-lakehouse[report]', or choose another --format.",
        ) from None
    rows = [row for row in figures.rows.to_pylist() if any(row[y] is not None for y in chart.y)]
    if not rows:
        return None
    greatest, note = _greatest(rows, chart)
    measures = [m for name in chart.y for m in figures.table.measures if m.name == name]
    for measure in measures:
        if all(row[measure.name] is None for row in greatest):
            note += f" {measure.title}: no figure is shown."
    if any(row.get("is_complete") is False for row in greatest):
        note += f" The last {figures.period} is not over."
    if chart.kind == "ranking":
        specification = _ranking(greatest, chart, measures[0])
    else:
        specification = _by_period(greatest, chart, measures, figures)
    text = json.dumps({"config": CONFIG, **specification})
    svg = vl_convert.vegalite_to_svg(text, vl_version=VEGA_LITE)
    return Drawn(
        embedded(svg, f"{chart.title}. The figures are in the table.", number), note.strip()
    )


def _greatest(rows: list[Row], chart: Chart) -> tuple[list[Row], str]:
    """The rows of the greatest values of a series, and a note where there are others."""
    if not chart.series:
        return rows, ""
    most = min(chart.top or len(COLOURS), len(COLOURS))
    totals: dict[str, float] = {}
    for row in rows:
        weight = row[chart.top_by or chart.y[0]] or 0
        totals[row[chart.series]] = totals.get(row[chart.series], 0) + weight
    kept = sorted(totals, key=lambda value: (-totals[value], str(value)))[:most]
    note = f"{len(kept)} of {len(totals)} are drawn." if len(kept) < len(totals) else ""
    return [row for row in rows if row[chart.series] in kept], note


def _by_period(
    rows: list[Row], chart: Chart, measures: list[Measure], figures: Figures
) -> Specification:
    """Lines or columns along the periods, one for each measure or each value of the series."""
    period = figures.period
    titles = {measure.name: measure.title for measure in measures}
    points = [
        {
            "period": row[PERIOD],
            "line": str(row[chart.series]) if chart.series else titles[name],
            "facet": str(row[chart.facet]) if chart.facet else "",
            "value": row[name],
        }
        for row in rows
        for name in chart.y
    ]
    lines = list(dict.fromkeys(point["line"] for point in points))
    if chart.series:
        lines.sort(key=in_order)
    is_line = chart.kind == "line"
    legend: Specification = {
        "symbolType": "stroke" if is_line else "square",
        "symbolSize": 500 if is_line else 150,
    }
    series = [c for c in figures.columns if c.name == chart.series and c.data_type == "int64"]
    if series:  # a number says nothing by itself
        legend["title"] = series[0].title
    by_line: Specification = {
        "field": "line",
        "type": "nominal",
        "legend": legend if chart.series or len(lines) > 1 else None,
    }
    facets = sorted({point["facet"] for point in points}, key=in_order)
    columns = 3 if len(facets) in (3, 5, 6) else min(2, len(facets))
    width = (WIDTH - _SPACING * (columns - 1)) // columns
    labels = _LABELS[period] // columns
    drawn = (
        _lines(points, period, labels)
        if is_line
        else _columns(points, lines, period, labels, width)
    )
    drawn["encoding"]["x"]["axis"]["title"] = f"{figures.columns[0].title.lower()} (UTC)"
    drawn["encoding"] |= {
        "y": _figure_axis(measures),
        "color": by_line | {"scale": {"domain": lines, "range": COLOURS}},
    }
    if is_line:
        drawn["encoding"]["strokeDash"] = by_line | {"scale": {"domain": lines, "range": DASHES}}
    data = drawn.pop("data")
    if not chart.facet:
        return {"data": data, "width": WIDTH, "height": 240, **drawn}
    return {
        "data": data,
        "facet": {"field": "facet", "type": "nominal", "sort": facets},
        "columns": columns,
        "spacing": _SPACING,
        "spec": {"width": width, "height": 170, **drawn},
        "resolve": {"scale": {"y": "independent" if chart.own_scales else "shared"}},
    }


def _lines(points: list[Row], period: str, labels: int) -> Specification:
    points = _with_gaps(points, period)
    moments = sorted({_milliseconds(point["period"]) for point in points})
    axis = {
        "format": _FORMATS[period],
        "values": _some(moments, labels),
        "labelFlush": False,
        "grid": False,
    }
    values = [point | {"period": _milliseconds(point["period"])} for point in points]
    return {
        "data": {"values": values},
        "mark": {"type": "line", "strokeWidth": 2, "point": {"size": 28}},
        "encoding": {
            "x": {
                "field": "period",
                "type": "temporal",
                "scale": {"type": "utc", "padding": 48 if period == "hour" else 24},
                "axis": axis,
            }
        },
    }


def _columns(
    points: list[Row], lines: list[str], period: str, room: int, width: int
) -> Specification:
    labels = {p: f"{p:{_FORMATS[period]}}" for p in sorted({point["period"] for point in points})}
    axis = {
        "values": _some([*labels.values()], room),
        "labelAngle": 0,
    }
    totals: dict[tuple[str, str, str], float] = {}
    for point in points:
        key = (labels[point["period"]], point["line"], point["facet"])
        totals[key] = totals.get(key, 0) + (point["value"] or 0)
    return {
        "data": {
            "values": [
                {
                    "period": label,
                    "line": line,
                    "facet": facet,
                    "value": total,
                    "place": lines.index(line),
                }
                for (label, line, facet), total in totals.items()
            ]
        },
        "mark": {
            "type": "bar",
            "stroke": "#ffffff",
            "width": min(_WIDEST_BAR, 0.8 * width / len(labels)),
        },
        "encoding": {
            "x": {
                "field": "period",
                "type": "ordinal",
                "sort": list(labels.values()),
                "axis": axis,
            },
            "order": {"field": "place", "type": "quantitative"},  # the first stands at the bottom
        },
    }


def _ranking(rows: list[Row], chart: Chart, measure: Measure) -> Specification:
    """A bar for each value of `x`, the greatest first, with its figure at its end."""
    last = max(row[PERIOD] for row in rows)
    totals: dict[str, float] = {}
    for row in rows:
        if chart.over == "all" or row[PERIOD] == last:
            label = " \u2192 ".join(str(row[name]) for name in chart.x)
            totals[label] = totals.get(label, 0) + (row[measure.name] or 0)
    greatest = sorted(totals, key=lambda label: (-totals[label], label))[: chart.top]
    y = {"field": "label", "type": "nominal", "sort": greatest, "axis": {"title": None}}
    text = {"field": "value", "type": "quantitative", "format": _format(measure.unit)}
    return {
        "data": {"values": [{"label": label, "value": totals[label]} for label in greatest]},
        "width": WIDTH - 250,
        "height": {"step": 24},
        # Room for labels in a font that is wider than ours.
        "padding": {"left": 5 + max(map(len, greatest)), "right": 40, "top": 5, "bottom": 5},
        "encoding": {"y": y, "x": _figure_axis([measure])},
        "layer": [
            {"mark": {"type": "bar", "color": COLOURS[0], "height": {"band": 0.7}}},
            {
                "mark": {"type": "text", "align": "left", "dx": 4, "fontSize": 12},
                "encoding": {"text": text},
            },
        ],
    }


def _figure_axis(measures: list[Measure]) -> Specification:
    units = list(dict.fromkeys(measure.unit for measure in measures))
    axis = {
        "title": ", ".join(units),
        "format": "~%" if units == ["share"] else ",~f",
        "tickCount": 5,
    }
    scale = {"nice": axis["tickCount"]}  # the greatest is below a line that is labelled
    return {"field": "value", "type": "quantitative", "axis": axis, "scale": scale}


def _format(unit: str) -> str:
    return ".1%" if unit == "share" else ",~f"


def _some(marks: list[Any], room: int) -> list[Any]:
    """The marks of an axis that are labelled: all, or every second, third and so on."""
    return marks[:: 1 + (len(marks) - 1) // room]


def _with_gaps(points: list[Row], period: str) -> list[Row]:
    """The points, and one without a figure for each period that a line lacks: it breaks there."""
    there: dict[tuple[str, str], dict[Moment, Row]] = {}
    for point in points:
        there.setdefault((point["facet"], point["line"]), {})[point["period"]] = point
    gaps = []
    for (facet, line), known in there.items():
        moment, last = min(known), max(known)
        while moment < last:
            moment = _following(moment, period)
            if moment not in known:
                gaps.append({"period": moment, "line": line, "facet": facet, "value": None})
    return points + gaps


def _following(moment: Moment, period: str) -> Moment:
    if isinstance(moment, datetime):
        return moment + timedelta(hours=1)
    return back(moment, period, -1)


def _milliseconds(moment: Moment) -> int:
    exact = (
        moment if isinstance(moment, datetime) else datetime(*moment.timetuple()[:3], tzinfo=UTC)
    )
    return int(exact.timestamp() * 1000)


def embedded(svg: str, label: str, number: str) -> str:
    """An SVG as a part of a page: as wide as there is room, with ids of its own and a name."""
    svg = re.sub(r'id="(\w+)"', rf'id="{number}-\1"', svg)
    svg = re.sub(r"url\(#(\w+)\)", rf"url(#{number}-\1)", svg)
    head = re.match(r'<svg [^>]*width="([\d.]+)" height="[\d.]+" (viewBox="[^"]+")[^>]*>', svg)
    assert head is not None
    named = (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(label)}" '
        f'{head.group(2)} style="max-width: {head.group(1)}px">'
    )
    return named + svg[head.end() :]
