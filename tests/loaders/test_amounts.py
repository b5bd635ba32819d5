"""Decimal amounts in mappings become exact whole numbers of minor units, or are refused."""

from __future__ import annotations

import json
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from filled import BOUGHT, CENTS, DEPOSITS, NO_AMOUNT, land, land_csv, payloads, refusals
from landed import bronze_rows

from loaders.home import Home
from loaders.landing import casts
from loaders.landing.batches import land_file

AMOUNTS: list[tuple[Any, int, int | None]] = [
    ("11.77", 2, 1177),
    ("12.0", 2, 1200),
    ("12", 2, 1200),
    ("12.", 2, 1200),
    ("+0.05", 2, 5),
    ("000.50", 2, 50),
    ("0.0", 2, 0),
    ("-0.00", 2, 0),
    ("11.7700", 2, 1177),  # a decimal of four places, as a table may have it
    ("1234", 0, 1234),
    ("1234.0", 0, 1234),
    ("4111111111111111", 0, 4111111111111111),  # no card, since the mapping says what it is
    ("1.005", 3, 1005),
    ("1.0005", 3, None),
    ("92233720368547758.07", 2, 2**63 - 1),
    (11.77, 2, 1177),
    (0.29, 2, 29),  # 0.29 * 100 is 28.999999999999996
    (12, 2, 1200),
    (10**16, 2, 10**18),
    (1234567890123.45, 2, 123456789012345),
    ("92233720368547758.08", 2, None),
    ("11.775", 2, None),
    (11.775, 2, None),
    (0.1 + 0.2, 2, None),
    (1234567890123456.78, 2, None),  # a double has lost its last digit
    ("0.5", 0, None),
    ("1e3", 2, None),
    (1e22, 2, None),
    (".5", 2, None),
    ("1,50", 2, None),
    ("1'000.00", 2, None),
    ("$5", 2, None),
    ("5 USD", 2, None),
    (" 5", 2, None),
    ("5\n", 2, None),
    ("\u0665", 2, None),
    ("0x10", 2, None),
    ("--5", 2, None),
    ("1.2.3", 2, None),
    ("free", 2, None),
    ("NaN", 2, None),
    (True, 2, None),
    ({"value": 5}, 2, None),
    ([5], 2, None),
    ("-11.77", 2, None),  # a credit is from 0 on, says the registry
    ("", 2, None),  # nothing, which a credit may not lack
    (None, 2, None),
]


@pytest.mark.parametrize("exponent", [0, 2, 3])
def test_amounts_become_minor_units_or_are_refused(home: Home, exponent: int):
    """Each by its own record, with code and place, and its bytes kept for a replay."""
    cases = [(sent, minor) for sent, places, minor in AMOUNTS if places == exponent]
    assert cases
    rows = [BOUGHT | {"who": f"u{n}", "value": sent} for n, (sent, _) in enumerate(cases)]
    land(home, DEPOSITS % exponent, *rows)
    found: dict[int, int | None] = {
        row["line_number"] - 1: json.loads(row["payload"])["amount_minor"]
        for row in bronze_rows(home, "platform_events")
    }
    letters = bronze_rows(home, "dead_letters")
    found |= {letter["line_number"] - 1: None for letter in letters}
    assert [(sent, found[n]) for n, (sent, _) in enumerate(cases)] == cases
    assert set(refusals(home)) <= {NO_AMOUNT}
    assert {json.loads(x["raw"])["who"] for x in letters} == {
        f"u{n}" for n, (_, minor) in enumerate(cases) if minor is None
    }


def test_negative_amounts_land_where_the_registry_takes_them(home: Home):
    mapping = (
        "payload: {points: {amount: value, exponent: 1}}\n"
        "constants: {event_type: contribution.recorded}\n"
        "rename: {day: occurred_at}\nevent_id_from: all\n"
    )
    land(home, mapping, *[BOUGHT | {"value": text} for text in ("-1.5", "-0.5", "-0.05")])
    assert payloads(home) == [{"points": -15}, {"points": -5}]
    assert refusals(home) == [("schema_violation", "/payload/points")]


def test_every_amount_that_is_none_is_named(home: Home):
    mapping = (
        "payload: {stake_minor: {amount: s, exponent: 2}, win_minor: {amount: w, exponent: 2}}\n"
    )
    settled = {"id": 1, "type": "bet.settled", "timestamp": "2026-05-01"}
    land(home, mapping, settled | {"s": "1.234", "w": "x"})
    assert refusals(home) == [("schema_violation", "/payload/stake_minor /payload/win_minor")]


def test_an_amount_that_may_be_missing_may_not_be_wrong(home: Home):
    """What is no amount is refused, and not left out, also where the event would do without."""
    mapping = "payload: {payment_id: p, amount_minor: {amount: value, exponent: 2}}\n"
    intent = {"id": 1, "type": "payment.intent", "timestamp": "2026-05-01", "p": "p1"}
    land(home, mapping, *[intent | {"value": value} for value in ("1.234", "1.23", "", None)])
    assert payloads(home) == [
        {"payment_id": "p1", "amount_minor": 123},
        {"payment_id": "p1"},
        {"payment_id": "p1"},
    ]
    assert refusals(home) == [NO_AMOUNT]


def drawn(draw: random.Random) -> str:
    """A text that is an amount, or nearly one."""
    whole = str(draw.randrange(10 ** draw.randrange(1, 17)))
    places = "".join(draw.choice("0123456789") for _ in range(draw.randrange(5)))
    text = draw.choice(["", "", "", "+", "0"]) + whole + ("." + places if places else "")
    return text if draw.random() < 0.9 else text.replace(draw.choice("0123.") or "", "e", 1)


def by_decimal(text: str, exponent: int) -> int | None:
    """What the amount is in minor units, by Python's own decimals; null where it is no such."""
    if "e" in text:
        return None
    minor = Decimal(text).scaleb(exponent)
    return int(minor) if minor == minor.to_integral_value() and minor < 2**63 else None


def differing(home: Home, texts: list[str], exponent: int) -> list[str]:
    """Texts of which landing makes another amount than Python's decimals do."""
    mapping = DEPOSITS % exponent
    land_csv(
        home, mapping, *[BOUGHT | {"value": text, "reference": n} for n, text in enumerate(texts)]
    )
    found: dict[int, int] = {
        int(payload["reference_id"]): payload["amount_minor"] for payload in payloads(home)
    }
    return [text for n, text in enumerate(texts) if found.get(n) != by_decimal(text, exponent)]


@pytest.mark.parametrize("exponent", [0, 2, 3])
def test_random_amounts_are_those_of_decimal_arithmetic(
    home: Home, dice: random.Random, exponent: int
):
    texts = [drawn(dice) for _ in range(2_000)]
    assert differing(home, texts, exponent) == []
    landed = len(payloads(home))
    assert 200 < landed < 2_000


@pytest.mark.parametrize(
    ("planted", "goes_wrong"),
    [
        ("cast(round(try_cast({sent} as double) * 1e{e}) as bigint)", "92233720368547.7581"),
        ("cast(floor(try_cast({sent} as double) * 1e{e}) as bigint)", "0.29"),
        ("cast(round(try_cast({sent} as decimal(38, 6)) * 1e{e}) as bigint)", "11.775"),
        ("try_cast(replace({sent}, '.', '') as bigint)", "12.0"),
    ],
)
def test_what_computes_otherwise_is_found(
    home: Home, monkeypatch: pytest.MonkeyPatch, planted: str, goes_wrong: str
):
    """Twins that use floats, round, or move the point by what stands behind it."""

    def wrong(sent: str, exponent: int) -> str:
        return planted.format(sent=sent, e=exponent)

    monkeypatch.setattr(casts, "minor_units", wrong)
    assert differing(home, ["11.77", goes_wrong], 2) == [goes_wrong]


def test_decimals_of_parquet_are_exact(home: Home, tmp_path: Path):
    """Whatever their scale; a double is what its shortest spelling says."""
    amounts = [Decimal("12345678901234567.8900"), Decimal("0.0100"), Decimal("0.0001")]
    table = pa.table(
        {
            "who": ["a", "b", "c"],
            "day": ["1997-01-12"] * 3,
            "value": pa.array(amounts, pa.decimal128(22, 4)),
        }
    )
    pq.write_table(table, tmp_path / "sent.parquet")
    (tmp_path / "mapping.yml").write_text(CENTS, encoding="utf-8")
    land_file(home, "platform_events", tmp_path / "sent.parquet", tmp_path / "mapping.yml")
    assert [payload["amount_minor"] for payload in payloads(home)] == [1234567890123456789, 1]
    assert refusals(home) == [NO_AMOUNT]
