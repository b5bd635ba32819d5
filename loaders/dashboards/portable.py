"""SQL that both engines read alike: what is not known to be so is refused.

DuckDB's own parser names the functions of a query. Those below mean the same on BigQuery; syntax
that DuckDB alone has is found in the text. That BigQuery takes what passes here is a test with
Google's own SQL engine, on every card.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import duckdb

_AGGREGATES = {"avg", "count", "count_star", "max", "min", "stddev_samp", "sum"}
_WINDOWS = {"dense_rank", "first_value", "lag", "last_value", "lead", "rank", "row_number"}
_NUMBERS = {"abs", "ceil", "floor", "greatest", "least", "round", "sign", "sqrt"}
_OTHERS = {"coalesce", "concat", "length", "lower", "nullif", "starts_with", "trim", "upper"}
FUNCTIONS = _AGGREGATES | _WINDOWS | _NUMBERS | _OTHERS
# How DuckDB's parser calls operators.
_OPERATORS = frozenset(["+", "-", "*", "/", "~~", "!~~", "isnull", "isnotnull", "row"])
_OURS = re.compile(r"{{.*?}}")
_IN_HAVING = re.compile(r"\bhaving\b(?:(?!\border\s+by\b).)*", re.IGNORECASE | re.DOTALL)
_TEXTS = re.compile(r"'(?:[^']|'')*'|--[^\n]*")
_FOREIGN = {
    r"::": "write cast(… as …)",
    r"\bilike\b": "use lower(…) like",
    r"\bexclude\b|\bcolumns\s*\(": "name the columns",
    r"\bfilter\s*\(": "use count(case when … end)",
    r"//": "use cast(floor(a / b) as int64)",
    r"\bdate_trunc\b": "take a mart of that period",
    r'"': "name columns without quotes",
    r"\[": "lists are written otherwise on each engine",
    r"\basof\b|\bpositional\b|\bsemi\s+join\b|\banti\s+join\b": "use exists (…)",
}
_SPELLED = re.compile(r"\bas\s+(\w+)\s*\)", re.IGNORECASE)
_CASTS = frozenset({"int64", "float64", "string", "date", "timestamp", "bool"})


def foreign(template: str, sql: str) -> Iterator[tuple[int, str]]:
    """What only one engine reads: the line in the template, and what to do. `sql` is DuckDB's."""
    ours = _OURS.sub("0", template)
    plain = _TEXTS.sub(lambda found: " " * len(found.group()), ours)
    for pattern, instead in _FOREIGN.items():
        for found in re.finditer(pattern, plain, re.IGNORECASE):
            line = plain[: found.start()].count("\n") + 1
            yield line, f"{found.group().strip()} is of DuckDB alone: {instead}"
    if not re.match(r"\s*(select|with)\b", plain, re.IGNORECASE):
        yield 1, "a query begins with select or with"
    for found in _SPELLED.finditer(plain):
        if re.search(r"\bcast\s*\([^()]*(\([^()]*\)[^()]*)*$", plain[: found.start()], re.I):
            type_ = found.group(1).lower()
            if type_ not in _CASTS:
                line = plain[: found.start()].count("\n") + 1
                yield line, f"{type_} is no type of both: use one of {', '.join(sorted(_CASTS))}"
    for found in _IN_HAVING.finditer(plain):
        for name in re.findall(r"\(\s*(\w+)\s*\)", found.group()):
            if re.search(rf"\bas\s+{name}\b", plain[: found.start()], re.IGNORECASE):
                line = plain[: found.start()].count("\n") + 1
                yield line, f"in having, BigQuery takes {name} for the sum: call that otherwise"
    for name in sorted(set(_functions(sql)) - FUNCTIONS - _OPERATORS):
        found_in = re.search(rf"\b{re.escape(name)}\s*\(", plain, re.IGNORECASE)
        line = plain[: found_in.start()].count("\n") + 1 if found_in else 1
        yield line, f"{name} may mean something else on BigQuery, or nothing. Do without it"


def _functions(sql: str) -> Iterator[str]:
    row = duckdb.execute("select json_serialize_sql(?)", [sql]).fetchone()
    tree = json.loads(row[0]) if row else {}
    yield from (name for name in _named(tree) if name)


def _named(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("function_name"), str):
            yield node["function_name"].lower()
        for value in node.values():
            yield from _named(value)
    elif isinstance(node, list):
        for value in node:
            yield from _named(value)
