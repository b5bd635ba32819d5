"""The SQL of a card, written for an engine.

What a card may write beside plain SQL that both engines speak:

    {{ ref('attempts_daily') }}               a mart of gold
    {{ filter('period', 'period_start') }}    what a filter of the dashboard leaves of a column
    {{ hours_ago(1) }}                        the beginning of the hour before this one
    {{ days_ago(7) }}                         the day a week ago
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from loaders.gold.marts import columns_of

_REF = re.compile(r"ref\(\s*'(\w+)'\s*\)")
_FILTER = re.compile(r"filter\(\s*'(\w+)'\s*,\s*'(\w+)'\s*\)")

# What a filter becomes, given its slug and the column of a mart.
Filtered = Callable[[str, "Column"], str]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a mart as a query names it."""

    mart: str
    name: str
    data_type: str

    def __str__(self) -> str:
        return f"{self.mart}.{self.name}"


@dataclass(frozen=True, slots=True)
class Engine:
    """Where queries run. `now` is fixed for who asks about another time than this."""

    name: str  # duckdb or bigquery
    tables: str  # what a table's name begins with
    now: datetime | None = None

    def table(self, mart: str) -> str:
        """A mart, as the engine names it."""
        name = f"{self.tables}.{mart}"
        return f"`{name.replace('.', '`.`')}`" if self.name == "bigquery" else name

    def hours_ago(self, number: int) -> str:
        """A timestamp."""
        if self.now is not None:
            began = self.now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=number)
            return f"timestamp '{began:%Y-%m-%d %H:%M:%S}'"
        if self.name == "bigquery":
            hour = "timestamp_trunc(current_timestamp(), hour)"
            return f"timestamp_sub({hour}, interval {int(number)} hour)"
        # Times of gold are naive UTC. So is this, in whatever time zone a connection is.
        hour = "date_trunc('hour', make_timestamp(epoch_us(now())))"
        return f"({hour} - interval {int(number)} hour)"

    def days_ago(self, number: int) -> str:
        """A date."""
        if self.now is not None:
            return f"date '{self.now.date() - timedelta(days=number)}'"
        if self.name == "bigquery":
            return f"date_sub(current_date(), interval {int(number)} day)"
        return f"(cast(make_timestamp(epoch_us(now())) as date) - {int(number)})"


class SqlError(Exception):
    """A template that cannot be written out. `line` is that of the template, if it is known."""

    def __init__(self, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.line = line


def marts_in(sql: str) -> list[str]:
    """The marts that a template names, in order."""
    return list(dict.fromkeys(_REF.findall(sql)))


def filters_in(sql: str) -> dict[str, Column]:
    """The filters of a template, and the column each is about. Raises SqlError."""
    found: dict[str, Column] = {}
    for call in _FILTER.finditer(sql):
        name, column = call.groups()
        line = sql[: call.start()].count("\n") + 1
        of = [mart for mart in marts_in(sql) if column in columns_of(mart)]
        if len(of) != 1:
            why = "none" if not of else "more than one"
            raise SqlError(f"{why} of the marts of the query has the column {column}", line)
        about = Column(of[0], column, columns_of(of[0])[column].data_type)
        if found.setdefault(name, about) != about:
            raise SqlError(f"the filter {name} is used for two columns", line)
    return found


def written(sql: str, engine: Engine, filtered: Filtered) -> str:
    """The SQL of a template. Raises SqlError."""
    columns = filters_in(sql)
    for call in re.finditer(r"{{.*?}}", sql, re.DOTALL):
        if "\n" in call.group():  # lines of errors would not be those of the file
            raise SqlError("an expression goes over two lines", sql[: call.start()].count("\n") + 1)
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
    environment.globals.clear()
    environment.globals.update(
        ref=engine.table,
        filter=lambda name, column: filtered(name, columns[name]),
        hours_ago=engine.hours_ago,
        days_ago=engine.days_ago,
    )
    try:
        return environment.from_string(sql).render()
    except TemplateSyntaxError as error:
        raise SqlError(error.message or "no template", error.lineno) from None
    except (TemplateError, KeyError, TypeError, ValueError) as error:
        raise SqlError(f"cannot be written out: {error}") from None
