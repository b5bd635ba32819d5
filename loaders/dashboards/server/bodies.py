"""Cards and dashboards as Metabase's API wants them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from loaders.dashboards.declared import Alert, Card, Dashboard, Filter
from loaders.dashboards.server.placed import Placed
from loaders.dashboards.sql import Column, filters_in, written

Body = dict[str, Any]

WIDTH = 24  # columns of Metabase's grid
_HEIGHTS = {"number": 3, "table": 8}
_DISPLAYS = {"number": "scalar"}
_WIDGETS = {"date": "date/all-options", "text": "string/="}
_SECTIONS = {"date": "date", "text": "string"}


def card_body(
    placed: Placed, one: Card | Alert, fields: Mapping[tuple[str, str], int], database: int
) -> Body:
    """A question: its SQL for the engine of its connection, with a tag for each filter."""
    filters = placed.dashboard.filters
    columns = filters_in(one.sql)
    tags = {name: _tag(placed, filters[name], c, fields) for name, c in columns.items()}
    query = written(one.sql, placed.connection.engine, lambda name, _: f"{{{{{name}}}}}")
    parameters = [
        {**_parameter(placed, filters[name]), "target": _target(name)} for name in columns
    ]
    return {
        "name": one.title,
        "type": "question",
        "display": _DISPLAYS.get(one.show, one.show) if isinstance(one, Card) else "table",
        "dataset_query": {
            "type": "native",
            "database": database,
            "native": {"query": query, "template-tags": tags},
        },
        "parameters": parameters,
        "visualization_settings": _settings(one) if isinstance(one, Card) else {},
    }


def dashboard_parameters(placed: Placed) -> list[Body]:
    """The filters above a dashboard."""
    return [_parameter(placed, one) for one in placed.dashboard.filters.values()]


def dashcards(placed: Placed, cards: Mapping[str, int], known: Mapping[int, int]) -> list[Body]:
    """Cards on the grid. `known` has the ids of those that are there already, by card."""
    found: list[Body] = []
    for slug, place in grid(placed.dashboard).items():
        card = cards[f"{placed.slug}/{slug}"]
        found.append(
            {
                "id": known.get(card, -1 - len(found)),
                "card_id": card,
                **place,
                "series": [],
                "visualization_settings": {},
                "parameter_mappings": [
                    {
                        "parameter_id": _id(placed, name),
                        "card_id": card,
                        "target": _target(name),
                    }
                    for name in filters_in(placed.dashboard.cards[slug].sql)
                ],
            }
        )
    return found


def grid(dashboard: Dashboard) -> dict[str, dict[str, int]]:
    """Where each card is: a row is as wide as the grid, and as high as its highest card."""
    places: dict[str, dict[str, int]] = {}
    top = 0
    for row in dashboard.rows:
        whole = sum(share for _, share in row)
        height = max(_HEIGHTS.get(dashboard.cards[slug].show, 6) for slug, _ in row)
        done = 0
        for slug, share in row:
            left, right = WIDTH * done // whole, WIDTH * (done + share) // whole
            places[slug] = {"row": top, "col": left, "size_x": right - left, "size_y": height}
            done += share
        top += height
    return places


def _settings(card: Card) -> Body:
    columns = {f'["name","{name}"]': _format(unit) for name, unit in card.units.items()}
    if card.show in ("number", "table"):
        return {"column_settings": columns}
    unit = next(iter(dict.fromkeys(card.units.values())))
    drawn: Body = {
        "graph.dimensions": [*card.x, *([card.by] if card.by else [])],
        "graph.metrics": list(card.y),
        "graph.y_axis.title_text": unit,
        "column_settings": columns,
    }
    return {**drawn, "stackable.stack_type": "stacked"} if card.is_stacked else drawn


def _format(unit: str) -> Body:
    if unit == "share":
        return {"number_style": "percent", "decimals": 1}
    return {"suffix": f" {unit}"}


def _tag(
    placed: Placed, one: Filter, column: Column, fields: Mapping[tuple[str, str], int]
) -> Body:
    tag: Body = {
        "id": _id(placed, one.slug, "tag"),
        "name": one.slug,
        "display-name": one.title,
        "type": "dimension",
        "dimension": ["field", fields[column.mart, column.name], None],
        "widget-type": _WIDGETS[one.type],
        "alias": str(column),
    }
    return tag if one.default is None else {**tag, "default": _default(one)}


def _parameter(placed: Placed, one: Filter) -> Body:
    parameter: Body = {
        "id": _id(placed, one.slug),
        "name": one.title,
        "slug": one.slug,
        "type": _WIDGETS[one.type],
        "sectionId": _SECTIONS[one.type],
    }
    return parameter if one.default is None else {**parameter, "default": _default(one)}


def _default(one: Filter) -> str | list[str]:
    return one.default or "" if one.type == "date" else [one.default or ""]


def _target(name: str) -> list[Any]:
    return ["dimension", ["template-tag", name]]


def _id(placed: Placed, name: str, kind: str = "parameter") -> str:
    """An id that is the same whenever it is made."""
    whole = f"{kind}:{placed.dashboard.slug}/{name}"
    digest = hashlib.sha256(whole.encode()).hexdigest()
    if kind == "parameter":
        return digest[:8]
    return "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32]))
