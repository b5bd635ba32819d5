"""Check dashboards without a Metabase: names, columns, filters, and each query on published gold.

Every query is tried as Metabase would run it: with the defaults of its filters, with nothing
chosen, with each edge, and with the time of now. The end of the newest day that the dashboard's
marts tell of is "now" in all tries but the last, so that there is something to see whenever the
gold was built.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

import duckdb

from loaders.dashboards import parameters
from loaders.dashboards.declared import Alert, Card, Dashboard, partner_slugs
from loaders.dashboards.errors import DashboardError
from loaders.dashboards.portable import foreign
from loaders.dashboards.sql import Column, Engine, SqlError, filters_in, marts_in, written
from loaders.errors import AssayError
from loaders.gold.audiences import partner_marts
from loaders.gold.marts import columns_of, is_about_operations, models_of
from loaders.home import Home, connect, quote

_LINE = re.compile(r"\bLINE (\d+):")
_SUM = re.compile(r"\bsum\s*\(\s*(\w+)\s*\)", re.IGNORECASE)
_NEVER_SUMMED = re.compile(r"^p\d+_|_rate$|^share$|_percent$|^subjects$|^(dau|wau|mau)|^people$")
_NUMBERS = frozenset({"INTEGER", "BIGINT", "HUGEINT", "DOUBLE"})
_TODAY = datetime(2026, 6, 1)  # where there is no gold yet


@dataclass
class Checked:
    """What was looked at, what is wrong, and which cards have no rows on this gold."""

    dashboards: int = 0
    queries: int = 0
    runs: int = 0
    problems: list[DashboardError] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)


def check(home: Home, dashboards: Iterable[Dashboard]) -> Checked:
    """Check dashboards on what a home has published. Raises AssayError where that is nothing."""
    done = Checked()
    for dashboard in dashboards:
        done.dashboards += 1
        done.problems += _unused_filters(dashboard)
        with opened(home, dashboard) as gold:
            now = newest(gold, dashboard)
            for one in dashboard.queries:
                done.queries += 1
                problems = [
                    wrong_at(one, line, why) for line, why in static_problems(dashboard, one)
                ]
                done.problems += problems or _try(done, dashboard, one, gold, now)
    done.problems.sort(key=str)
    return done


def opened(home: Home, dashboard: Dashboard) -> duckdb.DuckDBPyConnection:
    """The gold that a dashboard reads; of partners', that of the first that has any."""
    files = (
        [home.partner_file(slug) for slug in partner_slugs()]
        if dashboard.is_for_partners
        else [home.published_file]
    )
    file = next((file for file in files if file.exists()), None)
    if file is None:
        raise AssayError(f"{home.path} has published no gold to try queries on. Run: assay refresh")
    connection = connect()
    connection.execute(f"attach {quote(str(file))} as published (read_only)")
    connection.execute("use published")
    return connection


def newest(gold: duckdb.DuckDBPyConnection, dashboard: Dashboard) -> datetime:
    """The end of the newest day that the cards of a dashboard can tell of.

    The books are of the day of landing, which counts where there is nothing else.
    """
    tables = gold.execute("select table_name from information_schema.tables").fetchall()
    there = {str(name) for (name,) in tables}
    marts = there & {mart for card in dashboard.cards.values() for mart in marts_in(card.sql)}
    about_people = {mart for mart in marts if not is_about_operations(mart)}
    days = [
        f"select max(cast({column} as date)) as day from gold.{mart}"
        for mart in sorted(about_people or marts)
        for column in ("period_start", "ends_on", "date", "ts")
        if column in columns_of(mart)
    ]
    if not days:
        return _TODAY
    found = gold.execute(f"select max(day) + 1 from ({' union all '.join(days)})").fetchone()
    return datetime.combine(found[0], datetime.min.time()) if found and found[0] else _TODAY


def choices(
    dashboard: Dashboard, one: Card | Alert, now: datetime
) -> Iterator[dict[str, parameters.Chosen]]:
    """What is chosen of each filter in each try: the defaults, nothing, each edge by itself."""
    used = {name: dashboard.filters[name] for name in filters_in(one.sql)}
    today = now.date()
    defaults = {name: parameters.default(f, today) for name, f in used.items()}
    yield defaults
    if used:
        yield dict.fromkeys(used)
    for name, declared in used.items():
        for edge in parameters.edges(declared, today):
            yield defaults | {name: edge}


def sql_of(one: Card | Alert, engine: Engine, chosen: dict[str, parameters.Chosen]) -> str:
    """The SQL of a try. Raises SqlError."""

    def filtered(name: str, column: Column) -> str:
        return parameters.condition(column, chosen[name], engine.name)

    return written(one.sql, engine, filtered)


def wrong_at(one: Card | Alert, line: int, why: str) -> DashboardError:
    """A problem in a line of a query."""
    where = one.source.line_in(line, *one.place)
    return DashboardError(one.source.file, where, f"{one.slug}: {why}.")


def _unused_filters(dashboard: Dashboard) -> Iterator[DashboardError]:
    used: set[str] = set()
    for card in dashboard.cards.values():
        try:
            used |= filters_in(card.sql).keys()
        except SqlError:
            continue  # is told of the card
    for name, declared in dashboard.filters.items():
        place = ("filters", name)
        if name not in used:
            yield dashboard.source.wrong(
                f"no card uses the filter {name}. Use it, or take it out.", *place
            )
        if not parameters.is_default(declared):
            yield dashboard.source.wrong(
                f"{name}: a default of days is like past28days, or past7days~ with today. Mend it.",
                *place,
                "default",
            )


def static_problems(dashboard: Dashboard, one: Card | Alert) -> Iterator[tuple[int, str]]:
    """What is wrong with a query before it is run."""
    gold = models_of("gold")
    marts = marts_in(one.sql)
    for mart in marts:
        line = one.sql[: one.sql.index(f"'{mart}'")].count("\n") + 1
        if mart not in gold:
            yield line, f"there is no mart {mart} in gold. Name one of models/gold"
            return
        if dashboard.is_for_partners and mart not in partner_marts():
            yield line, f"{mart} is not for partners. Name a mart with meta.audience partner"
    if not marts:
        yield 1, "the query names no mart with ref('…'). Name one"
        return
    try:
        columns = filters_in(one.sql)
        engine = Engine("duckdb", "gold", datetime(2026, 1, 1))  # the time is a literal
        plain = written(one.sql, engine, lambda _, column: f"{column} is not null")
    except SqlError as error:
        yield error.line, f"{error}. Mend the query"
        return
    for name, column in columns.items():
        if isinstance(one, Alert):
            yield 1, f"an alert has no filters, and its query uses {name}. Ask for days_ago(…)"
        elif name not in dashboard.filters:
            yield 1, f"there is no filter {name}. Declare it under filters"
        elif column.data_type not in parameters.TYPES[dashboard.filters[name].type]:
            yield 1, f"{column} is no {dashboard.filters[name].type}, as the filter {name} is"
    yield from _not_additive(one.sql, marts)
    yield from foreign(one.sql, plain)


def _not_additive(sql: str, marts: list[str]) -> Iterator[tuple[int, str]]:
    """People, medians and rates that a query adds up."""
    for found in _SUM.finditer(sql):
        name = found.group(1)
        for mart in marts:
            column = columns_of(mart).get(name)
            if column and (_NEVER_SUMMED.search(name) or column.description.startswith("Distinct")):
                line = sql[: found.start()].count("\n") + 1
                yield (
                    line,
                    f"{name} of {mart} does not add up. Show it as it is, or by all its keys",
                )


def _try(
    done: Checked,
    dashboard: Dashboard,
    one: Card | Alert,
    gold: duckdb.DuckDBPyConnection,
    now: datetime,
) -> list[DashboardError]:
    """Run a query with everything that may be chosen. The first problem is told."""
    then, today = Engine("duckdb", "gold", now), Engine("duckdb", "gold")
    tries = [(then, chosen) for chosen in choices(dashboard, one, now)]
    for number, (engine, chosen) in enumerate([*tries, (today, tries[0][1])]):
        try:
            found = gold.execute(sql_of(one, engine, chosen))
            types = {name: str(of) for name, of, *_ in found.description or []}
            names, rows = list(types), found.fetchall()
        except duckdb.Error as error:
            return [wrong_at(one, *_told(error))]
        done.runs += 1
        if isinstance(one, Card):
            if lacking := [c for c in (*one.x, *one.y, *_by(one), *one.units) if c not in names]:
                return [wrong_at(one, 1, f"its answer has no column {lacking[0]}. Mend the query")]
            if one.show == "table" and (bare := _without_unit(one, types)):
                return [wrong_at(one, 1, f"{bare[0]} has no unit. Add it under unit")]
            if number == 0 and (why := _not_drawable(one, names, rows)):
                return [wrong_at(one, 1, why)]
            if number == 0 and shows_nothing(one, names, rows):
                done.empty.append(f"{dashboard.slug}/{one.slug}")
    return []


def _without_unit(card: Card, types: dict[str, str]) -> list[str]:
    """Figures of a table of which nobody is told what they count."""
    return [name for name, of in types.items() if of in _NUMBERS and name not in card.units]


def _not_drawable(card: Card, names: list[str], rows: list[tuple[object, ...]]) -> str:
    """Why the rows of a card are not what its picture shows, or nothing."""
    if card.show == "number":
        return "a number is one row. Mend the query" if len(rows) > 1 else ""
    if card.show == "table":
        return ""
    keys = [names.index(name) for name in (*card.x, *_by(card))]
    points = [tuple(row[key] for key in keys) for row in rows]
    if len(set(points)) < len(points):
        return "several rows have the same x: one would hide the other. Add them up, or use by"
    return ""


def shows_nothing(card: Card, names: list[str], rows: list[tuple[object, ...]]) -> bool:
    """Whether there is nothing to see: no row, or no figure in any."""
    figures = [names.index(name) for name in (card.y or card.units)]
    return all(row[figure] is None for row in rows for figure in figures)


def _by(card: Card) -> tuple[str, ...]:
    return (card.by,) if card.by else ()


def _told(error: duckdb.Error) -> tuple[int, str]:
    """Line and first line of what DuckDB says."""
    text = str(error)
    found = _LINE.search(text)
    return int(found.group(1)) if found else 1, f"{text.splitlines()[0].rstrip('.')}. Mend it"
