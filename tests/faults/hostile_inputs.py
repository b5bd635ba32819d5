"""Files that no honest sender writes, made from a seed, and what is in them by construction."""

from __future__ import annotations

import gzip
import json
import random
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


@dataclass(frozen=True)
class Hostile:
    """One file, and what may become of it."""

    kind: str
    data: bytes
    records: int | None = None  # how many there are, where that can be said
    is_refusable: bool = False  # the file as a whole may be refused


def make(seed: int) -> Hostile:
    """The hostile input of a seed; seeds that follow each other are of different kinds."""
    return _ALL[seed % KINDS](random.Random(seed), 0)


def make_big(seed: int, size: int) -> Hostile:
    """A file with a field or a line of about `size` bytes."""
    return BIG[seed % len(BIG)](random.Random(seed), size)


def good(rng: random.Random, **fields: Any) -> dict[str, Any]:
    """A record that would be accepted, but for the fields given."""
    return {
        "event_id": f"{rng.getrandbits(64):016x}",
        "timestamp": "2026-05-04T08:00:00Z",
        "action": "login",
        "status": "success",
        **fields,
    }


def _line(record: Any) -> bytes:
    return json.dumps(record).encode()


def _among_good(rng: random.Random, *bad: bytes, ending: bytes = b"\n") -> tuple[bytes, int]:
    """Bad lines among a few good ones."""
    lines = [_line(good(rng)) for _ in range(rng.randint(1, 4))] + list(bad)
    rng.shuffle(lines)
    if not lines[0].lstrip().startswith(b"{"):
        lines.insert(0, _line(good(rng)))
    return ending.join(lines) + ending, len(lines)


def _jsonl(kind: str, *bad: bytes, rng: random.Random, ending: bytes = b"\n") -> Hostile:
    data, count = _among_good(rng, *bad, ending=ending)
    return Hostile(kind, data, count)


def _invalid_utf8(rng: random.Random, _: int) -> Hostile:
    broken = bytearray(_line(good(rng, path="/" + "x" * 20)))
    for _ in range(rng.randint(1, 5)):
        broken[rng.randrange(1, len(broken))] = rng.choice([0x80, 0xC0, 0xED, 0xF5, 0xFF, 0xFE])
    return _jsonl("invalid UTF-8", bytes(broken), rng=rng)


def _nul(rng: random.Random, _: int) -> Hostile:
    raw = bytearray(_line(good(rng)))
    raw.insert(rng.randrange(1, len(raw)), 0)
    escaped = _line(good(rng, path="a\0b", query={"a\0": "\0"}, **{"\0": 1}))
    return _jsonl("NUL", bytes(raw), escaped, rng=rng)


def _deep(rng: random.Random, _: int) -> Hostile:
    depth = rng.choice([100, 1000, 10_000])
    opening, closing = rng.choice([("[", "]"), ('{"a":', "}")])
    nested = opening * depth + "1" + closing * (depth if rng.random() < 0.5 else depth - 1)
    field = rng.choice(["resp", "path", "timestamp", "undeclared"])
    text = _line(good(rng))[:-1] + f', "{field}": {nested}'.encode() + b"}"
    secret = _line(good(rng))[:-1] + f', "resp": {{"password": {nested}}}'.encode() + b"}"
    return _jsonl("deep nesting", text, secret, rng=rng)


def _duplicate_keys(rng: random.Random, _: int) -> Hostile:
    name = rng.choice(["event_id", "status", "query", "x", "password", ""])
    text = _line(good(rng))[:-1] + f', "{name}": "1", "{name}": "2"'.encode() + b"}"
    return _jsonl("duplicate keys", text, rng=rng)


def _big_field(rng: random.Random, big: int) -> Hostile:
    text = rng.choice(["x", "é", '"', "password=", "1 ", "\\"]) * (big // 4)
    return _jsonl("big field", _line(good(rng, resp=text[:big])), rng=rng)


def _numbers(rng: random.Random, _: int) -> Hostile:
    numbers = ["1e400", "-1e400", "NaN", "Infinity", "-0", "1E+2", "01", "+1", "1.", ".5", "0x10"]
    numbers += [
        "9223372036854775808",
        "-9223372036854775809",
        "1" * 500,
        "0." + "1" * 500,
        "1e-400",
    ]
    field = rng.choice(["duration", "sequence", "event_id", "timestamp", "query", "resp", "x"])
    bad = [
        _line(good(rng))[:-1] + f', "{field}": {rng.choice(numbers)}'.encode() + b"}"
        for _ in range(3)
    ]
    return _jsonl("numbers", *bad, rng=rng)


def _types(rng: random.Random, _: int) -> Hostile:
    values: list[Any] = [None, True, 1.5, [], {}, [[]], {"a": {}}, "", " ", [None]]
    fields = [*good(rng), "duration", "sequence", "ip", "email", "query", "additional_data"]
    bad = [_line(good(rng, **{rng.choice(fields): rng.choice(values)})) for _ in range(4)]
    return _jsonl("wrong types", *bad, rng=rng)


def _dates(rng: random.Random, _: int) -> Hostile:
    times = ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "infinity"]
    times += ["-infinity", "epoch", "2026-13-01", "294247-01-10T04:00:54.775807Z", "now", "today"]
    times += ["2026-05-04T25:00:00Z", "2026-05-04T08:00:60Z", "1970-01-01", "290309-12-22 (BC)"]
    times += [
        "2026-05-04T08:00:00+99:99",
        "2026-05-04 08:00:00 Europe/Lisbon",
        "1e18",
        "\U0001d7da026-05-04",
    ]
    return _jsonl(
        "dates", *[_line(good(rng, timestamp=rng.choice(times))) for _ in range(4)], rng=rng
    )


def _unicode(rng: random.Random, _: int) -> Hostile:
    texts = [
        "\u202e\u2066",
        "\ufeff",
        "e\u0301",
        "\U0010ffff",
        "\u2028\u2029\x85",
        "😀" * 50,
        "\x7f\x1b[2J",
    ]
    text = rng.choice(texts)
    surrogate = _line(good(rng))[:-1] + rng.choice(
        [b', "path": "\\ud800"}', b', "resp": {"\\udc00": "password=\\ud83d"}}', b', "\\ud800": 1}']
    )
    bad = good(rng, path=text, query={text: text}, event_id=text)
    return _jsonl(
        "unicode", _line(bad), json.dumps(bad, ensure_ascii=False).encode(), surrogate, rng=rng
    )


def _names(rng: random.Random, _: int) -> Hostile:
    names = [
        "a.b",
        "$",
        '$."x"',
        "a\x1fb",
        "[0]",
        "*",
        "'",
        '"',
        "\\",
        "event_id ",
        "EVENT_ID",
        "\n",
        "",
    ]
    return _jsonl(
        "field names", *[_line(good(rng, **{n: 1})) for n in rng.sample(names, 3)], rng=rng
    )


def _line_endings(rng: random.Random, _: int) -> Hostile:
    ending = rng.choice([b"\r\n", b"\n\n\n", b"\n \n", b"\n\r", b"\r\n\t\r\n"])
    data, count = _among_good(rng, ending=ending)
    return Hostile("line endings", data, count)


def _bom(rng: random.Random, _: int) -> Hostile:
    data, _count = _among_good(rng)
    bom, codec = rng.choice([(b"\xef\xbb\xbf", ""), (b"", "utf-16"), (b"", "utf-32")])
    if codec:
        return Hostile("other encoding", data.decode().encode(codec), is_refusable=True)
    return Hostile("byte order mark", bom + data, _count)


def _tiny(rng: random.Random, _: int) -> Hostile:
    texts = rng.choice(_TINY)
    return Hostile("tiny", texts, is_refusable=True)


def _array_cut(rng: random.Random, _: int) -> Hostile:
    data = json.dumps([good(rng, query={"a": ["]", "}"]}) for _ in range(5)]).encode()
    return Hostile("array cut", data[: rng.randrange(1, len(data))])


def _csv(rng: random.Random, _: int) -> Hostile:
    odd = [
        '"',
        '""',
        '"a""b"',
        'a"b',
        '"a\nb"',
        '"a,b',
        "a\\,b",
        "'a,b'",
        "\t",
        ",,,,",
        "é",
        '"a"b',
        "\0",
    ]
    lines = ["event_id,timestamp,action,status,query"]
    for n in range(6):
        lines.append(f"{n},2026-05-04 08:00:00,login,success,{rng.choice(odd)}")
    ending = rng.choice(["\n", "\r\n", "\n\n"])
    return Hostile(
        "csv", (ending.join(lines) + rng.choice(["", ending])).encode(), is_refusable=True
    )


def _csv_random(rng: random.Random, _: int) -> Hostile:
    body = "".join(rng.choice('a",;\n\r\t|é\\ {}[]1') for _ in range(200))
    head = rng.choice(
        ["event_id,timestamp,action,status\n", "", "\n\n", '"event_id","a\nb"\n', ",\n", "a,a\n"]
    )
    return Hostile("random csv", (head + body).encode(), is_refusable=True)


def _header_only(rng: random.Random, _: int) -> Hostile:
    return Hostile(
        "header only", b"event_id,timestamp,action,status" + rng.choice([b"", b"\n", b"\r\n"]), 0
    )


def _long_line(rng: random.Random, big: int) -> Hostile:
    start = rng.choice([b"{", b"[", b"x", b'{"a":"', b'["'])
    return Hostile("long line", start + b"a" * (2 * big), is_refusable=True)


def _gzip_cut(rng: random.Random, _: int) -> Hostile:
    data = gzip.compress(b"".join(_line(good(rng)) + b"\n" for _ in range(200)))
    return Hostile("gzip cut", data[: rng.randrange(4, len(data) - 1)], is_refusable=True)


def _zstd_cut(rng: random.Random, _: int) -> Hostile:
    data = pa.compress(b"".join(_line(good(rng)) + b"\n" for _ in range(200)), "zstd", asbytes=True)
    return Hostile("zstd cut", data[: rng.randrange(5, len(data) - 1)], is_refusable=True)


def _packed_noise(rng: random.Random, _: int) -> Hostile:
    data = bytearray(gzip.compress(b"".join(_line(good(rng)) + b"\n" for _ in range(50))))
    data[rng.randrange(3, len(data))] ^= 1 << rng.randrange(8)
    return Hostile("gzip damaged", bytes(data), is_refusable=True)


def _gzip_twice(rng: random.Random, _: int) -> Hostile:
    data, count = _among_good(rng)
    other, more = _among_good(rng)
    return Hostile("gzip members", gzip.compress(data) + gzip.compress(other), count + more)


def _parquet_cut(rng: random.Random, _: int) -> Hostile:
    out = BytesIO()
    pq.write_table(pa.Table.from_pylist([good(rng) for _ in range(20)]), out)
    data = bytearray(out.getvalue())
    if rng.random() < 0.5:
        return Hostile("parquet cut", bytes(data[: rng.randrange(4, len(data))]), is_refusable=True)
    data[rng.randrange(4, len(data))] ^= 1 << rng.randrange(8)
    return Hostile("parquet damaged", bytes(data), is_refusable=True)


def _parquet_types(rng: random.Random, _: int) -> Hostile:
    out = BytesIO()
    rows = [good(rng, query=rng.choice([b"\xff\x00", {"a": 1}, [1, None], 1e300]))]
    pq.write_table(pa.Table.from_pylist(rows), out)
    return Hostile("parquet types", out.getvalue(), 1, is_refusable=True)


def _noise(rng: random.Random, _: int) -> Hostile:
    data = rng.randbytes(rng.randint(1, 3000))
    return Hostile(
        "noise", rng.choice([b"", b"{", b"[", b"a,b\n", b"PAR1"]) + data, is_refusable=True
    )


def _mutated(rng: random.Random, _: int) -> Hostile:
    data = bytearray(_among_good(rng, _line(good(rng, query={"password": "x", "a": [1, 2]})))[0])
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(data))
        match rng.randrange(3):
            case 0:
                data[at] = rng.randrange(256)
            case 1:
                del data[at : at + rng.randint(1, 9)]
            case _:
                data[at:at] = rng.choice(
                    [b'"', b"\\", b"{", b"]", b"\n", b",", b"\\u00", b"\xe2\x82"]
                )
        data = data or bytearray(b"{")
    return Hostile("mutated", bytes(data), is_refusable=True)


_TINY = (
    b"", b"\n", b" ", b"\0", b"[", b"]", b"{", b"}", b"[]", b"{}", b"null", b'"', b"[[", b"[,]",
    b"1", b"PAR1", b"\xef\xbb\xbf", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"[1,2", b"[{}] x",
    b"\xff\xfe",
)  # fmt: skip

_ALL = (
    _invalid_utf8, _nul, _deep, _duplicate_keys, _numbers, _types, _dates, _unicode, _names, _bom,
    _line_endings, _tiny, _array_cut, _csv, _csv_random, _header_only, _gzip_cut, _zstd_cut, _noise,
    _packed_noise, _gzip_twice, _parquet_cut, _parquet_types, _mutated, _mutated, _noise,
)  # fmt: skip
BIG = (_big_field, _long_line)
KINDS = len(_ALL)
