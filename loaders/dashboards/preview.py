"""Dashboards as pages: one file of HTML each, that loads and runs nothing.

They show what Metabase would with the defaults of the filters, on the published gold of a home.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from loaders.dashboards.check import choices, newest, opened, shows_nothing, sql_of
from loaders.dashboards.declared import FOLDER, Card, Dashboard
from loaders.dashboards.parameters import Chosen, default
from loaders.dashboards.pictures import picture
from loaders.dashboards.server.bodies import grid
from loaders.dashboards.sql import Engine
from loaders.durable import durable_file
from loaders.home import Home

_ROWS = 30  # of a table that are shown
_NO_FIGURE = "\N{EN DASH}"


@dataclass(frozen=True, slots=True)
class _Shown:
    """A card on the page: where it is, and one of a figure, a picture and a table."""

    card: Card
    place: dict[str, int]
    figure: str = ""
    svg: str = ""
    head: tuple[tuple[str, str], ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    left: int = 0


def preview(home: Home, dashboards: list[Dashboard], folder: Path) -> list[Path]:
    """Write a page for each dashboard. Raises AssayError."""
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for dashboard in dashboards:
        path = folder / f"{dashboard.slug}.html"
        with durable_file(path) as file:
            file.write(page(home, dashboard))
        written.append(path)
    return written


def page(home: Home, dashboard: Dashboard) -> bytes:
    """The page of a dashboard."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    places = grid(dashboard)
    with opened(home, dashboard) as gold:
        now = newest(gold, dashboard)
        shown = []
        for slug, card in dashboard.cards.items():
            (chosen, *_) = choices(dashboard, card, now)
            answer = gold.execute(sql_of(card, Engine("duckdb", "gold", now), chosen))
            names = [column[0] for column in answer.description or []]
            shown.append(_shown(card, places[slug], names, answer.fetchall()))
    shown.sort(key=lambda one: (one.place["row"], one.place["col"]))
    filters = {one.title: _words(default(one, now.date())) for one in dashboard.filters.values()}
    template = environment.get_template("page.html")
    return template.render(
        dashboard=dashboard, filters=filters, shown=shown, day=now.date() - timedelta(days=1)
    ).encode()


def _shown(card: Card, place: dict[str, int], names: list[str], rows: list[Any]) -> _Shown:
    if shows_nothing(card, names, rows):
        return _Shown(card, place)
    if card.show == "number":
        unit = card.units[card.y[0]]
        return _Shown(card, place, figure=_text(rows[0][names.index(card.y[0])], unit))
    if card.show == "table":
        return _Shown(
            card,
            place,
            head=tuple((name.replace("_", " "), card.units.get(name, "")) for name in names),
            rows=tuple(
                tuple(_text(v, card.units.get(n, "")) for n, v in zip(names, row, strict=True))
                for row in rows[:_ROWS]
            ),
            left=max(0, len(rows) - _ROWS),
        )
    svg = picture(card, names, rows, place["size_x"], card.slug)
    return _Shown(card, place, svg=Markup(svg))  # noqa: S704 - Vega has escaped what is data


def _text(value: Any, unit: str) -> str:
    if value is None:
        return _NO_FIGURE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}" if value.hour or value.minute else f"{value:%Y-%m-%d}"
    if isinstance(value, date):
        return value.isoformat()
    if unit == "share":
        return f"{value:.1%}"
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}" if unit else str(value)


def _words(chosen: Chosen) -> str:
    if chosen is None:
        return "all"
    if isinstance(chosen[0], date):
        return f"{chosen[0]} to {chosen[1]}"
    return ", ".join(map(str, chosen))
