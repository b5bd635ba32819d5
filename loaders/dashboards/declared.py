"""What `metabase/<dashboard>.yml` may say, and reading it. docs/metabase.md explains it.

A dashboard is known by its slug, here and in Metabase. What is declared is checked when it is read:
its shape and its names here, its columns and its SQL by `check`.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from loaders.dashboards.schema import DASHBOARD
from loaders.dashboards.source import Source, read_source
from loaders.project import PROJECT

FOLDER = PROJECT / "metabase"
PARTNERS = PROJECT / "seeds" / "partners.csv"


@dataclass(frozen=True, slots=True)
class Filter:
    """A widget above the dashboard: days, or values of a text column."""

    slug: str
    title: str
    type: str
    default: str | None


@dataclass(frozen=True, slots=True)
class Card:
    """A question and how it is shown. `sql` is a template: see `sql`.

    `x` and `y` are columns of its answer; `by` has a line or a bar for each of its values.
    """

    slug: str
    title: str
    text: str
    show: str
    sql: str
    x: tuple[str, ...]
    y: tuple[str, ...]
    by: str | None
    units: dict[str, str]
    is_stacked: bool
    model: str | None
    source: Source
    place: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Alert:
    """A question of which somebody is told when it has rows: that is what is wrong."""

    slug: str
    title: str
    text: str
    sql: str
    every: str
    to: tuple[str, ...]
    source: Source
    place: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who gets the whole dashboard by mail, and when."""

    slug: str
    every: str
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A dashboard as it is declared. Its rows are cards with the share of the width they take."""

    slug: str
    title: str
    text: str
    collection: tuple[str, ...]
    access: tuple[str, ...]
    is_for_partners: bool
    filters: dict[str, Filter]
    cards: dict[str, Card]
    rows: list[list[tuple[str, int]]]
    alerts: dict[str, Alert]
    subscriptions: dict[str, Subscription]
    source: Source = field(repr=False)

    @property
    def queries(self) -> list[Card | Alert]:
        """All that it asks: its cards and its alerts."""
        return [*self.cards.values(), *self.alerts.values()]


def read_dashboards(folder: Path = FOLDER) -> list[Dashboard]:
    """Every dashboard of a folder. Raises DashboardError."""
    found = [read_dashboard(path) for path in sorted(folder.glob("*.yml"))]
    slugs: dict[str, Dashboard] = {}
    for dashboard in found:
        if dashboard.slug in slugs:
            other = slugs[dashboard.slug].source.file.name
            raise dashboard.source.wrong(
                f"{other} has the slug {dashboard.slug}, too. Choose another.", "dashboard"
            )
        slugs[dashboard.slug] = dashboard
    return found


def read_dashboard(path: Path) -> Dashboard:
    """One dashboard. Raises DashboardError."""
    source = read_source(path)
    said = source.document
    fault = next(iter(Draft202012Validator(DASHBOARD).iter_errors(said)), None)
    if fault is not None:
        place = tuple(fault.absolute_path)
        shown = ".".join(map(str, place)) or "the file"
        raise source.wrong(f"{shown}: {fault.message[:200]}. See docs/metabase.md.", *place)
    cards = {slug: _card(slug, card, source) for slug, card in said["cards"].items()}
    dashboard = Dashboard(
        slug=said["dashboard"],
        title=said["title"],
        text=" ".join(said["text"].split()),
        collection=tuple(part.strip() for part in said["collection"].split("/")),
        access=tuple(said["access"]),
        is_for_partners="for_each" in said,
        filters={
            slug: Filter(slug, one["title"], one["type"], one.get("default"))
            for slug, one in said.get("filters", {}).items()
        },
        cards=cards,
        rows=[[_cell(cell) for cell in row] for row in said["rows"]],
        alerts={
            slug: _alert(slug, alert, cards, source)
            for slug, alert in said.get("alerts", {}).items()
        },
        subscriptions={
            slug: Subscription(slug, one["every"], tuple(one["to"]))
            for slug, one in said.get("subscriptions", {}).items()
        },
        source=source,
    )
    _check_names(dashboard)
    return dashboard


def partner_slugs() -> list[str]:
    """The partners of the partner seed."""
    with PARTNERS.open(encoding="utf-8", newline="") as seed:
        return [row["slug"] for row in csv.DictReader(seed)]


def _check_names(dashboard: Dashboard) -> None:
    """Every card is shown once, and no other; a filter's default fits it."""
    seen: set[str] = set()
    for number, row in enumerate(dashboard.rows):
        for slug, _ in row:
            if slug not in dashboard.cards or slug in seen:
                what = "is shown twice" if slug in seen else "is no card of this file"
                raise dashboard.source.wrong(f"{slug} {what}. Mend rows.", "rows", number)
            seen.add(slug)
    for slug in dashboard.cards:
        if slug not in seen:
            raise dashboard.source.wrong(
                f"the card {slug} is in no row. Add it to rows, or take it out.", "cards", slug
            )


def _card(slug: str, said: dict[str, Any], source: Source) -> Card:
    place = ("cards", slug)
    x, y, summed = (_many(said.get(key)) for key in ("x", "y", "sum"))
    y, by = y + summed, said.get("by")
    is_drawn = said["show"] != "table"
    if not is_drawn and "sql" in said:
        y = y or tuple(said["unit"]) if isinstance(said.get("unit"), dict) else y
    if is_drawn and not y:
        raise source.wrong(f"{said['show']} needs y: the columns that it draws. Add it.", *place)
    if said["show"] not in ("table", "number") and not x:
        raise source.wrong(f"{said['show']} needs x: the column along its axis. Add it.", *place)
    unit = said.get("unit")
    units = dict(unit) if isinstance(unit, dict) else {name: unit for name in y if unit}
    if is_drawn and (missing := [name for name in y if name not in units]):
        raise source.wrong(f"{missing[0]} has no unit. Add unit: what it counts.", *place)
    if "sql" in said and (excess := [key for key in ("sum", "where", "filters") if key in said]):
        raise source.wrong(f"{excess[0]} goes with model, not with sql. Take it out.", *place)
    return Card(
        slug=slug,
        title=said["title"],
        text=" ".join(said.get("text", "").split()),
        show=said["show"],
        sql=said.get("sql") or _sql_of(said, x, _many(said.get("y")), summed),
        x=x,
        y=y,
        by=by,
        units=units,
        is_stacked=said.get("stacked", False),
        model=said.get("model"),
        source=source,
        place=(*place, "sql") if "sql" in said else (*place, "model"),
    )


def _sql_of(
    said: dict[str, Any], x: tuple[str, ...], y: tuple[str, ...], summed: tuple[str, ...]
) -> str:
    """The SQL of a card that names a model: its rows as they are, or added up."""
    keys = [*x, *([said["by"]] if "by" in said else [])]
    figures = [*y, *(f"cast(sum({name}) as int64) as {name}" for name in summed)]
    conditions = [f"({said['where']})"] if "where" in said else []
    for name, column in said.get("filters", {}).items():
        conditions.append(f"{{{{ filter('{name}', '{column}') }}}}")
    lines = [f"select {', '.join([*keys, *figures])}", f"from {{{{ ref('{said['model']}') }}}}"]
    if conditions:
        lines.append(f"where {' and '.join(conditions)}")
    if summed:
        lines.append(f"group by {', '.join([*keys, *y])}")
    lines.append(f"order by {', '.join(keys)}")
    return "\n".join(lines)


def _alert(slug: str, said: dict[str, Any], cards: dict[str, Card], source: Source) -> Alert:
    place: tuple[str, ...] = ("alerts", slug)
    if "card" in said:
        if said["card"] not in cards:
            raise source.wrong(f"{said['card']} is no card of this file. Name one.", *place, "card")
        card = cards[said["card"]]
        sql, inner = card.sql, card.place
    else:
        sql, inner = said["sql"], (*place, "sql")
    return Alert(
        slug=slug,
        title=said["title"],
        text=" ".join(said["text"].split()),
        sql=_none_of(sql) if said.get("when") == "empty" else sql,
        every=said["every"],
        to=tuple(said["to"]),
        source=source,
        place=inner,
    )


def _none_of(sql: str) -> str:
    """A query that has a row where another has none: Metabase alone tells of rows that are there.

    The other begins on its first line, so that lines of errors are those of the file.
    """
    return (
        "select 'no rows' as problem from (select 1 as one) as nothing where not exists ("
        f"{sql.rstrip()}\n)"
    )


def _cell(text: str) -> tuple[str, int]:
    slug, _, width = text.partition(":")
    return slug, int(width or 1)


def _many(given: str | list[str] | None) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given or ())
