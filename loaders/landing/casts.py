"""SQL that reads a value out of the text that was sent: null where the text does not say one.

Each function takes a SQL expression for the text and gives a SQL expression. A text that is only
half understood is not understood: DuckDB's own casts ignore the end of `10:00:00 PM`, round `1.5`
and take `0x10` for a number, so the form of a text is checked before it is cast.
"""

from __future__ import annotations

from loaders.contracts import Column
from loaders.home import quote

# Units of a number that stands for a time, in microseconds.
EPOCHS = {"epoch_s": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1}
# Seconds from 1970, beyond which nothing is a time that an event can have.
_LAST_EPOCH = 1e11
# Whole numbers up to here are exact as floats (IEEE 754).
_EXACT_FLOAT = 2**53

_DATE_TIME = r"\d{4}-\d\d?-\d\d?[ T]\d\d?:\d\d(:\d\d(\.\d+)?)?"
_LOCAL = rf"\d{{4}}-\d\d?-\d\d?|{_DATE_TIME}"
_OFFSET = r"(Z|[+-](0\d|1[0-5])(:?[0-5]\d)?)"
_SPELLED_OFFSET = rf" ?({_OFFSET}|UTC|GMT)"

# How a time may be written, blanks around it aside, where no mapping says another format.
TIMES = (_LOCAL, _DATE_TIME + _OFFSET, _DATE_TIME + _SPELLED_OFFSET)

_WHOLE = "[+-]?[0-9]+"
_WHOLE_WITH_POINT = r"[+-]?[0-9]+\.0*"
_EXPONENT = r"[+-]?[0-9]+(\.[0-9]*)?[eE][+-]?[0-9]+"

# NaN and infinities, which DuckDB takes for JSON and writes as it found them.
_NOT_FINITE = r"(?i)[:\[,]\s*[+-]?(nan|inf)"
_JSON_STRING = r'"(?:[^"\\]|\\.)*"'


def typed(sent: str, column: Column, time_format: str | None, timezone: str) -> str:
    """The text as a value of the column's type. `time_format` and `timezone` are a mapping's."""
    match column.data_type:
        case "string":
            return sent
        case "timestamp":
            return timestamp(sent, time_format, timezone)
        case "int64":
            return integer(sent)
        case "float64":
            number = f"try_cast({sent} as double)"
            return f"case when isfinite({number}) then {number} end"
        case _:
            return f"try_cast({sent} as {column.duckdb_type})"


def timestamp(sent: str, time_format: str | None, timezone: str) -> str:
    """A time. One that names no zone is a time of `timezone`."""
    zone = quote(timezone)
    if time_format in EPOCHS:
        seconds = f"try_cast({sent} as double) * {EPOCHS[time_format] / 1e6}"
        is_near = f"{seconds} between -{_LAST_EPOCH} and {_LAST_EPOCH}"
        return f"case when {is_near} then to_timestamp({seconds}) end"
    if time_format:
        return f"try_strptime({sent}, {quote(time_format)}) at time zone {zone}"
    text = f"trim({sent})"
    # The connection's zone is UTC, so what has lost its `UTC` is read as such.
    plain = f"regexp_replace(regexp_replace({text}, ' ?(UTC|GMT|Z)$', ''), ' ([+-])', '\\1')"
    return (
        f"case when regexp_full_match({sent}, {quote(_DATE_TIME + _OFFSET)}) "
        f"then try_cast({sent} as timestamptz) "
        f"when regexp_full_match({text}, {quote(_LOCAL)}) "
        f"then try_cast({text} as timestamp) at time zone {zone} "
        f"when regexp_full_match({text}, {quote(_DATE_TIME + _SPELLED_OFFSET)}) "
        f"then try_cast({plain} as timestamptz) end"
    )


def integer(sent: str) -> str:
    """A whole number of 64 bits, also where a float column carried it (`123.0`, `1e3`)."""
    number = f"try_cast({sent} as double)"
    return (
        f"case when regexp_full_match({sent}, '{_WHOLE}') then try_cast({sent} as bigint) "
        f"when regexp_full_match({sent}, '{_WHOLE_WITH_POINT}') "
        f"then try_cast(split_part({sent}, '.', 1) as bigint) "
        f"when regexp_full_match({sent}, '{_EXPONENT}') "
        f"and {number} = trunc({number}) and abs({number}) < {_EXACT_FLOAT} "
        f"then cast({number} as bigint) end"
    )


def minor_units(sent: str, exponent: int) -> str:
    """A decimal amount in units of its last decimal place, of which there are `exponent`.

    Digits are moved, never computed with. Further places that hold a zero change nothing; any other
    amount has no whole number of such units, and is null.
    """
    whole, places = (f"split_part({sent}, '.', {part})" for part in (1, 2))
    digits = f"{whole} || rpad(left({places}, {exponent}), {exponent}, '0')"
    is_amount = f"regexp_full_match({sent}, '{_WHOLE}(\\.[0-9]{{0,{exponent}}}0*)?')"
    return f"case when {is_amount} then try_cast({digits} as bigint) end"


def word(sent: str, spellings: dict[str, str]) -> str:
    """A word of a vocabulary, {spelling: value}, as the vocabulary spells it."""
    spelled = f"trim(regexp_replace(lower({sent}), '[^a-z0-9]+', '_', 'g'), '_')"
    pairs = ", ".join(f"{quote(s)}: {quote(value)}" for s, value in spellings.items())
    values = ", ".join(quote(value) for value in sorted(set(spellings.values())))
    # As a case of many arms, it would be spelled anew for each of them.
    return f"case when {sent} in ({values}) then {sent} else map {{{pairs}}}[{spelled}] end"


def holds_no_number(text: str) -> str:
    """Whether JSON holds NaN or an infinity, which only DuckDB calls JSON."""
    without_strings = f"regexp_replace({text}, {quote(_JSON_STRING)}, '\"\"', 'g')"
    return (
        f"regexp_matches({text}, {quote(_NOT_FINITE)}) "
        f"and regexp_matches({without_strings}, {quote(_NOT_FINITE)})"
    )
