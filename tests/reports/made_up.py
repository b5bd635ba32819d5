"""Made-up rows of a mart, of nothing but its contract: what a new report is tested on."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any

import yaml

from loaders.gold.marts import MartColumn, columns_of
from loaders.reports.declared import FOLDER, Report, Table

MOST_CELLS = 24  # of a period
HOURLY_DAYS = 3

Rows = list[dict[str, Any]]


def keys_of(mart: str) -> list[str]:
    """The columns that name a row of a mart, as its test `unique_rows` has them."""
    (path,) = (FOLDER.parent / "models" / "gold").rglob(f"{mart}.yml")
    (model,) = yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
    (test,) = (t["unique_rows"] for t in model["data_tests"] if "unique_rows" in t)
    return list(test["arguments"]["columns"])


def pinned(table: Table) -> dict[str, str]:
    """The columns of which the `where` of a table leaves one value, and that value."""
    return dict(re.findall(r"(\w+) = '([^']*)'", table.where))


PARTNER = "partner-a"  # of whom reports about one partner are made


def of_whom(report: Report) -> str | None:
    """The partner that a report has to be told."""
    return PARTNER if report.is_for_partners else None


def needed(report: Report) -> list[str]:
    """A filter for each that a report cannot be without, of values that are made up."""
    return [f"{name}={name}-a" for name in {n: n for t in report.tables for n in t.needs}]


def made_up(tables: list[Table], days: list[date], dice: random.Random) -> Rows:
    """Rows of the mart that these tables are of, for every period that begins on the days.

    A figure that is shown as it is may be null; what is added up never is. Where a table is of one
    word alone, that is one of the words.
    """
    (mart,) = {table.mart for table in tables}
    columns = columns_of(mart)
    table = tables[0]
    parts = [name for name in keys_of(mart) if name not in (table.period, table.grain_column)]
    as_it_is = {m.value for t in tables for m in t.measures if m.value}
    cells = list(product(*(_words(columns[part], tables) for part in parts)))
    rows = []
    for grain in {g: g for t in tables for g in t.grains or [str(t.grain)]}:
        for start in _starts(grain, days, columns[table.period].data_type):
            for cell in dice.sample(cells, min(MOST_CELLS, len(cells))):
                row = {
                    name: None
                    if name in as_it_is and dice.random() < 0.1
                    else _value(column.data_type, dice)
                    for name, column in columns.items()
                }
                named = {table.period: start} | dict(zip(parts, cell, strict=True))
                rows.append(row | named | ({table.grain_column: grain} if table.grains else {}))
    return rows


def _starts(grain: str, days: list[date], data_type: str) -> Iterator[date]:
    if grain == "hour":
        for day in days[-HOURLY_DAYS:]:
            yield from (_moment(day) + timedelta(hours=hour) for hour in range(24))
        return
    first = {
        "day": lambda _: True,
        "week": lambda d: d.weekday() == 0,
        "month": lambda d: d.day == 1,
    }
    for day in filter(first[grain], days):
        yield _moment(day) if data_type == "timestamp" else day


def _words(part: MartColumn, tables: list[Table]) -> list[Any]:
    if part.data_type == "int64":
        return [0, 1, 11]
    if part.name == "partner_id_hash":  # a partner's file has one
        return ["hash-a"]
    if part.name.endswith("_band"):
        return ["5000-9999", "10000-49999", "Other"]
    asked_for = {pinned(table)[part.name] for table in tables if part.name in pinned(table)}
    return [*sorted(asked_for), *(f"{part.name}-{letter}" for letter in "abc")][:3]


def _moment(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).replace(tzinfo=None)


def _value(data_type: str, dice: random.Random) -> Any:
    values = {
        "int64": dice.randint(10, 900),
        "float64": dice.random(),
        "bool": dice.random() < 0.8,
        "timestamp": _moment(date(2026, 6, 1)),
        "date": date(2026, 6, 1),
    }
    return values.get(data_type, "word")
