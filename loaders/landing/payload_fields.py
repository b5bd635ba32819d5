"""SQL for a payload that a mapping fills from fields of the record."""

from __future__ import annotations

import json
from collections.abc import Callable

from loaders.home import quote
from loaders.landing import casts
from loaders.landing.mapping import Mapping, PayloadField
from loaders.landing.overflow import pointer

# DuckDB reads a number with a point as a double. That has 15 digits for sure, and the point is a
# sign more.
_EXACT_SIGNS = 16


def filled(mapping: Mapping, text: Callable[[str], str]) -> str:
    """The payload as JSON. Fields that are absent or null are left out.

    `text` gives the SQL of a source field's text. Reads `doc`.
    """
    members = [
        f"{quote(json.dumps(name) + ':')} || {_value(given, text)}"
        for name, given in mapping.payload.items()
    ]
    return f"'{{' || concat_ws(',', {', '.join(members)}) || '}}'"


def no_amounts(mapping: Mapping, text: Callable[[str], str]) -> str:
    """Pointers of the fields whose amount is none, with spaces between them; null without any."""
    cases = [
        f"case when {text(given.source)} != '' and {_minor_units(given, text)} is null "
        f"then {quote(f'/{mapping.filled}/{name}')} end"
        for name, given in mapping.payload.items()
        if given.source and given.exponent is not None
    ]
    return f"nullif(concat_ws(' ', {', '.join(cases)}), '')" if cases else "cast(null as varchar)"


def _value(given: PayloadField, text: Callable[[str], str]) -> str:
    if given.source is None:
        return quote(given.constant or "null")
    if given.exponent is not None:
        return f"cast({_minor_units(given, text)} as varchar)"
    value = f"cast(json_extract(doc, {quote(pointer(given.source))}) as varchar)"
    return f"case when {text(given.source)} is not null then {value} end"


def _minor_units(given: PayloadField, text: Callable[[str], str]) -> str:
    """The amount of a text, or of a number of JSON that a double holds to the last digit."""
    source = given.source or ""
    sent = text(source)
    is_double = f"json_type(doc, {quote(pointer(source))}) = 'DOUBLE'"
    is_rounded = f"length({sent}) > {_EXACT_SIGNS} and {is_double}"
    return f"case when not ({is_rounded}) then {casts.minor_units(sent, given.exponent or 0)} end"
