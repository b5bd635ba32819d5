"""The overflow: a JSON column that keeps what no other column takes, so that no value is lost."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from loaders.contracts import Column
from loaders.home import quote

# The JSON pointer (RFC 6901) of the field whose name SQL calls f.
_POINTER_OF_F = "'/' || replace(replace(f, '~', '~0'), '/', '~1')"


def pointer(field: str) -> str:
    """The JSON pointer of a field."""
    return "/" + field.replace("~", "~0").replace("/", "~1")


def first(texts: Iterable[str]) -> str:
    """SQL for the first of the texts that is not null."""
    given = list(texts)
    return f"coalesce({', '.join(given)})" if len(given) > 1 else given[0]


def left_over(columns: Sequence[Sequence[tuple[str, str]]]) -> str:
    """SQL for the list of fields with a value that no column takes.

    They are undeclared, or another field of their column came first; `columns` has the fields of
    each column with the SQL of their text, in the order of preference. Reads `doc`, `undeclared`
    and `has_doubles`.
    """
    is_null = f"json_type(doc, {_POINTER_OF_F}) = 'NULL'"
    found = f"list_filter(undeclared, lambda f: not {is_null})"
    losers = [
        f"case when {text} != {first(earlier for _, earlier in fields[:place])} "
        f"then [{quote(field)}] else [] end"
        for fields in columns
        for place, (field, text) in enumerate(fields)
        if place > 0
    ]
    if losers:
        found += f" || case when has_doubles then {' || '.join(losers)} else [] end"
    return (
        f"case when len(undeclared) > 0 or has_doubles then {found} else cast([] as varchar[]) end"
    )


def overflow(column: Column, columns: Sequence[Column]) -> str:
    """SQL for the overflow column: its own value, joined by what is left over and unknown words.

    Written as text, so that numbers of any size come through. Where a name would be there twice,
    the sender's own object stands beside the rest, under the column's name.
    """
    own, name = f"{column.name}_sent", quote(json.dumps(column.name) + ":")
    unknown = {
        c.name: f"({c.name}_word is null and {c.name}_sent is not null)"
        for c in columns
        if c.unknown is not None
    }
    names = " || ".join(
        ["left_over"]
        + [f"case when {is_so} then [{quote(c)}] else [] end" for c, is_so in unknown.items()]
    )
    value = f"cast(json_extract(doc, {_POINTER_OF_F}) as varchar)"
    members = [
        f"list_transform(left_over, lambda f: cast(to_json(f) as varchar) || ':' || {value})"
    ]
    members += [
        f"case when {is_so} then [{quote(json.dumps(c) + ':')} || "
        f"cast(to_json({c}_sent) as varchar)] else [] end"
        for c, is_so in unknown.items()
    ]
    # DuckDB may read ahead of a condition: what is no JSON must be null, not an error.
    json_of_own = f"try_cast({own} as json)"
    is_object = f"coalesce(json_type({json_of_own}) = 'OBJECT', false)"
    base = (
        f"case when {own} is null then [] "
        f"when not {is_object} then [{name} || cast(to_json({own}) as varchar)] "
        f"when list_has_any(json_keys({json_of_own}), {names}) then [{name} || {own}] "
        f"when len(json_keys({json_of_own})) = 0 then [] "
        f"else [trim({own}, ' \t\r\n')[2:-2]] end"
    )
    joined = f"array_to_string({' || '.join([base, *members])}, ',')"
    has_more = " or ".join(["len(left_over) > 0", *unknown.values()])
    return f"case when {has_more} then '{{' || {joined} || '}}' else {own} end"
