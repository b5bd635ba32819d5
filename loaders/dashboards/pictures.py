"""A card as a picture: SVG, drawn by Vega-Lite as the charts of reports are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from loaders.dashboards.declared import Card
from loaders.errors import AssayError
from loaders.reports.charts import COLOURS, CONFIG, DASHES, VEGA_LITE, embedded

Row = Sequence[Any]

_MOST = len(COLOURS)  # series that can be told apart
_LABEL = 65  # pixels of one along a plot
_COLUMN = 52  # pixels of a column of the grid
_DAY = 24 * 60 * 60 * 1000  # milliseconds
_BESIDE = 130  # that a plot leaves to its axis and the edges


def picture(card: Card, names: list[str], rows: list[Row], columns: int, number: str) -> str:
    """A card as an SVG element. Raises AssayError where the library is not installed."""
    try:
        import vl_convert  # noqa: PLC0415 - an extra
    except ImportError:
        raise AssayError(
            "A preview needs a library that is not installed. "
            "Run: pip install 'assay-lakehouse[report]'"
        ) from None
    points = _points(card, names, rows)
    specification = _specification(card, points, columns * _COLUMN - _BESIDE)
    svg = vl_convert.vegalite_to_svg(
        json.dumps({"config": CONFIG, **specification}), vl_version=VEGA_LITE
    )
    return embedded(svg, card.title, number)


def _points(card: Card, names: list[str], rows: list[Row]) -> list[dict[str, Any]]:
    """A point for each row and figure, of the greatest series."""
    place = {name: number for number, name in enumerate(names)}
    points: list[dict[str, Any]] = [
        {
            "x": " ".join(_label(row[place[x]]) for x in card.x),
            "when": _milliseconds(row[place[card.x[0]]]),
            "line": _line(card, name, row[place[card.by]] if card.by else None),
            "value": None if row[place[name]] is None else float(row[place[name]]),
        }
        for row in rows
        for name in card.y
    ]
    totals: dict[str, float] = {}
    for point in points:
        if point["value"] is not None:  # a series without a figure is none
            totals[point["line"]] = totals.get(point["line"], 0) + abs(point["value"])
    kept = sorted(totals, key=lambda line: (-totals[line], line))[:_MOST]
    return [point for point in points if point["line"] in kept]


def _specification(card: Card, points: list[dict[str, Any]], width: int) -> dict[str, Any]:
    lines = list(dict.fromkeys(point["line"] for point in points))
    if card.by:
        lines.sort()
    units = list(dict.fromkeys(card.units[name] for name in card.y))
    figures = {
        "field": "value",
        "type": "quantitative",
        "axis": {
            "title": ", ".join(units),
            "format": "~%" if units == ["share"] else ",~f",
            "tickCount": 5,
        },
        "stack": "zero" if card.is_stacked else None,
    }
    is_time = any(point["when"] is not None for point in points)
    is_drawn_by_time = is_time and card.show in ("line", "area")
    labels = list(dict.fromkeys(point["x"] for point in points))
    is_by_day = all(label[10:] == "" for label in labels)
    every = 1 + (len(labels) - 1) // max(2, width // _LABEL)
    days = sorted({point["when"] // _DAY * _DAY for point in points}) if is_drawn_by_time else []
    along: dict[str, Any] = {
        "field": "x",
        "type": "ordinal",
        "sort": sorted(labels) if is_time else labels,
        "axis": {
            "title": ("day (UTC)" if is_by_day else "hour (UTC)") if is_time else None,
            "labelAngle": 0 if is_time or card.show == "row" or len(labels) < 3 else -20,
            "values": sorted(labels)[::every] if is_time else labels,
        },
    }
    if is_time:
        by_hour = "slice(datum.value, 5)"  # without the year
        by_day = "utcFormat(toDate(datum.value), '%d %b')"
        along["axis"]["labelExpr"] = by_day if is_by_day else by_hour
    if is_drawn_by_time:
        along = {
            "field": "when",
            "type": "temporal",
            "scale": {"type": "utc", "padding": 20},
            "axis": {
                "title": "day (UTC)",
                "format": "%d %b",
                "values": days[:: 1 + (len(days) - 1) // max(2, width // _LABEL)],
                "grid": False,
            },
        }
    colour = {
        "field": "line",
        "type": "nominal",
        "scale": {"domain": lines, "range": COLOURS},
        "legend": {"columns": 3} if card.by or len(lines) > 1 else None,
    }
    encoding: dict[str, Any] = {"color": colour}
    mark: dict[str, Any] = {"type": "bar"}
    if card.show == "row":
        encoding |= {"y": along, "x": figures}
        along["axis"]["labelLimit"] = 160
    else:
        encoding |= {"x": along, "y": figures}
    if card.show == "line":
        mark = {"type": "line", "strokeWidth": 2, "point": {"size": 28}}
        encoding["strokeDash"] = colour | {"scale": {"domain": lines, "range": DASHES}}
    elif card.show == "area":
        mark = {"type": "area", "opacity": 0.7}
    elif not card.is_stacked and len(lines) > 1:
        encoding["yOffset" if card.show == "row" else "xOffset"] = {"field": "line"}
    height = {"step": 22 if len(lines) == 1 else 14} if card.show == "row" else 230
    return {
        "data": {"values": points},
        "width": width - (120 if card.show == "row" else 0),
        "height": height,
        "mark": mark,
        "encoding": encoding,
    }


def _line(card: Card, name: str, value: Any) -> str:
    title = name.removesuffix("_minor").replace("_", " ")
    if card.by is None:
        return title
    return str(value) if len(card.y) == 1 else f"{title}, {value}"


def _label(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d}" if value.hour == 0 else f"{value:%Y-%m-%d %H:%M}"
    return value.isoformat() if isinstance(value, date) else str(value)


def _milliseconds(value: Any) -> int | None:
    if not isinstance(value, date):
        return None
    exact = value if isinstance(value, datetime) else datetime(*value.timetuple()[:3])
    return int(exact.replace(tzinfo=UTC).timestamp() * 1000)
