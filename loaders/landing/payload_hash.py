"""The payload hash: SHA-256 of what was sent, the same for whatever format and spelling it came in.

A name stands before its value and absent ones are left out, so that a column that the contract
gains later changes no hash. Where it was made, and in which order, is not part of a payload.
"""

from __future__ import annotations

from collections.abc import Iterator

from loaders.contracts import Column
from loaders.landing.mapping import Mapping

# What stands between the fields, and how a value that holds it is written.
_SEPARATOR, _ESCAPE = "chr(31)", "chr(27)"
_NOT_PAYLOAD = ("producer", "sequence")


def payload_hash(columns: tuple[Column, ...], mapping: Mapping) -> str:
    """SQL for the hash, over the typed columns and the document `doc`.

    Only an escape in the document, or a mapping, can bring a separator into a value.
    """
    hashed = [column for column in columns if column.name not in _NOT_PAYLOAD]
    members = ", ".join(f"'{c.name}=' || {_canonical(c)}" for c in hashed)
    escaped = f"list_transform([{members}], lambda x: {_escaped('x')})"
    is_odd = any("\x1f" in value or "\x1b" in value for value in _values(mapping))
    return (
        f"sha256(case when {is_odd} or contains(doc, '\\u001') "
        f"then concat_ws({_SEPARATOR}, {escaped}) else concat_ws({_SEPARATOR}, {members}) end)"
    )


def _values(mapping: Mapping) -> Iterator[str]:
    yield from mapping.constants.values()
    for words in mapping.values.values():
        yield from filter(None, words.values())


def _canonical(column: Column) -> str:
    """A value as text."""
    if column.data_type == "timestamp":
        return f"cast(epoch_us({column.name}) as varchar)"
    if column.data_type == "string":
        return column.name
    return f"cast({column.name} as varchar)"


def _escaped(text: str) -> str:
    """The text without a separator, and unlike that of any other text."""
    without_escapes = f"replace({text}, {_ESCAPE}, {_ESCAPE} || 'e')"
    return f"replace({without_escapes}, {_SEPARATOR}, {_ESCAPE} || 's')"
