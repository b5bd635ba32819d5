"""What a contract lets one expect of a batch: the suite of a bronze table, made from its yml.

Nothing here needs Great Expectations; `check_engine` puts the names into its classes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from loaders.contracts import Column, Contract
from loaders.contracts.vocabulary import words_of
from loaders.landing.validation import FUTURE_DAYS, OLDEST

# Values that differ from batch to batch are parameters of a suite.
BATCH_ID = {"$PARAMETER": "batch_ids"}
ROWS = {"$PARAMETER": "rows"}


@dataclass(frozen=True, slots=True)
class Expectation:
    """One expectation: its name in Great Expectations, its column if it has one, its arguments."""

    kind: str
    column: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict)


def columns_of(contract: Contract, there: list[str], version: str) -> list[Column]:
    """The columns that a batch of `version` must have; `there` are those that it has.

    A column that came with a later version may be missing, and is expected where it is there.
    """
    return [
        column
        for column in contract.kept_columns
        if column.name in there or not is_later(column.since, version)
    ]


def expectations_of(contract: Contract, columns: list[Column], now: datetime) -> list[Expectation]:
    """The suite of a table for batches that have these columns."""
    names = [column.name for column in columns]
    suite = [
        Expectation("expect_table_row_count_to_equal", None, {"value": ROWS}),
        Expectation("expect_table_columns_to_match_ordered_list", None, {"column_list": names}),
    ]
    for column in columns:
        suite.append(Expectation("expect_column_to_exist", column.name))
        suite.append(
            Expectation(
                "expect_column_values_to_be_of_type", column.name, {"type_": column.data_type}
            )
        )
        suite += _of_values(column, now)
    if "batch_id" in names:
        suite.append(
            Expectation("expect_column_values_to_be_in_set", "batch_id", {"value_set": BATCH_ID})
        )
    # One line may unfold into several rows, and then their keys differ.
    identity = [n for n in dict.fromkeys(("batch_id", "line_number", contract.key)) if n in names]
    if len(identity) == 1:
        suite.append(Expectation("expect_column_values_to_be_unique", identity[0]))
    else:
        arguments = {"column_list": identity}
        suite.append(Expectation("expect_compound_columns_to_be_unique", None, arguments))
    return suite


def value_columns(suite: list[Expectation]) -> set[str]:
    """The columns whose values a suite looks at. Of the others it needs the type alone."""
    about_values = [e for e in suite if e.kind not in _OF_SHAPE]
    lists = [e.arguments["column_list"] for e in about_values if "column_list" in e.arguments]
    return {e.column for e in about_values if e.column} | {
        name for names in lists for name in names
    }


_OF_SHAPE = (
    "expect_column_to_exist",
    "expect_column_values_to_be_of_type",
    "expect_table_columns_to_match_ordered_list",
)


def _of_values(column: Column, now: datetime) -> list[Expectation]:
    found = []
    if column.required or column.set_by:
        found.append(Expectation("expect_column_values_to_not_be_null", column.name))
    words = list(column.accepted)
    if column.vocabulary:
        words = words_of(column.vocabulary) + ([column.unknown] if column.unknown else [])
    if words:
        found.append(
            Expectation("expect_column_values_to_be_in_set", column.name, {"value_set": words})
        )
    least, greatest = column.min, column.max
    bounds: dict[str, Any] = {"min_value": least, "max_value": greatest}
    if column.data_type == "timestamp":
        bounds = {
            "min_value": datetime.fromisoformat(OLDEST).replace(tzinfo=UTC),
            "max_value": now + timedelta(days=FUTURE_DAYS),
        }
    if any(bound is not None for bound in bounds.values()):
        found.append(Expectation("expect_column_values_to_be_between", column.name, bounds))
    return found


def is_later(since: str | None, version: str) -> bool:
    """Whether a column came with a later version than this one."""
    return since is not None and _parts(since) > _parts(version)


def _parts(version: str) -> list[int]:
    return [int(part) for part in version.split(".")[:3] if part.isdigit()]
