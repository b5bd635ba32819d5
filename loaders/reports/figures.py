"""The figures of a report: read from one release of published gold, and from nothing else."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from loaders.contracts import ARROW_TYPES
from loaders.gold.audiences import is_slug
from loaders.gold.marts import is_about_operations, read_marts, thresholds
from loaders.home import Home, connect, quote
from loaders.reports.asked import Asked, back, beginning, ending
from loaders.reports.declared import PERIOD, Measure, Report, Table
from loaders.reports.errors import DENIED, NOT_FOUND, NOT_MADE, QUERY_FAILED, ReportError

_LEVELS = ("low", "medium", "high", "critical")  # of risk, as the seed has them
_NUMBER = re.compile(r"<?\$?(\d+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table of a report. `unit` is None of a period and of what figures are by."""

    name: str
    title: str
    data_type: str
    unit: str | None
    description: str


@dataclass(frozen=True, slots=True)
class Figures:
    """A table of a report: its rows, in order, of which days, and why some figures are missing."""

    table: Table
    period: str
    first: date | None
    last: date | None
    columns: tuple[Column, ...]
    rows: pa.Table
    withheld: str


@dataclass(frozen=True, slots=True)
class Made:
    """A report with its figures, all of one release. `left_out` are tables that do not fit."""

    report: Report
    asked: Asked
    release_id: str
    published_at: datetime
    generated_at: datetime
    tables: tuple[Figures, ...]
    left_out: tuple[str, ...]


def make(home: Home, report: Report, asked: Asked) -> Made:
    """Read the figures of a report. Raises ReportError."""
    try:
        folder, release = _release(home, asked.partner)
        try:
            return _made(folder, release, report, asked)
        except (duckdb.IOException, FileNotFoundError):
            if folder.is_dir():
                raise
        # It was replaced, and then removed, while it was read.
        return _made(*_release(home, asked.partner), report, asked)
    except PermissionError:
        raise ReportError(
            DENIED, f"you may not read what is published in {home.path}. Ask whose home it is."
        ) from None
    except (duckdb.Error, OSError) as error:
        raise ReportError(
            QUERY_FAILED,
            f"the published gold could not be read ({type(error).__name__}). "
            "Run: assay publish, and try again.",
        ) from None


def _release(home: Home, partner: str | None) -> tuple[Path, dict[str, Any]]:
    """The folder of the release that readers see, or that partner's do, and what is said of it."""
    if partner is not None and not is_slug(partner):
        raise _no_partner()
    published = home.published if partner is None else home.partners / partner
    try:
        folder = (published / "current").resolve(strict=True)
        return folder, json.loads((folder / "release.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        if partner is not None and (home.published / "current").exists():
            raise _no_partner() from None
        raise ReportError(NOT_MADE, "nothing is published yet. Run: assay refresh") from None


def _no_partner() -> ReportError:
    return ReportError(
        NOT_FOUND,
        "nothing is published for a partner of that slug. Take one of seeds/partners.csv; one "
        "that is new there is published by: assay refresh",
    )


def _made(folder: Path, release: dict[str, Any], report: Report, asked: Asked) -> Made:
    fitting = [table for table in report.tables if asked.fits(table)]
    with connect() as connection:
        for mart in {table.mart for table in fitting}:
            file = folder / f"{mart}.parquet"
            if folder.is_dir() and not file.exists():
                raise ReportError(
                    NOT_FOUND,
                    f"release {release['release_id']} has no mart {mart}. Run: assay refresh",
                )
            with file.open("rb"):  # says why, if it may not be read
                source = f"read_parquet({quote(str(file))})"
            connection.execute(f"create view {mart} as from {source}")
        first, last = _days(connection, report, asked, fitting)
        tables = tuple(_figures(connection, table, asked, first, last) for table in fitting)
    return Made(
        report=report,
        asked=asked,
        release_id=release["release_id"],
        published_at=datetime.fromisoformat(release["published_at"]),
        generated_at=datetime.now(UTC).replace(microsecond=0),
        tables=tables,
        left_out=tuple(table.title for table in report.tables if table not in fitting),
    )


def _days(
    connection: duckdb.DuckDBPyConnection, report: Report, asked: Asked, tables: list[Table]
) -> tuple[date | None, date | None]:
    """First and last day: as asked, else the last periods that there are, of the first table."""
    period = asked.period_of(tables[0])
    alike = [table for table in tables if asked.period_of(table) == period]
    last = asked.last or max(
        filter(None, (_newest(connection, t, asked) for t in alike)), default=None
    )
    if asked.first or last is None:
        return asked.first, last
    return back(last, period, report.shown - 1), last


def _newest(connection: duckdb.DuckDBPyConnection, table: Table, asked: Asked) -> date | None:
    condition, parameters = _condition(table, asked)
    found = connection.execute(
        f"select max(cast({table.period} as date)) from {table.mart} where {condition}", parameters
    ).fetchone()
    newest: date | None = found[0] if found else None
    return ending(newest, asked.period_of(table)) if newest else None


def _figures(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    asked: Asked,
    first: date | None,
    last: date | None,
) -> Figures:
    period = asked.period_of(table)
    begins = beginning(first, period) if first else None
    ends = ending(last, period) if last else None
    condition, parameters = _condition(table, asked)
    columns = _columns(table, period)
    expressions = [_period(table, period), *table.by, *map(_figure, table.measures)]
    named = ", ".join(
        f"{expression} as {column.name}"
        for expression, column in zip(expressions, columns, strict=True)
    )
    by = ", ".join(str(number + 1) for number in range(1 + len(table.by)))
    rows = connection.execute(
        f"""
        select {named}
        from {table.mart}
        where
            {condition}
            and (cast({table.period} as date) >= ? or ? is null)
            and (cast({table.period} as date) <= ? or ? is null)
        group by {by}
        """,
        [*parameters, begins, begins, ends, ends],
    ).fetchall()
    rows.sort(key=lambda row: (row[0], *map(in_order, row[1 : 1 + len(table.by)])))
    schema = pa.schema([(c.name, ARROW_TYPES[c.data_type]) for c in columns])
    by_column = list(zip(*rows, strict=True)) or [()] * len(columns)
    arrays = [
        pa.array([_in_utc(value) for value in values], field.type)
        for values, field in zip(by_column, schema, strict=True)
    ]
    return Figures(
        table, period, begins, ends, columns, pa.table(arrays, schema=schema), _withheld(table)
    )


def in_order(label: Any) -> tuple[bool, int, bool, str]:
    """What puts labels in order: bands, numbers and levels by their size, then words by letter."""
    text = str(label)
    if text in _LEVELS:
        return False, _LEVELS.index(text), True, text
    number = _NUMBER.match(text)
    return number is None, int(number[1]) if number else 0, not text.startswith("<"), text


def _in_utc(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


def _condition(table: Table, asked: Asked) -> tuple[str, list[str]]:
    """Which rows of the mart a table is made of, whatever the days."""
    parts, parameters = [f"({table.where})"], []
    if table.grain_column:
        parts.append(f"{table.grain_column} = ?")
        parameters.append(asked.period_of(table))
    for name, value in asked.where:
        parts.append(f"cast({name} as varchar) = ?")
        parameters.append(value)
    return " and ".join(parts), parameters


def _period(table: Table, period: str) -> str:
    start = (
        table.period if table.grain in (None, period) else f"date_trunc('{period}', {table.period})"
    )
    return f"cast({start} as {'timestamp' if period == 'hour' else 'date'})"


def _figure(measure: Measure) -> str:
    """The SQL of a measure. A ratio is of the rows that have both of its figures."""
    if measure.ratio:
        above, below = measure.ratio
        both = f"filter ({above} is not null and {below} is not null)"
        return f"cast(sum({above}) {both} as double) / nullif(sum({below}) {both}, 0)"
    if measure.value:
        return f"case when count(*) = 1 then any_value({measure.value}) end"
    return f"sum({measure.sum})"


def _columns(table: Table, period: str) -> tuple[Column, ...]:
    in_mart = table.columns
    starts = {"hour": "Hour", "day": "Day", "week": "Week from", "month": "Month"}
    return (
        Column(
            PERIOD,
            table.period_title or starts[period],
            "timestamp" if period == "hour" else "date",
            None,
            f"First {'moment' if period == 'hour' else 'day'} of the {period}, in UTC.",
        ),
        *(
            Column(
                name,
                name.replace("_", " ").capitalize(),
                in_mart[name].data_type,
                None,
                in_mart[name].description,
            )
            for name in table.by
        ),
        *(_measured(table, measure) for measure in table.measures),
    )


def _measured(table: Table, measure: Measure) -> Column:
    if measure.ratio:
        above, below = measure.ratio
        return Column(
            measure.name,
            measure.title,
            "float64",
            measure.unit,
            f"The sum of `{above}` divided by that of `{below}`, where there are both.",
        )
    (source,) = (table.columns[name] for name in measure.columns)
    return Column(measure.name, measure.title, source.data_type, measure.unit, source.description)


def _withheld(table: Table) -> str:
    """What a table does not show and why, in a sentence."""
    mart, limits = read_marts().get(table.mart), thresholds()
    if is_about_operations(table.mart):
        return (
            "What is about our own services is told however little it is; of requests, what stands "
            f"for fewer than k = {limits['k']} people is left out."
        )
    merges = any("`Other`" in column.description for column in table.columns.values())
    where = "merged into Other or left out" if merges else "left out"
    if mart and mart.hour:
        where = where.replace(" or left out", ",") + " or shown with its day alone"
    unless = (
        f", unless it is of {limits['safe_rows']} requests or more and what tells it apart "
        "says nothing about people"
        if mart and mart.has_safe_rows
        else ""
    )
    return (
        f"So that nobody can be singled out, what stands for fewer than k = {limits['k']} people "
        f"is {where}{unless}."
    )
