"""Payloads that nobody meant: each lands or is a dead letter with a code, its bytes as they came.

They go the way that those of a request go, but for HTTP: judged, stored, landed. ASSAY_LONG=1 makes
a million of them, ASSAY_SEED repeats the dice of a run.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from collecting import LONG, assert_balanced, event, rows, sums
from spooling import drain, root_of

from loaders.collector.bodies import events_of
from loaders.collector.checks import Checks
from loaders.collector.frames import Event, Origin
from loaders.collector.replies import Reply
from loaders.collector.spool import Spool, Submission
from loaders.collector.tokens import Token
from loaders.contracts import contract_of
from loaders.home import Home

PAYLOADS, AT_ONCE = (1_000_000 if LONG else 6_000), 2_000
LARGEST = 2_000_000  # one repeated fifty times could fill the spool's queue, which no request does
PIECES = [
    *(
        b"\x00",
        b"\xff\xfe",
        b"\xed\xa0\x80",
        b"\\ud800",
        b"\\u0000",
        b"\xf4\x90\x80\x80",
        b"\xe2\x80\xa8",
    ),
    *(b"{", b"}", b"[", b"]", b'"', b":", b",", b"\\", b"\r", b"\t", b"NaN", b"-Infinity", b"null"),
    *(b"1e999", b"-0", b"9" * 400, b"0" * 40, b"1E-999", b'"":', b'{"a":' * 300, b"[" * 2_000),
    *(b'"event_id":"x",', b'"timestamp":0,', b'"ip":{"a":[1]},', b'"password":"p",', b"'", b"/**/"),
]
NAMES = ["timestamp", "action", "ip", "resp", "duration", "aff_data", "x y"]
Mutation = Callable[[random.Random, bytes], bytes]


def flipped(dice: random.Random, raw: bytes) -> bytes:
    place = dice.randrange(len(raw))
    return raw[:place] + bytes([raw[place] ^ 1 << dice.randrange(8)]) + raw[place + 1 :]


def cut(dice: random.Random, raw: bytes) -> bytes:
    first, last = sorted(dice.sample(range(len(raw) + 1), 2))
    return raw[:first] + raw[last:]


def repeated(dice: random.Random, raw: bytes) -> bytes:
    first, last = sorted(dice.sample(range(len(raw) + 1), 2))
    return raw[:last] + raw[first:last] * dice.choice((1, 1, 2, 50)) + raw[last:]


def inserted(dice: random.Random, raw: bytes) -> bytes:
    place = dice.randrange(len(raw) + 1)
    return raw[:place] + dice.choice(PIECES) + raw[place:]


MUTATIONS: list[Mutation] = [flipped, cut, repeated, inserted]
VALUES: list[Any] = [
    *(None, True, -1, 0.1, 10**30, 1e308, "", " ", "x" * 5_000, "\0", "\ud800", "İ", [], {}, [[]]),
    *({"password": "hunter2"}, "4111111111111111", "2026-13-45T99:99:99Z", "0001-01-01", "null"),
]


def payload(dice: random.Random, number: int) -> bytes:
    """An event, or what is left of one. One in a thousand is far larger than the others."""
    made = event(f"f{number}", resp='{"code": "x"}', additional_data={"deep": [1, {"x": "ü"}]})
    for name in dice.sample(NAMES, 2):
        made[name] = dice.choice(VALUES)
    if dice.random() < 0.001:
        made["path"] = "y" * dice.choice((70_000, 1 << 20))
    raw = json.dumps(made, ensure_ascii=dice.random() < 0.5).encode(errors="surrogatepass")
    for _ in range(dice.choice((0, 1, 1, 2, 4))):
        raw = dice.choice(MUTATIONS)(dice, raw)[:LARGEST] or b"x"
    # A line break would make two of it, blanks alone none.
    raw = raw.replace(b"\n", b"\r").removesuffix(b"\r")
    return raw if raw.strip() else b"-"


def submissions(dice: random.Random, payloads: int, sent: list[bytes]) -> Iterator[Submission]:
    """The payloads as requests carry them. `sent` gets them, too."""
    checks, holder = Checks(contract_of("attempts"), "eu"), Token("t", "", "fuzz", "")
    for first in range(0, payloads, AT_ONCE):
        raws = [payload(dice, first + n) for n in range(AT_ONCE)]
        found = list(events_of(b"\n".join(raws), is_lines=True))
        kept = [raw.removesuffix(b"\r") for raw in raws]
        kept[0] = kept[0].removeprefix(b"\xef\xbb\xbf")
        assert [raw for raw, _ in found] == kept
        sent += kept
        events = [checks.judge(raw, value, holder) for raw, value in found]
        origin = Origin("attempts", "fuzz", "t", "2026-05-01T00:00:00+00:00", "ab" * 16)
        yield Submission(origin, events, b"", Reply(0, 0, [], ""))


def land_mutated(home: Home, dice: random.Random, payloads: int) -> str:
    """Land so many, and look at what became of each. Says what it was."""
    sent: list[bytes] = []
    with Spool(root_of(home)) as spool:
        for submission in submissions(dice, payloads, sent):
            spool.submit(submission).result()
        drain(home, spool)
    books = sums(home)
    assert books["received"] == len(sent) == payloads
    letters = rows(home, "dead_letters")
    assert len(letters) == books["rejected"]
    assert len(rows(home, "attempts")) == books["accepted"]
    codes = Counter(letter["code"] for letter in letters)
    assert None not in codes
    assert not {"load_runtime", "buffer_corrupt"} & set(codes)
    # Whatever was refused is there byte by byte, as often as it was sent.
    refused = Counter(letter["raw"] for letter in letters)
    assert None not in refused
    assert refused <= Counter(sent), "not as sent"
    assert_balanced(home)
    assert min(books["accepted"], books["rejected"]) > 0
    return f"{payloads:,} payloads: {books}, {dict(codes)}"


def test_mutated_payloads(home: Home, dice: random.Random, tell: Callable[[str], None]):
    tell(land_mutated(home, dice, PAYLOADS))


def test_bytes_that_were_touched_are_found_out(
    home: Home, dice: random.Random, monkeypatch: pytest.MonkeyPatch
):
    """What a judge keeps of a refused event lacks the braces at its end."""
    judge = Checks.judge

    def touch(self: Checks, raw: bytes, value: Any, token: Token) -> Event:
        event = judge(self, raw, value, token)
        return replace(event, raw=event.raw.rstrip(b"}")) if event.code and event.raw else event

    monkeypatch.setattr(Checks, "judge", touch)
    with pytest.raises(AssertionError, match="not as sent"):
        land_mutated(home, dice, AT_ONCE)
