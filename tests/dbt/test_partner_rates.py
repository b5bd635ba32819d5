"""A partner's rate of fraud is what was known before the claims that it is told with.

Random claims and outcomes, among them late ones, ones that are taken back, and ones of one moment;
the second implementation looks at everything for every day. ASSAY_SEED repeats a run.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache

import pyarrow as pa
import pytest
from compiled import compile_models, sandbox

MODEL = "int_claims__partner_rates"
BEGIN = datetime(2026, 1, 1)
DAYS = 70

Rates = dict[tuple[str, date], tuple[int, ...]]


@dataclass(frozen=True)
class Ledger:
    """Claims (id, partner, person, when), what was said of them, and the days that are asked of."""

    claims: list[tuple[str, str, str, datetime]]
    said: list[tuple[str, str, str, bool | None, datetime]]
    asked: list[tuple[str, date, bool]]


@pytest.fixture
def ledger(dice: random.Random) -> Ledger:
    def moment(day: float) -> datetime:
        """Often midnight, and often one that others have."""
        return BEGIN + timedelta(days=int(day), hours=dice.choice([0, 0, 7, 12, 23]))

    claims, said = [], []
    for number in range(400):
        came = moment(dice.uniform(0, DAYS))
        claims.append((f"c{number}", dice.choice("pppqr"), f"u{dice.randrange(90)}", came))
        for again in range(dice.choice([0, 1, 1, 2, 4])):
            later = moment((came - BEGIN).days + dice.choice([-2, 0, 0, 1, 3, 8, 29, 40]))
            event_type = dice.choice(["claim_verified", "fraud_detected", "api_call"])
            is_fraud = dice.choice([True, True, False, None])
            said.append((f"e{number}-{again}", event_type, f"c{number}", is_fraud, later))
    asked = [
        (dice.choice(["p", "p", "q", "Other"]), (BEGIN + timedelta(days=day)).date(), coin)
        for day in range(DAYS + 35)
        for coin in (True, True, False)
    ]
    return Ledger(claims, said, asked)


def expected(ledger: Ledger) -> Rates:
    """Claims, frauds and people of 7 and 30 days, for each day that is asked of."""
    found = {}
    for partner, day, is_published in ledger.asked:
        if not is_published or partner == "Other":
            continue
        now = datetime(day.year, day.month, day.day)
        figures: list[int] = []
        for days in (7, 30):
            window = [
                claim
                for claim in ledger.claims
                if claim[1] == partner and now - timedelta(days=days) <= claim[3] < now
            ]
            frauds = sum(is_known_fraud(ledger, claim[0], now) for claim in window)
            figures += [len(window), frauds, len({person for _, _, person, _ in window})]
        if any(figures):
            found[partner, day] = tuple(figures)
    return found


def is_known_fraud(ledger: Ledger, claim: str, now: datetime) -> bool:
    """Whether the last that was said of it before is that it is a fraud."""
    before = [
        (at, event_id, is_fraud)
        for event_id, event_type, of, is_fraud, at in ledger.said
        if of == claim and event_type != "api_call" and is_fraud is not None and at < now
    ]
    return bool(before) and max(before)[2]


@cache
def compiled() -> str:
    return str(compile_models(MODEL)[MODEL]["compiled_code"])


def rates(sql: str, ledger: Ledger) -> Rates:
    tables = {
        "int_claims__claims": (["claim_key", "partner_id", "subject_key", "occurred_at"], "claims"),
        "stg_claims__claim_events": (
            ["event_id", "event_type", "claim_key", "is_fraud", "occurred_at"],
            "said",
        ),
        "int_claims__published_claims": (["partner_id", "told_start", "is_published"], "asked"),
    }
    with sandbox() as database:
        database.execute("attach ':memory:' as warehouse; create schema warehouse.silver")
        for table, (names, of) in tables.items():
            columns = map(list, zip(*getattr(ledger, of), strict=True))
            database.register("given", pa.table(dict(zip(names, columns, strict=True))))
            database.execute(f"create table warehouse.silver.{table} as from given")
        found = database.execute(
            "select partner_id, known_from, claims_7d, frauds_7d, subjects_7d, claims_30d, "
            f"frauds_30d, subjects_30d from ({sql})"
        ).fetchall()
    told = {(partner, day): tuple(figures) for partner, day, *figures in found}
    assert len(told) == len(found), "a day is told twice"
    return told


def test_rates_are_what_was_known_before(ledger: Ledger) -> None:
    found = rates(compiled(), ledger)
    assert found == expected(ledger)
    assert len(found) > 50
    assert any(figures[1] > 0 for figures in found.values())


LOOKS_AHEAD = {
    "claims of the day itself": ("between 1 and 30", "between 0 and 30"),
    "outcomes of the day itself": (
        "starts.known_from > judgements.judged_on",
        "starts.known_from >= judgements.judged_on",
    ),
    "outcomes of any day": ("starts.known_from > judgements.judged_on", "true"),
    "what was taken back later": (
        "starts.known_from <= coalesce(judgements.judged_again_on, starts.known_from)",
        "judgements.judged_again_on is null",
    ),
    "a day too many": ("days_before <= 7", "days_before <= 8"),
    "claims of other partners": ("starts.partner_id = claims.partner_id", "true"),
}


@pytest.mark.parametrize("fault", LOOKS_AHEAD)
def test_a_rate_that_looks_ahead_is_seen(fault: str, ledger: Ledger) -> None:
    right, wrong = LOOKS_AHEAD[fault]
    assert right in compiled()
    assert rates(compiled().replace(right, wrong), ledger) != expected(ledger)
