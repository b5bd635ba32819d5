"""The figures of the metric contract as an attacker sees them, for the audit of test_row_space.py.

What each metric of attempts counts is said here once more, by hand: a formula that is changed in
the contract alone ends the audit.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import duckdb
from attempt_space import (
    K,
    Published,
    Row,
    Total,
    everything,
    no_test,
    registration,
    rows_of,
    signup,
)

MART = "metric_time_series"
CALENDAR = "int_metrics__hours"
FACT = "int_access__published_attempts"
DIMENSIONS = ("domain", "action", "status", "error_code", "country")


def is_status(status: str) -> Published:
    return lambda row: bool(row["status"] == status)


def is_error(error_code: str) -> Published:
    return lambda row: bool(row["error_code"] == error_code)


def of(action: str, also: Published) -> Published:
    return lambda row: bool(row["action"] == action) and also(row)


COUNTS: dict[str, Published] = {
    "attempts": everything,
    "real_attempts": no_test,
    "attempt_errors": is_status("error"),
    "blocked_attempts": is_status("blocked"),
    "rate_limited_attempts": is_error("rate_limited"),
    "unclassified_errors": is_error("unclassified"),
    "signups": of("signup", no_test),
    "registrations": registration,
    "lost_signups": lambda row: signup(row) and no_test(row) and not registration(row),
    "emails_already_used": of("signup", is_error("email_taken")),
    "validations": of("validate", no_test),
    "logins": of("login", no_test),
    "successful_logins": of("login", is_status("success")),
}
PEOPLE = {"attempting_people": no_test, "registered_people": registration}
# Made of two others, so that nothing follows from them that does not from those.
RATES = {
    "attempt_error_rate": ("attempt_errors", "real_attempts"),
    "attempts_per_person": ("real_attempts", "attempting_people"),
    "signup_success_rate": ("registrations", "signups"),
    "login_success_rate": ("successful_logins", "logins"),
}
PERCENTILES = {"attempt_p50_ms", "attempt_p95_ms", "attempt_p99_ms"}

Cell = tuple[str, datetime, str, str]


def build_metrics(connection: duckdb.DuckDBPyConnection, models: dict[str, Any]) -> None:
    """Make the figures in a database that has the published attempts and no other fact."""
    for parent in models[MART]["depends_on"]["nodes"]:
        name = parent.split(".")[-1]
        if "__published_" in name and name != FACT:
            columns = ", ".join(
                f"{column['name']} {column['data_type']}"
                for column in models[name]["columns"].values()
            )
            connection.execute(f"create table warehouse.silver.{name} ({columns})")
    for name in (CALENDAR, MART):
        node = models[name]
        connection.execute(f"create table {node['relation_name']} as {node['compiled_code']}")


def metric_totals(
    connection: duckdb.DuckDBPyConnection,
    models: dict[str, Any],
    labelled: list[Row],
    atoms: dict[str, int],
) -> Iterator[Total]:
    """Day, set of atoms and value of each number of attempts that the figures of a day show.

    Asserts that these are all the figures there are: a week and a month are sums of their days, a
    rate is that of two others, and people are shown from k on.
    """
    build_metrics(connection, models)
    shown: dict[Cell, dict[str, float | None]] = defaultdict(dict)
    for row in rows_of(connection, f"select * from warehouse.gold.{MART}"):
        cell = tuple(
            row[k] for k in ("granularity", "period_start", "dimension", "dimension_value")
        )
        shown[cell][row["metric_name"]] = row["value"]
    members = published_cells(labelled)
    assert set(members) <= set(shown)
    for cell, values in shown.items():
        unknown = set(values) - {*COUNTS, *PEOPLE, *RATES} - PERCENTILES
        assert not unknown, f"not audited: {unknown}"
        yield from totals_of_cell(cell, values, members.get(cell, []), atoms)
    assert_longer_periods_are_sums(shown)


def totals_of_cell(
    cell: Cell, values: dict[str, float | None], rows: list[Row], atoms: dict[str, int]
) -> Iterator[Total]:
    granularity, start, *_ = cell
    for name, condition in {**COUNTS, **PEOPLE}.items():
        if name not in values:  # not split by a dimension of its own filter
            continue
        counted = [row for row in rows if condition(row)]
        if name in PEOPLE:
            people = len({row["subject_key"] for row in counted} - {None})
            assert values[name] == (people if people >= K else None if counted else 0), name
        else:
            assert values[name] == len(counted), name
        if granularity in ("hour", "day") and counted:
            yield start.date(), frozenset(atoms[r["event_id"]] for r in counted), len(counted)
    for name, (numerator, denominator) in RATES.items():
        if name in values:
            parts = values[numerator], values[denominator]
            is_known = parts[0] is not None and parts[1]
            assert values[name] == (parts[0] / parts[1] if is_known else None), name


def published_cells(labelled: list[Row]) -> dict[Cell, list[Row]]:
    """The published attempts behind each figure, an empty list where there are none."""
    cells: dict[Cell, list[Row]] = defaultdict(list)
    for row in labelled:
        if not row["is_published"]:
            continue
        day = datetime.combine(row["attempted_on"], datetime.min.time())
        starts = {
            "hour": row["published_hour"],
            "day": day,
            "week": day - timedelta(days=day.weekday()),
            "month": day.replace(day=1),
        }
        for granularity, start in starts.items():
            if start is not None:
                cells[granularity, start, "total", "all"].append(row)
                for dimension in DIMENSIONS:
                    cells[granularity, start, dimension, row[dimension]].append(row)
    return cells


def assert_longer_periods_are_sums(shown: dict[Cell, dict[str, float | None]]) -> None:
    """So nothing follows from a week or a month that does not from its days."""
    sums: dict[Cell, Counter[str]] = defaultdict(Counter)
    for (granularity, start, *dimension), values in shown.items():
        if granularity == "day":
            weeks = ("week", start - timedelta(days=start.weekday()), *dimension)
            months = ("month", start.replace(day=1), *dimension)
            for cell in (weeks, months):
                sums[cell].update({name: values[name] for name in COUNTS if name in values})
    longer = {cell: values for cell, values in shown.items() if cell[0] in ("week", "month")}
    assert set(longer) == set(sums)
    for cell, values in longer.items():
        for name in set(COUNTS) & set(values):
            assert values[name] == sums[cell][name], f"{name} is no sum of its days"
