"""Framing against slow, obvious implementations, with blocks so small that records straddle them.

A failure prints the example and the `@reproduce_failure` line that repeats it.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from unittest.mock import patch

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from landed import LONG

from loaders.landing import framing
from loaders.landing.framing import Frames

EXAMPLES = 5_000 if LONG else 200
thoroughly = settings(
    max_examples=EXAMPLES,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)

blocks = st.integers(1, 40)
bites = st.integers(1, 50)
# Bytes that mean something to a framer, and some that do not.
rough = st.lists(
    st.sampled_from([b"\n", b"\r\n", b"\r", b'"', b"\\", b",", b"[", b"]", b"{", b"}", b" "])
    | st.sampled_from([b"a", b"\xff", "東".encode(), b"\x00", b'""', b"1"]),
    max_size=60,
).map(b"".join)
cells = st.text(st.sampled_from("ab\",;\r\n 東\t|'{}[]"), max_size=12)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.sampled_from('ab"\\,[]{}\n\t 東/\u2028'), max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.sampled_from('a"\\,]}'), max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


class Trickle:
    """A stream that gives at most a bite at a time, as an unpacker does."""

    def __init__(self, data: bytes, bite: int) -> None:
        self._file, self._bite = io.BytesIO(data), bite

    def read(self, size: int = -1, /) -> bytes:
        return self._file.read(min(size, self._bite) if size >= 0 else -1)


def framed(
    framer: Callable[[framing.Readable], Iterator[Frames]], data: bytes, block: int, bite: int
) -> list[tuple[int, bytes]]:
    """Line and bytes of every record."""
    with patch.object(framing, "BLOCK_BYTES", block):
        return [
            (int(frames.lines[i]), frames.raw(i))
            for frames in framer(Trickle(data, bite))
            for i in range(len(frames))
        ]


def filled(records: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Without the records of white space only."""
    return [(line, raw) for line, raw in records if raw.strip()]


def cut_at_newlines(data: bytes) -> list[tuple[int, bytes]]:
    pieces = data.split(b"\n")
    ended = [piece + b"\n" for piece in pieces[:-1]] + pieces[-1:]
    return list(enumerate(ended, 1))


def cut_outside_quotes(data: bytes) -> list[tuple[int, bytes]]:
    """One step per byte: a line break ends a record unless a quote is open."""
    records, begun, line, start, is_quoted = [], 0, 1, 1, False
    for position, byte in enumerate(data):
        is_quoted ^= byte == ord('"')
        line += byte == ord("\n")
        if byte == ord("\n") and not is_quoted:
            records.append((start, data[begun : position + 1]))
            begun, start = position + 1, line
    return [*records, (start, data[begun:])]


def cut_array(data: bytes) -> list[tuple[int, bytes]]:
    """One step per byte: elements of what follows the opening bracket, then what follows the end.

    A backslash takes the next byte with it; a closing brace that nothing opened ends the array.
    """
    elements, element, depth, is_text, is_escaped = [], bytearray(), 0, False, False
    for position, byte in enumerate(data):
        sign = chr(byte)
        if sign == '"' and not is_escaped:
            is_text = not is_text
        elif not is_text and sign in "{[":
            depth += 1
        elif not is_text and sign in "}]":
            depth -= 1
        is_escaped = sign == "\\" and not is_escaped
        if depth < 0:
            elements += [bytes(element), data[position + 1 :].strip()]
            return list(enumerate(elements, 1))
        if sign == "," and not is_text and depth == 0:
            elements.append(bytes(element))
            element = bytearray()
        else:
            element.append(byte)
    return list(enumerate([*elements, bytes(element)], 1))


@thoroughly
@given(rough, blocks, bites)
@example(b"a\n" * 20, 1, 1)
@example(b"\n\n\r\n a", 3, 2)
def test_lines_are_what_split_gives(data: bytes, block: int, bite: int):
    """Every line that is not blank, with its number, whatever the size of the blocks."""
    found = framed(framing.lines, data, block, bite)
    assert filled(found) == filled(cut_at_newlines(data))


@thoroughly
@given(rough, blocks, bites)
def test_lines_lose_no_byte(data: bytes, block: int, bite: int):
    """What is not in a record is a blank line."""
    found = dict(framed(framing.lines, data, block, bite))
    cut = cut_at_newlines(data)
    assert b"".join(found.get(line, b"") for line, _ in cut) == b"".join(
        raw for line, raw in cut if line in found
    )
    assert all(not raw.strip() for line, raw in cut if line not in found)


@thoroughly
@given(
    st.integers(2, 5).flatmap(
        # A row of white space is a blank line, where tabs part its cells.
        lambda width: st.lists(
            st.lists(cells, min_size=width, max_size=width).filter(
                lambda row: "".join(row).strip()
            ),
            max_size=12,
        )
    ),
    st.sampled_from([("\r\n", csv.QUOTE_MINIMAL), ("\r\n", csv.QUOTE_ALL), ("\n", csv.QUOTE_ALL)]),
    st.sampled_from(",;\t|"),
    st.booleans(),
    blocks,
    bites,
)
def test_csv_records_are_what_the_csv_module_wrote(
    rows: list[list[str]],
    style: tuple[str, int],
    delimiter: str,
    is_ended: bool,
    block: int,
    bite: int,
):
    """One record per row, and the csv module reads each back as that row."""
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter, lineterminator=style[0], quoting=style[1])
    begun = []
    for row in rows:
        begun.append(file.getvalue().count("\n") + 1)
        writer.writerow(row)
    text = file.getvalue() if is_ended else file.getvalue().removesuffix(style[0])
    found = framed(framing.csv_records, text.encode(), block, bite)
    assert [line for line, _ in found] == begun
    read = [
        next(csv.reader(io.StringIO(raw.decode(), newline=""), delimiter=delimiter))
        for _, raw in found
    ]
    assert read == rows
    assert b"".join(raw for _, raw in found) == text.encode()


@thoroughly
@given(rough, blocks, bites)
@example(b'"\n\n', 1, 1)
def test_csv_records_of_any_bytes(data: bytes, block: int, bite: int):
    """Quotes that never close, or stand where they should not, lose nothing either."""
    found = framed(framing.csv_records, data, block, bite)
    expected = cut_outside_quotes(data)
    assert b"".join(raw for _, raw in expected) == data
    assert filled(found) == filled(expected)


@thoroughly
@given(
    st.lists(json_values, max_size=8),
    st.sampled_from([None, 0, 2]),
    st.booleans(),
    st.sampled_from(["", " ", "\n"]),
    blocks,
    bites,
)
def test_array_elements_are_what_json_wrote(
    values: list[object], indent: int | None, is_ascii: bool, around: str, block: int, bite: int
):
    """Each record is one element, numbered from 1, and json reads each back as that element."""
    text = json.dumps(values, indent=indent, ensure_ascii=is_ascii) + around
    found = framed(framing.array_elements, text.encode(), block, bite)
    assert [json.loads(raw) for _, raw in found] == values
    assert [number for number, _ in found] == list(range(1, len(values) + 1))


@thoroughly
@given(rough, blocks, bites)
@example(b'{"a":"\\\\"},{"b":"]"}] ,rest', 4, 3)
@example(b"] [1] ", 1, 1)
def test_array_elements_of_any_bytes(data: bytes, block: int, bite: int):
    """Broken arrays fall into the same pieces as one step per byte gives, rest included."""
    found = framed(framing.array_elements, b"[" + data, block, bite)
    assert filled(found) == filled(cut_array(data))


@thoroughly
@given(rough, blocks)
def test_texts_are_null_where_bytes_are_no_utf8(data: bytes, block: int):
    """One broken record does not spoil its neighbours."""

    def decoded(raw: bytes) -> str | None:
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return None

    with patch.object(framing, "BLOCK_BYTES", block):
        for frames in framing.lines(io.BytesIO(data)):
            if len(frames):
                raws = [frames.raw(i) for i in range(len(frames))]
                assert frames.texts().to_pylist() == [decoded(raw) for raw in raws]


def test_a_record_of_many_blocks_is_one_record():
    """A record may be larger than a block, by any factor."""
    record = b'{"a":"' + b"x" * 10_000 + b'"}'
    for framer, data in (
        (framing.lines, record + b"\n" + record),
        (framing.csv_records, record + b"\n" + record),
        (framing.array_elements, b"[" + record + b"," + record + b"]"),
    ):
        found = framed(framer, data, 64, 64)
        assert [raw.strip() for _, raw in found] == [record, record]


def test_the_bracket_may_stand_behind_the_first_read():
    """A stream may give white space only, at first."""
    assert framed(framing.array_elements, b"  [1, 2]", 1, 1) == [(1, b"1"), (2, b" 2")]


def test_a_blank_line_is_no_record_however_long():
    """White space between records, or in an empty array, is nobody's record."""
    assert framed(framing.lines, b"a\n    \n\t\t\t\nb\n", 40, 40) == [(1, b"a\n"), (4, b"b\n")]
    assert framed(framing.array_elements, b"[\n  \n]", 40, 40) == []
    assert framed(framing.array_elements, b"[ 1,\n    ]", 40, 40) == [(1, b" 1")]
