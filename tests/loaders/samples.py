"""Rows to land, in every format, and what came of them."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from landed import (
    ATTEMPT,
    bronze_rows,
)

from loaders.home import Home
from loaders.landing.batches import LandingResult, land_file

Row = dict[str, Any]

MARK = "Zq7731-secret"  # stands in every value that no message may show

TEXTS = [
    *("plain", "comma, semicolon; pipe| and\ttab", "a \"quote\" and an 'other'", "line\nbreak"),
    *("carriage\r\nreturn", "Jürgen 東京 🎲", '{"a":1,"b":[1,2]}', "=1+1", " spaces ", "\u2028"),
    *("back\\slash", "null", "NaN", "007", "1e5", "true", "{", "[", "''", "a" * 300),
]


def make_rows(count: int, seed: int = 1) -> list[Row]:
    """Attempts with awkward texts. No text is empty: CSV cannot tell that from null."""
    draw = random.Random(seed)

    def maybe(value: Any) -> Any:
        return value if draw.random() < 0.8 else None

    return [
        {
            "event_id": f"id {n} {draw.choice(TEXTS)}",
            "timestamp": f"2026-05-{1 + n % 28:02}T10:00:00.{n:06}Z",
            "action": draw.choice(["login", "signup", "validate", "restore_password"]),
            "status": draw.choice(["success", "error", "test", "blocked"]),
            "user_agent": maybe(draw.choice(TEXTS)),
            "as_country_code": maybe("DE"),
            "domain": draw.choice(["a.example", "b.example"]),
            "query": maybe(draw.choice(TEXTS)),
            "email": maybe(f"{n}@mail.example"),
            "resp": maybe(draw.choice(TEXTS)),
            "additional_data": maybe('{"k":"v"}'),
            "duration": maybe(draw.randrange(10**15)),
            "producer": "api-1",
            "sequence": n,
        }
        for n in range(count)
    ]


ROWS = make_rows(300)


def camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


def as_camel(rows: list[Row]) -> list[Row]:
    return [{camel(name): value for name, value in row.items()} for row in rows]


def as_lines(rows: list[Row], newline: str = "\n", **style: Any) -> bytes:
    return "".join(json.dumps(row, **style) + newline for row in rows).encode()


def as_csv(rows: list[Row], delimiter: str = ",", newline: str = "\r\n", quoting: int = 0) -> bytes:
    file = io.StringIO()
    writer = csv.DictWriter(
        file, rows[0], delimiter=delimiter, lineterminator=newline, quoting=quoting
    )
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()


def as_parquet(rows: list[Row], is_typed: bool = False, **options: Any) -> bytes:
    table = pa.Table.from_pylist(rows)
    if is_typed:
        times = [datetime.fromisoformat(row["timestamp"]) for row in rows]
        at = table.column_names.index("timestamp")
        table = table.set_column(at, "timestamp", pa.array(times, pa.timestamp("us", "UTC")))
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file.getvalue()


def zstd(data: bytes) -> bytes:
    return bytes(pa.compress(data, codec="zstd", asbytes=True))


FORMATS: dict[str, Callable[[list[Row]], bytes]] = {
    "json lines": as_lines,
    "json lines, no last newline": lambda rows: as_lines(rows).rstrip(),
    "json lines, CRLF": lambda rows: as_lines(rows, "\r\n"),
    "json lines, blank lines": lambda rows: b"\n" + as_lines(rows, "\n\n"),
    "json lines, unescaped": lambda rows: as_lines(rows, ensure_ascii=False),
    "json lines, camelCase": lambda rows: as_lines(as_camel(rows)),
    "json lines, fields in another order": lambda rows: as_lines(rows, sort_keys=True),
    "json lines, nulls left out": lambda rows: as_lines(
        [{k: v for k, v in row.items() if v is not None} for row in rows]
    ),
    "json array": lambda rows: json.dumps(rows).encode(),
    "json array, indented": lambda rows: json.dumps(rows, indent=2).encode() + b"\n",
    "csv": as_csv,
    "csv, LF, all quoted": lambda rows: as_csv(rows, newline="\n", quoting=csv.QUOTE_ALL),
    "csv, camelCase": lambda rows: as_csv(as_camel(rows)),
    "csv, semicolons": lambda rows: as_csv(rows, ";"),
    "csv, tabs": lambda rows: as_csv(rows, "\t"),
    "csv, bars": lambda rows: as_csv(rows, "|"),
    "csv, byte-order mark": lambda rows: b"\xef\xbb\xbf" + as_csv(rows),
    "parquet": as_parquet,
    "parquet, typed times": lambda rows: as_parquet(rows, is_typed=True),
    "parquet, small groups": lambda rows: as_parquet(rows, row_group_size=7),
    "parquet, camelCase": lambda rows: as_parquet(as_camel(rows)),
    "gzip": lambda rows: gzip.compress(as_lines(rows)),
    "gzip of two parts": lambda rows: (
        gzip.compress(as_lines(rows[:99])) + gzip.compress(as_lines(rows[99:]))
    ),
    "gzip of csv": lambda rows: gzip.compress(as_csv(rows)),
    "zstd": lambda rows: zstd(as_lines(rows)),
    "zstd of an array": lambda rows: zstd(json.dumps(rows).encode()),
}


def land(home: Home, data: bytes, name: str = "sent", mapping: str | None = None) -> LandingResult:
    """Land some bytes in attempts. The file has no suffix: the format is read from the bytes."""
    path = home.path.parent / name
    path.write_bytes(data)
    mapping_file = None
    if mapping is not None:
        mapping_file = home.path.parent / f"{name}.yml"
        mapping_file.write_text(mapping, encoding="utf-8")
    return land_file(home, "attempts", path, mapping_file)


def only_sent(rows: list[Row]) -> list[Row]:
    return [{name: row[name] for name in ROWS[0]} for row in rows]


def refusals(home: Home) -> list[tuple[int, str, str | None, bytes | None]]:
    letters = bronze_rows(home, "dead_letters")
    return [(row["line_number"], row["code"], row["pointer"], row["raw"]) for row in letters]


def attempt(**fields: Any) -> bytes:
    return json.dumps(ATTEMPT | fields, ensure_ascii=False).encode()
