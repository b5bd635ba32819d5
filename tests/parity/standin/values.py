"""Types and values: between Python, GoogleSQL's encoding, and what the REST protocol carries."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, localcontext
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from zetasql.wasi._pb2.zetasql.public import type_pb2
from zetasql.wasi._pb2.zetasql.public.type_pb2 import TypeProto
from zetasql.wasi._pb2.zetasql.public.value_pb2 import ValueProto

from .googlesql import Column, Rows, Scalar

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BIGNUMERIC_DIGITS = 90

ARRAY, STRUCT = type_pb2.TYPE_ARRAY, type_pb2.TYPE_STRUCT
KINDS = {
    "INT64": type_pb2.TYPE_INT64,
    "FLOAT64": type_pb2.TYPE_DOUBLE,
    "BOOL": type_pb2.TYPE_BOOL,
    "STRING": type_pb2.TYPE_STRING,
    "BYTES": type_pb2.TYPE_BYTES,
    "DATE": type_pb2.TYPE_DATE,
    "DATETIME": type_pb2.TYPE_DATETIME,
    "TIME": type_pb2.TYPE_TIME,
    "TIMESTAMP": type_pb2.TYPE_TIMESTAMP,
    "NUMERIC": type_pb2.TYPE_NUMERIC,
    "BIGNUMERIC": type_pb2.TYPE_BIGNUMERIC,
    "JSON": type_pb2.TYPE_JSON,
    "INTERVAL": type_pb2.TYPE_INTERVAL,
    "GEOGRAPHY": type_pb2.TYPE_GEOGRAPHY,
}
NAMES = {kind: name for name, kind in KINDS.items()}
# The protocol's own names, where they differ from SQL's.
_PROTOCOL_NAMES = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN"}
_ALIASES = {protocol: name for name, protocol in _PROTOCOL_NAMES.items()} | {"INT": "INT64"}


def simple_type(name: str) -> TypeProto:
    """A type without parts, by any of its names."""
    name = name.upper()
    return TypeProto(type_kind=KINDS[_ALIASES.get(name, name)])


def protocol_name(name: str) -> str:
    """The protocol's own name of a type, by any of its names."""
    name = name.upper()
    return {"STRUCT": "RECORD", "INT": "INTEGER"}.get(name) or _PROTOCOL_NAMES.get(name, name)


def array_of(element: TypeProto) -> TypeProto:
    """The type of an array."""
    array = TypeProto(type_kind=ARRAY)
    array.array_type.element_type.CopyFrom(element)
    return array


def struct_of(columns: list[Column]) -> TypeProto:
    """The type of a struct."""
    struct = TypeProto(type_kind=STRUCT)
    struct.struct_type.SetInParent()
    for column in columns:
        struct.struct_type.field.add(field_name=column.name, field_type=column.type)
    return struct


def type_name(kind: TypeProto) -> str:
    """A type as SQL spells it."""
    if kind.type_kind == ARRAY:
        return f"ARRAY<{type_name(kind.array_type.element_type)}>"
    if kind.type_kind == STRUCT:
        parts = (f"{f.field_name} {type_name(f.field_type)}" for f in kind.struct_type.field)
        return f"STRUCT<{', '.join(parts)}>"
    return NAMES[kind.type_kind]


def to_field(column: Column, **properties: Any) -> dict[str, Any]:
    """A column as a field of a REST schema."""
    kind, mode = column.type, "NULLABLE"
    if kind.type_kind == ARRAY:
        kind, mode = kind.array_type.element_type, "REPEATED"
    made: dict[str, Any] = {"name": column.name, "mode": mode}
    if kind.type_kind == STRUCT:
        parts = (Column(f.field_name, f.field_type) for f in kind.struct_type.field)
        made.update(type="RECORD", fields=[to_field(part) for part in parts])
    else:
        name = NAMES[kind.type_kind]
        made["type"] = _PROTOCOL_NAMES.get(name, name)
    return {**made, **properties}


def to_column(field: dict[str, Any]) -> Column:
    """A field of a REST schema as a column."""
    if field["type"].upper() in ("RECORD", "STRUCT"):
        kind = struct_of([to_column(part) for part in field["fields"]])
    else:
        kind = simple_type(field["type"])
    repeated = field.get("mode", "NULLABLE").upper() == "REPEATED"
    return Column(field["name"], array_of(kind) if repeated else kind)


@dataclass(frozen=True)
class _Codec:
    """Where the engine's encoding holds a simple value, and how it is written, read, and parsed."""

    held_as: str
    write: Callable[[Any], Any] = lambda value: value
    read: Callable[[Any], Any] = lambda value: value
    parse: Callable[[str], Any] = lambda text: text


def _decimal(held_as: str, scale: int) -> _Codec:
    """Decimals of a scale: an integer, little-endian, in two's complement."""

    def write(value: Any) -> bytes:
        with localcontext(prec=_BIGNUMERIC_DIGITS):
            scaled = int(Decimal(value).scaleb(scale).to_integral_value())
        return scaled.to_bytes((scaled.bit_length() + 8) // 8, "little", signed=True)

    def read(data: bytes) -> Decimal:
        with localcontext(prec=_BIGNUMERIC_DIGITS):
            return Decimal(int.from_bytes(data, "little", signed=True)).scaleb(-scale)

    return _Codec(held_as, write, read, Decimal)


def _clock(value: time | datetime) -> int:
    return value.hour << 12 | value.minute << 6 | value.second


def _read_time(bits: int) -> time:
    clock = bits >> 30
    return time(clock >> 12, clock >> 6 & 63, clock & 63, (bits & (1 << 30) - 1) // 1000)


def _write_datetime(value: datetime) -> ValueProto.Datetime:
    day = value.year << 9 | value.month << 5 | value.day
    return ValueProto.Datetime(
        bit_field_datetime_seconds=day << 17 | _clock(value), nanos=value.microsecond * 1000
    )


def _read_datetime(held: ValueProto.Datetime) -> datetime:
    bits = held.bit_field_datetime_seconds
    day = (bits >> 26, bits >> 22 & 15, bits >> 17 & 31)
    return datetime(*day, bits >> 12 & 31, bits >> 6 & 63, bits & 63, held.nanos // 1000)


def _write_timestamp(value: datetime) -> Timestamp:
    passed = (value if value.tzinfo else value.replace(tzinfo=UTC)) - EPOCH
    seconds = passed.days * 86400 + passed.seconds
    return Timestamp(seconds=seconds, nanos=passed.microseconds * 1000)


def _read_timestamp(held: Timestamp) -> datetime:
    return EPOCH + timedelta(seconds=held.seconds, microseconds=held.nanos // 1000)


def _parse_timestamp(text: str) -> datetime:
    moment = datetime.fromisoformat(text.replace(" UTC", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _parse_bool(text: str) -> bool:
    known = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
    if text.lower() not in known:
        raise ValueError(f"not a bool: {text}")
    return known[text.lower()]


def _parse_json(text: str) -> str:
    json.loads(text)
    return text


def _read_interval(data: bytes) -> str:
    """An interval as BigQuery prints it: years-months days hours:minutes:seconds."""
    micros = int.from_bytes(data[:8], "little", signed=True)
    days = int.from_bytes(data[8:12], "little", signed=True)
    bits = int.from_bytes(data[12:16], "little")  # sign, 18 bits of months, nanoseconds
    months = (bits >> 13 & 0x3FFFF) * (-1 if bits >> 31 else 1)
    seconds, fraction = divmod(abs(micros), 1_000_000)
    clock = f"{seconds // 3600}:{seconds // 60 % 60}:{seconds % 60}"
    clock = ("-" if micros < 0 else "") + clock + (f".{fraction:06d}" if fraction else "")
    calendar = ("-" if months < 0 else "") + f"{abs(months) // 12}-{abs(months) % 12}"
    return f"{calendar} {days} {clock}"


_CODECS = {
    "INT64": _Codec("int64_value", parse=int),
    "FLOAT64": _Codec("double_value", parse=float),
    "BOOL": _Codec("bool_value", parse=_parse_bool),
    "STRING": _Codec("string_value"),
    "BYTES": _Codec("bytes_value", parse=lambda text: base64.b64decode(text, validate=True)),
    "JSON": _Codec("json_value", parse=_parse_json),
    "NUMERIC": _decimal("numeric_value", 9),
    "BIGNUMERIC": _decimal("bignumeric_value", 38),
    "DATE": _Codec(
        "date_value",
        lambda day: (day - EPOCH.date()).days,
        lambda days: EPOCH.date() + timedelta(days=days),
        date.fromisoformat,
    ),
    "TIME": _Codec(
        "time_value",
        lambda value: _clock(value) << 30 | value.microsecond * 1000,
        _read_time,
        time.fromisoformat,
    ),
    "DATETIME": _Codec("datetime_value", _write_datetime, _read_datetime, datetime.fromisoformat),
    "TIMESTAMP": _Codec("timestamp_value", _write_timestamp, _read_timestamp, _parse_timestamp),
    "INTERVAL": _Codec("interval_value", read=_read_interval),
}


def encode(value: Any, kind: TypeProto) -> ValueProto:
    """A Python value as the engine reads it. A stored array is never null."""
    if kind.type_kind == ARRAY:
        element = kind.array_type.element_type
        items = [encode(item, element) for item in value or ()]
        return ValueProto(array_value=ValueProto.Array(element=items))
    if value is None:
        return ValueProto()
    if kind.type_kind == STRUCT:
        parts = [encode(value.get(p.field_name), p.field_type) for p in kind.struct_type.field]
        return ValueProto(struct_value=ValueProto.Struct(field=parts))
    codec = _CODECS[NAMES[kind.type_kind]]
    return ValueProto(**{codec.held_as: codec.write(value)})


def decode(proto: ValueProto, kind: TypeProto) -> Any:
    """An encoded value as Python has it: decimals, UTC timestamps, lists and dicts."""
    if kind.type_kind == ARRAY:  # a null array is an empty one to readers
        return [decode(item, kind.array_type.element_type) for item in proto.array_value.element]
    if proto.WhichOneof("value") is None:
        return None
    if kind.type_kind == STRUCT:
        parts = enumerate(zip(proto.struct_value.field, kind.struct_type.field, strict=True), 1)
        return {
            part.field_name or f"_field_{place}": decode(item, part.field_type)
            for place, (item, part) in parts
        }
    codec = _CODECS[NAMES[kind.type_kind]]
    return codec.read(getattr(proto, codec.held_as))


def to_cell(value: Any, kind: TypeProto) -> Any:
    """A Python value as a REST answer carries it: text, mostly."""
    if kind.type_kind == ARRAY:
        return [{"v": to_cell(item, kind.array_type.element_type)} for item in value]
    if value is None:
        return None
    if kind.type_kind == STRUCT:
        parts = zip(value.values(), kind.struct_type.field, strict=True)
        return {"f": [{"v": to_cell(item, part.field_type)} for item, part in parts]}
    return _TO_TEXT.get(NAMES[kind.type_kind], str)(value)


def _float_text(value: float) -> str:
    return {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}.get(str(value), str(value))


def _decimal_text(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


_TO_TEXT: dict[str, Callable[[Any], str]] = {
    "BOOL": lambda value: str(value).lower(),
    "BYTES": lambda value: base64.b64encode(value).decode(),
    "FLOAT64": _float_text,
    "NUMERIC": _decimal_text,
    "BIGNUMERIC": _decimal_text,
    "DATE": date.isoformat,
    "DATETIME": datetime.isoformat,
    "TIME": time.isoformat,
    "TIMESTAMP": lambda value: str((value - EPOCH) // timedelta(microseconds=1)),
}


def from_text(text: str, kind: TypeProto) -> Any:
    """A value of a CSV file or a query parameter. Raises ValueError where it is none."""
    return _CODECS[NAMES[kind.type_kind]].parse(text)


def from_json(value: Any, kind: TypeProto) -> Any:
    """A value of a JSON row. Raises ValueError or KeyError where it does not fit."""
    if value is None:
        return None
    if kind.type_kind == ARRAY:
        return [from_json(item, kind.array_type.element_type) for item in value]
    if kind.type_kind == STRUCT:
        parts = {part.field_name: part.field_type for part in kind.struct_type.field}
        return {name: from_json(item, parts[name]) for name, item in value.items()}
    name = NAMES[kind.type_kind]
    if name == "JSON":
        return value if isinstance(value, str) else json.dumps(value)
    if name == "TIMESTAMP" and isinstance(value, int | float):
        return EPOCH + timedelta(seconds=value)
    if name == "BOOL" and isinstance(value, bool):
        return value
    return from_text(str(value), kind)


def from_parameter(parameter: dict[str, Any]) -> Scalar:
    """A query parameter as a REST request carries it."""
    kind = _parameter_type(parameter["parameterType"])
    return Scalar(kind, encode(_parameter_value(parameter["parameterValue"], kind), kind))


def _parameter_type(described: dict[str, Any]) -> TypeProto:
    if described["type"] == "ARRAY":
        return array_of(_parameter_type(described["arrayType"]))
    if described["type"] == "STRUCT":
        parts = described["structTypes"]
        return struct_of([Column(p.get("name", ""), _parameter_type(p["type"])) for p in parts])
    return simple_type(described["type"])


def _parameter_value(given: dict[str, Any], kind: TypeProto) -> Any:
    if kind.type_kind == ARRAY:
        element = kind.array_type.element_type
        return [_parameter_value(item, element) for item in given.get("arrayValues", [])]
    if kind.type_kind == STRUCT:
        parts = {part.field_name: part.field_type for part in kind.struct_type.field}
        held = given.get("structValues", {})
        return {name: _parameter_value(held[name], part) for name, part in parts.items()}
    text = given.get("value")
    return None if text is None else from_text(str(text), kind)


def encode_rows(columns: list[Column], rows: list[dict[str, Any]]) -> Rows:
    """Rows of Python values, encoded. A missing value is null."""
    made = Rows(columns)
    for row in rows:
        cells = (encode(row.get(column.name), column.type) for column in columns)
        made.content.table_data.row.add().cell.extend(cells)
    return made


def decode_rows(rows: Rows) -> list[dict[str, Any]]:
    """Encoded rows as Python dicts."""
    names = [column.name for column in rows.columns]
    return [dict(zip(names, cells, strict=True)) for cells in decode_cells(rows)]


def decode_cells(rows: Rows) -> Iterator[list[Any]]:
    """Encoded rows as lists of Python values: a result may name two columns alike."""
    kinds = [column.type for column in rows.columns]
    for row in rows.rows:
        yield [decode(cell, kind) for cell, kind in zip(row.cell, kinds, strict=True)]
