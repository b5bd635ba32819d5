"""Why a cell of a mart is missing or merged: `assay explain-suppression`.

It says shares, never counts, and names no hidden cell. A number of hidden rows that is exact would
be that of the few people behind them, so a share is rounded until a step stands for `safe_rows`
rows, and none and few look alike. Periods are whole days or months that never overlap: no two
answers of one kind can be subtracted. Figures of cells that are shown are exact; they are in gold.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb

from loaders.errors import AssayError
from loaders.gold.marts import Mart, mart_of, thresholds
from loaders.gold.publish import open_warehouse
from loaders.home import Home

PERIODS = ("month", "day")

ALONE, OTHER, REST, WITHHELD = "alone", "other", "rest_of_day", "withheld"
_STEPS = (1, 5, 10, 25)  # percent
_BANDS = ((1000, "1,000 or more"), (100, "100 to 999"), (10, "10 to 99"), (0, "under 10"))


@dataclass(frozen=True, slots=True)
class Period:
    """One period of a mart.

    `shares` says in words what became of the rows of the fact, by class; null where there are too
    few of them. `cells` is how many rows the mart has, `hidden_cells` a band for each class that
    hides some. `null_columns` maps a column to the percentage of the mart's rows without it.
    """

    start: date
    shares: dict[str, str] | None
    cells: int
    hidden_cells: dict[str, str]
    null_columns: dict[str, int]


@dataclass(frozen=True, slots=True)
class Explanation:
    """What hides cells of a mart: the rules that apply to it, and how much each hides."""

    mart: str
    fact: str
    rules: dict[str, str]
    columns: dict[str, str]
    periods: list[Period]


def explain(
    home: Home, name: str, by: str = "month", first: date | None = None, last: date | None = None
) -> Explanation:
    """Explain a mart by month or day, for the periods that begin from `first` to `last`.

    Raises AssayError for a mart that is not there, and where the warehouse has not built it.
    """
    mart = mart_of(name)
    with open_warehouse(home) as warehouse:
        try:
            classes = _classes(warehouse, mart, by)
            shown = _shown(warehouse, mart, by)
        except duckdb.CatalogException:
            raise AssayError(
                f"{name} is not built yet in {home.path}. Run: assay refresh"
            ) from None
    periods = [
        _period(mart, start, classes.get(start, {}), shown.get(start, {}))
        for start in sorted({*classes, *shown})
        if (first is None or start >= first) and (last is None or start <= last)
    ]
    return Explanation(mart.name, mart.fact, _rules(mart), mart.hidden, periods)


def rounded(rows: int, total: int) -> str | None:
    """A share in words, so coarse that a step of it is `safe_rows` rows; None of too few rows."""
    step = next((s for s in _STEPS if total * s >= 100 * thresholds()["safe_rows"]), None)
    if step is None:
        return None
    percent = step * round(100 * rows / total / step)
    if percent == 0:
        return f"under {step}%"
    return f"over {100 - step}%" if percent == 100 else f"{percent}%"


def band(number: int) -> str:
    """How many, to the order of magnitude."""
    return next(words for least, words in _BANDS if number >= least)


def _classes(
    warehouse: duckdb.DuckDBPyConnection, mart: Mart, by: str
) -> dict[date, dict[str, tuple[int, int]]]:
    """Rows and cells of each class, by period."""
    whens = ["when not is_published then 'withheld'"]
    if mart.hour:
        whens.append(f"when {mart.hour} is null then 'rest_of_day'")
    if mart.category:
        whens.append(f"when {mart.category} = 'Other' then 'other'")
    cell = ", ".join(dict.fromkeys((mart.day, *mart.cell)))
    rows = warehouse.execute(
        f"""
        select
            cast(date_trunc('{by}', {mart.day}) as date),
            case {" ".join(whens)} else 'alone' end,
            count(*),
            count(distinct ({cell}))
        from silver.{mart.fact}
        where {" and ".join(mart.scope) or "true"}
        group by all
        """
    ).fetchall()
    found: dict[date, dict[str, tuple[int, int]]] = {}
    for start, kind, row_total, cells in rows:
        found.setdefault(start, {})[kind] = (row_total, cells)
    return found


def _shown(warehouse: duckdb.DuckDBPyConnection, mart: Mart, by: str) -> dict[date, dict[str, int]]:
    """Rows of the mart, and of those the ones without a value of each column, by period."""
    nulls = "".join(f", count(*) filter ({column} is null)" for column in mart.hidden)
    rows = warehouse.execute(
        f"select cast(date_trunc('{by}', {mart.start}) as date), count(*) {nulls} "
        f"from gold.{mart.name} group by 1"
    ).fetchall()
    return {row[0]: dict(zip(("", *mart.hidden), row[1:], strict=True)) for row in rows}


def _period(
    mart: Mart, start: date, classes: dict[str, tuple[int, int]], shown: dict[str, int]
) -> Period:
    total = sum(rows for rows, _ in classes.values())
    cells = shown.get("", 0)
    shares: dict[str, str] = {}
    for kind in (ALONE, *_rules(mart)):
        share = rounded(classes.get(kind, (0, 0))[0], total) if total else None
        if share is not None:
            shares[kind] = share
    hiding = [kind for kind in (REST, WITHHELD) if kind in _rules(mart)]
    return Period(
        start,
        shares or None,
        cells,
        {kind: band(classes.get(kind, (0, 0))[1]) for kind in hiding},
        {column: round(100 * shown.get(column, 0) / cells) for column in mart.hidden if cells},
    )


def _rules(mart: Mart) -> dict[str, str]:
    """What applies to the rows of a mart, in words, by class."""
    k, safe_rows = thresholds()["k"], thresholds()["safe_rows"]
    few = f"fewer than {k} people"
    safe = f" and fewer than {safe_rows} rows" if mart.has_safe_rows else ""
    rules: dict[str, str] = {}
    if mart.category:
        rules[OTHER] = (
            f"merged into Other: the {mart.category} has {few} within its hour, or is the "
            "smallest and joins those that have"
        )
    if mart.hour:
        rules[REST] = f"in the daily mart only, not in this one: the hour has {few}{safe}"
    rules[WITHHELD] = (
        f"in no mart: what is left of the day when its visible hours are shown has {few}{safe}"
        if mart.has_safe_rows
        else f"in no mart: the cell has {few} in its period"
    )
    return rules


def as_lines(explanation: Explanation, by: str) -> list[str]:
    """The explanation as a person reads it."""
    words = {
        ALONE: "alone",
        OTHER: "in Other",
        REST: "in the rest of the day",
        WITHHELD: "withheld",
    }
    lines = [f"{explanation.mart}, made of silver.{explanation.fact}", ""]
    for period in explanation.periods:
        shares = period.shares or {}
        said = ", ".join(f"{words[kind]} {share}" for kind, share in shares.items())
        hidden = ", ".join(f"{words[k]} {many}" for k, many in period.hidden_cells.items())
        nulls = ", ".join(f"{c} {p}%" for c, p in period.null_columns.items() if p)
        start = f"{period.start:%Y-%m}" if by == "month" else f"{period.start}"
        lines.append(f"{start}  rows: {said or 'too few to say'}")
        lines.append(f"{' ' * len(start)}  cells: {period.cells} shown; hidden: {hidden}")
        lines += [f"{' ' * len(start)}  shown without: {nulls}"] if nulls else []
    if not explanation.periods:
        lines.append("No rows in these periods.")
    lines.append("")
    lines += [f"{words[kind]}: {rule}." for kind, rule in explanation.rules.items()]
    lines += [f"{column}: {why}." for column, why in explanation.columns.items()]
    return lines


def as_facts(explanation: Explanation) -> dict[str, Any]:
    """The explanation for --json."""
    return {
        "mart": explanation.mart,
        "fact": explanation.fact,
        "rules": explanation.rules,
        "columns": explanation.columns,
        "periods": [
            {
                "start": period.start.isoformat(),
                "shares": period.shares,
                "cells": period.cells,
                "hidden_cells": period.hidden_cells,
                "null_columns": period.null_columns,
            }
            for period in explanation.periods
        ],
    }
