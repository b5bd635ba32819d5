"""Files of any accepted format as blocks of JSON documents.

JSON lines, JSON arrays, CSV and Parquet, plain or compressed with gzip or zstd: the format is read
from the first bytes, not from the name. Whatever it is, what comes out is one JSON document per
record, so that one validation serves them all.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from loaders.errors import AssayError
from loaders.home import connect, quote
from loaders.landing import framing
from loaders.landing.framing import Frames

_PARQUET_ROWS = 50_000
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_CODECS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}


@dataclass(frozen=True, slots=True)
class Documents:
    """Records of one block.

    `table` has `line_number` int64 and `doc` large_string: the record as JSON text, null where it
    cannot be one. `raw(i)` gives the bytes of record i as they came, and `header` those of the
    header that a line of CSV is to be read with.
    """

    table: pa.Table
    raw: Callable[[int], bytes]
    header: bytes | None = None


def read_documents(
    path: Path, fields: Collection[str], on_bytes: Callable[[int], None]
) -> Iterator[Documents]:
    """Yield the records of a file, block by block. `on_bytes` hears how far reading has come.

    `fields` are names of which a table's header must have one, so that a text is not taken for CSV.
    Raises AssayError where the file cannot be read to its end. What was read until then must not
    stay: the whole file comes as another batch, and the part would be there twice.
    """
    try:
        yield from _read(path, frozenset(fields), on_bytes)
    except framing.EndlessRecordError:
        raise AssayError(
            f"{path.name}: a record is longer than {framing.MAX_OPEN_BYTES >> 20} MiB. "
            "Split the file; nothing of it was landed."
        ) from None


def read_again(raws: Sequence[bytes], header: bytes | None) -> Documents:
    """The records whose bytes were kept, `line_number` counting them from 1."""
    # An open quote would reach into the next record.
    framed = [raw if header is None or raw.count(b'"') % 2 == 0 else b"" for raw in raws]
    ends = np.cumsum([len(raw) + 1 for raw in framed])
    starts = np.concatenate(([0], ends[:-1]))
    numbers = np.arange(1, len(raws) + 1)
    frames = Frames(b"".join(raw + b"\n" for raw in framed), starts, ends, numbers)
    docs = frames.texts() if header is None else _csv_docs(frames, *_header(header, "the header"))
    table = pa.table({"line_number": pa.array(numbers), "doc": docs})
    return Documents(table, lambda index: raws[index], header)


def _read(
    path: Path, fields: frozenset[str], on_bytes: Callable[[int], None]
) -> Iterator[Documents]:
    with path.open("rb") as file:
        head = file.read(4)
    if head == b"PAR1":
        yield from _parquet(path, on_bytes)
        return
    with path.open("rb") as file:
        plain = _Counted(file, on_bytes)
        codec = next((c for magic, c in _CODECS.items() if head.startswith(magic)), None)
        stream: Any = (
            pa.CompressedInputStream(pa.PythonFile(plain, mode="r"), codec) if codec else plain
        )
        reader = _Peekable(stream, path.name)
        first = reader.peek().lstrip()[:1]
        if first == b"[":
            blocks = framing.array_elements(reader)
        elif first in (b"{", b""):
            blocks = framing.lines(reader)
        else:
            yield from _csv(framing.csv_records(reader), path.name, fields)
            return
        for frames in blocks:
            if len(frames):
                yield _documents(frames, frames.texts())


def _documents(frames: Frames, docs: pa.Array, header: bytes | None = None) -> Documents:
    table = pa.table({"line_number": pa.array(frames.lines), "doc": docs})

    def raw(index: int) -> bytes:
        return frames.raw(index).rstrip(b"\r\n")

    return Documents(table, raw, header)


def _csv(blocks: Iterator[Frames], name: str, fields: frozenset[str]) -> Iterator[Documents]:
    line = b""
    header: list[str] = []
    delimiter = ","
    for block in blocks:
        frames = block
        if not header and len(frames):
            line = frames.raw(0).rstrip(b"\r\n")
            header, delimiter = _header(line, name)
            if fields.isdisjoint(header):
                raise AssayError(
                    f"{name}: no data. It is neither JSON nor Parquet, and its first line names no "
                    "field of the table. If that is a header, say in a mapping what it means."
                )
            frames = frames.where(np.arange(len(frames)) > 0)
        if len(frames):
            yield _documents(frames, _csv_docs(frames, header, delimiter), line)


def _csv_docs(frames: Frames, header: list[str], delimiter: str) -> pa.Array:
    """The records as JSON, null where one is no row of the table."""
    is_row = _counted(frames, delimiter, True) == len(header) - 1
    is_row &= _counted(frames, '"', False) & 1 == 0
    is_row &= frames.texts().is_valid().to_numpy(zero_copy_only=False)
    docs = _csv_json(frames.where(is_row), header, delimiter)
    if is_row.all():
        return docs
    place = np.where(is_row, np.cumsum(is_row) - 1, -1)
    return docs.take(pa.array(place, mask=~is_row))


def _header(raw: bytes, name: str) -> tuple[list[str], str]:
    try:
        line = raw.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise AssayError(
            f"{name}: neither JSON, Parquet nor UTF-8 CSV. Convert it first."
        ) from None
    delimiter = max(",;\t|", key=line.count)
    try:
        header = [field.strip() for field in next(csv.reader([line], delimiter=delimiter))]
    except csv.Error:
        raise AssayError(
            f"{name}: neither JSON nor Parquet, and its first line is no CSV header."
        ) from None
    if len(set(header)) != len(header) or not all(header):
        raise AssayError(f"{name}: the header names a column twice or not at all. Mend the header.")
    return header, delimiter


def _counted(frames: Frames, sign: str, outside_quotes: bool) -> framing.Positions:
    """How often a sign stands in each record, anywhere or outside of quotes only."""
    block = np.frombuffer(frames.data, np.uint8)
    found = np.flatnonzero(block == ord(sign))
    if outside_quotes:
        found = framing.outside_quotes(block, found)
    return np.searchsorted(found, frames.ends) - np.searchsorted(found, frames.starts)


def _csv_json(frames: Frames, header: list[str], delimiter: str) -> pa.Array:
    """The records as JSON objects, null where one is no CSV row. Those are found by halving."""
    if not len(frames):
        return pa.array([], type=pa.large_string())
    text = frames.joined()
    try:
        rows = pa_csv.read_csv(
            pa.BufferReader(text),
            pa_csv.ReadOptions(column_names=header, use_threads=False, block_size=len(text) + 1),
            pa_csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, ignore_empty_lines=False
            ),
            pa_csv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()),
                strings_can_be_null=True,
                null_values=[""],
            ),
        )
    except pa.ArrowInvalid:
        rows = None
    if rows is not None and rows.num_rows == len(frames):
        return _json_objects(rows)
    if len(frames) == 1:
        return pa.array([None], type=pa.large_string())
    is_first = np.arange(len(frames)) < len(frames) // 2
    halves = (frames.where(is_first), frames.where(~is_first))
    return pa.concat_arrays([_csv_json(half, header, delimiter) for half in halves])


def _parquet(path: Path, on_bytes: Callable[[int], None]) -> Iterator[Documents]:
    try:
        file = pq.ParquetFile(path)
        batches = file.iter_batches(batch_size=_PARQUET_ROWS)
        size, total, first = path.stat().st_size, max(file.metadata.num_rows, 1), 1
        for batch in batches:
            docs = _json_objects(pa.Table.from_batches([batch]))
            numbers = np.arange(first, first + batch.num_rows)
            first += batch.num_rows
            on_bytes(size * batch.num_rows // total)
            yield Documents(
                pa.table({"line_number": pa.array(numbers), "doc": docs}), _raw_json(docs)
            )
    except (pa.ArrowException, OSError, duckdb.Error) as error:
        raise AssayError(
            f"{path.name}: not a whole Parquet file ({type(error).__name__}). "
            "Fetch the file again; nothing of it was landed."
        ) from None


def _raw_json(docs: pa.Array) -> Callable[[int], bytes]:
    return lambda index: str(docs[index].as_py()).encode()


def _json_objects(rows: pa.Table) -> pa.Array:
    """Each row as one JSON object, all columns in order."""
    exact = pa.schema([field.with_type(_exact(field.type)) for field in rows.schema])
    # A column's name may be any text, so it is a value here and never SQL's name for something.
    places = [f"c{place}" for place in range(rows.num_columns)]
    members = ", ".join(f"{quote(n)}, {p}" for n, p in zip(rows.column_names, places, strict=True))
    with connect() as connection:
        connection.register("given", rows.cast(exact).rename_columns(places))
        result = connection.sql(f"select cast(json_object({members}) as varchar) as doc from given")
        docs = result.to_arrow_table().column("doc").combine_chunks()
    return docs.cast(pa.large_string())


def _exact(kind: pa.DataType) -> pa.DataType:
    """The type in which JSON keeps every digit: DuckDB would write a decimal as a float."""
    if pa.types.is_decimal(kind):
        return pa.string()
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_exact(field.type)) for field in kind])
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(_exact(kind.value_type))
    return kind


class _Counted:
    """A binary file that tells how much of it was read."""

    def __init__(self, file: BinaryIO, on_bytes: Callable[[int], None]) -> None:
        self._file, self._on_bytes, self.closed = file, on_bytes, False

    def close(self) -> None:
        self.closed = True

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._on_bytes(len(data))
        return data


class _Peekable:
    """A stream whose beginning can be looked at before it is read."""

    def __init__(self, stream: Any, name: str) -> None:
        self._stream, self._name, self._head = stream, name, b""

    def peek(self) -> bytes:
        self._head = self._head or self._read(4096).removeprefix(_BYTE_ORDER_MARK)
        return self._head

    def read(self, size: int = -1) -> bytes:
        head, self._head = self._head, b""
        return head + self._read(size)

    def _read(self, size: int) -> bytes:
        try:
            return bytes(self._stream.read(size if size >= 0 else None))
        except OSError as error:
            raise AssayError(
                f"{self._name}: cannot be unpacked to its end ({type(error).__name__}). "
                "Fetch the file again; nothing of it was landed."
            ) from None
