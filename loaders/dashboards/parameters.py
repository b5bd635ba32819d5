"""What Metabase makes of the filters of a card, to try its SQL without a Metabase.

The conditions are those of its field filters: nothing chosen is `1 = 1`, days are a range, of a
timestamp one that ends before the next day.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

from loaders.dashboards.declared import Filter
from loaders.dashboards.sql import Column

_PAST = re.compile(r"^past(\d+)(day|week|month)s(~?)$")
_QUOTED = 'it\'s "one" of `none`'
TYPES = {"date": ("date", "timestamp"), "text": ("string",)}

Days = tuple[date, date]
Chosen = Days | tuple[str, ...] | None


def is_default(one: Filter) -> bool:
    """Whether the default of a filter is one that it can have."""
    return one.default is None or one.type == "text" or bool(_PAST.match(one.default))


def default(one: Filter, today: date) -> Chosen:
    """What is chosen when the dashboard opens."""
    if one.default is None:
        return None
    if one.type == "text":
        return (one.default,)
    found = _PAST.match(one.default)
    if not found:
        return None
    last = today if found[3] else today - timedelta(days=1)
    days = int(found[1]) * {"day": 1, "week": 7, "month": 31}[found[2]]
    return (today - timedelta(days=days), last)


def edges(one: Filter, today: date) -> list[Chosen]:
    """What else somebody may choose: nothing, what there is none of, several, what needs quotes."""
    if one.type == "date":
        return [None, (today, today), (date(1970, 1, 1), date(1970, 1, 2))]
    return [None, (_QUOTED,), ("one", "another")]


def condition(column: Column, chosen: Chosen, engine: str) -> str:
    """The SQL that a filter becomes."""
    if chosen is None:
        return "1 = 1"
    if isinstance(chosen[0], date):
        first, last = chosen
        if column.data_type == "timestamp":
            assert isinstance(last, date)
            after = last + timedelta(days=1)
            return (
                f"{column} >= timestamp '{first} 00:00:00' and "
                f"{column} < timestamp '{after} 00:00:00'"
            )
        return f"{column} between date '{first}' and date '{last}'"
    values = [_literal(str(value), engine) for value in chosen]
    return "(" + " or ".join(f"{column} = {value}" for value in values) + ")"


def _literal(text: str, engine: str) -> str:
    quote = "\\'" if engine == "bigquery" else "''"
    return "'" + text.replace("'", quote) + "'"
