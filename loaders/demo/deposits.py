"""Demo deposit requests of the people of the demo, with truths to be found again.

Planted, each with its figures in the answer key:

- a provider whose deposits fail four times as often as everybody else's;
- method and provider in the spellings that applications use for them;
- rows delivered twice, unchanged, and a status outside the vocabulary, which lands.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from loaders.demo.attempts import (
    DAY_CURVE,
    EVENTS_PER_DAY,
    EVENTS_PER_PERSON,
    MEDIAN_NANOSECONDS,
    MIN_DAYS,
    SPREAD,
    STORM_COUNTRY,
    STORM_SENDERS,
)
from loaders.demo.columns import Ints, count_words, hex_ids, join, pick, words, write_table
from loaders.demo.people import make_people

DEPOSIT_SHARE = 0.15  # deposits per event of `attempts`
CURRENCIES = ("EUR", "TRY", "BRL")  # the others pay in euro
DOMAIN = "play.example"

PROVIDERS = {  # as sent: as it is spelled, its method as sent, and its share
    "Nova Cards": ("nova_cards", "card", 0.40),
    "ACME-Pay": ("acme_pay", "card", 0.35),
    "bank_link": ("bank_link", "Bank Transfer", 0.25),
}
METHODS = {"card": "card", "Bank Transfer": "bank_transfer"}
FAILING_PROVIDER, FAILING_SHARE, USUAL_SHARE = "Nova Cards", 0.32, 0.08
CODES = {  # as sent: the code that is meant, and its share
    "card_declined": ("payment_declined", 0.6),
    "INSUFFICIENT_FUNDS": ("insufficient_funds", 0.3),
    "payment_cancelled": ("payment_cancelled", 0.1),
}
SUCCESS, ERROR, UNKNOWN = 0, 1, 2
STATUSES = ("success", "error", "odd")
UNKNOWN_STATUSES = 3
SUCCESS_REPLY = '{"data":{"ok":true}}'
MEDIAN_AMOUNT, AMOUNT_SPREAD = 2_500, 0.8  # minor units

FILES = ("deposit_attempts-01.jsonl", "deposit_attempts-02.csv")
CUT, EXACT_SHARE = 0.7, 0.005
PRODUCER = "demo-pay-1"


def write_deposits(folder: Path, events: int, seed: int, end: datetime) -> dict[str, Any]:
    """Write the demo files of `deposit_attempts`, and return their part of the answer key."""
    # The people are those of `attempts`: made first, from the same seed.
    people = make_people(
        np.random.Generator(np.random.PCG64(seed)),
        events // EVENTS_PER_PERSON,
        STORM_SENDERS,
        STORM_COUNTRY,
    )
    rng = np.random.Generator(np.random.PCG64([seed, 1]))
    count = round(events * DEPOSIT_SHARE)
    days = max(MIN_DAYS, -(-events // EVENTS_PER_DAY))
    start = np.datetime64(end.replace(tzinfo=None), "s") - np.timedelta64(days, "D")
    hour = pick(rng, np.tile(DAY_CURVE, days), count)
    microseconds = np.sort(hour * 3_600_000_000 + rng.integers(0, 3_600_000_000, count))
    person = rng.integers(0, len(people.home) - STORM_SENDERS, count)

    provider = pick(rng, [share for _, _, share in PROVIDERS.values()], count)
    failing = provider == tuple(PROVIDERS).index(FAILING_PROVIDER)
    fails = rng.random(count) < np.where(failing, FAILING_SHARE, USUAL_SHARE)
    status = np.where(fails, ERROR, SUCCESS)
    status[rng.choice(np.flatnonzero(~fails), UNKNOWN_STATUSES, replace=False)] = UNKNOWN
    code = np.where(fails, pick(rng, [share for _, share in CODES.values()], count), -1)
    amount = rng.lognormal(np.log(MEDIAN_AMOUNT), AMOUNT_SPREAD, count).astype(np.int64)

    sender = people.table.take(pa.array(person))
    is_local = pc.is_in(sender["currency"], pa.array(CURRENCIES))
    method = [list(METHODS).index(method) for _, method, _ in PROVIDERS.values()]
    table = pa.table(
        {
            "event_id": hex_ids(rng, count),
            "timestamp": pa.array(start.astype("M8[us]") + microseconds.astype("m8[us]")),
            "status": words(STATUSES, status),
            "user_agent": sender["user_agent"],
            "ip": sender["ip"],
            "geo": sender["geo"],
            "domain": words([DOMAIN], np.zeros(count, dtype=np.int64)),
            "path": words(["/graphql"], np.zeros(count, dtype=np.int64)),
            "fp": sender["fp"],
            "email": sender["email"],
            "country": sender["country"],
            "phone": sender["phone"],
            "user_id": join("player-", person + 1),
            "amount_minor": pa.array(amount),
            "currency": pc.if_else(is_local, sender["currency"], "EUR"),
            "method": words(tuple(METHODS), np.array(method)[provider]),
            "provider": words(tuple(PROVIDERS), provider),
            "resp": words(_replies(), np.where(status == SUCCESS, len(CODES), code)),
            "error_code": words(tuple(CODES), np.where(rng.random(count) < 0.5, code, -1)),
            "duration": pa.array(
                rng.lognormal(np.log(4 * MEDIAN_NANOSECONDS), SPREAD, count).astype(np.int64)
            ),
            "producer": words([PRODUCER], np.zeros(count, dtype=np.int64)),
            "sequence": pa.array(np.arange(1, count + 1)),
        }
    )
    return {
        "distinct_events": count,
        "statuses": {
            "success": int((status == SUCCESS).sum()),
            "error": int((status == ERROR).sum()),
            "unclassified": UNKNOWN_STATUSES,
        },
        "error_codes": {
            meant: int((code == number).sum()) for number, (meant, _) in enumerate(CODES.values())
        },
        "providers": _providers(provider, status),
        "failing_provider": PROVIDERS[FAILING_PROVIDER][0],
        "methods": {
            METHODS[sent]: number
            for sent, number in count_words(tuple(METHODS), np.array(method)[provider]).items()
        },
        "amounts": _amounts(table),
        "sequences": {PRODUCER: [1, count]},
        **_write_files(rng, folder, table),
    }


def _replies() -> list[str]:
    """Return what the API answers to each error, then to success."""
    replies = [
        json.dumps({"errors": [{"message": "no", "extensions": {"code": code}}]}) for code in CODES
    ]
    return [*replies, SUCCESS_REPLY]


def _providers(provider: Ints, status: Ints) -> dict[str, dict[str, int]]:
    """Return attempts and failures by provider, as it is spelled in gold."""
    return {
        spelled: {
            "attempts": int((provider == number).sum()),
            "failed": int(((provider == number) & (status == ERROR)).sum()),
        }
        for number, (spelled, _, _) in enumerate(PROVIDERS.values())
    }


def _amounts(table: pa.Table) -> dict[str, int]:
    """Return the sum of all amounts by currency."""
    sums = table.group_by("currency").aggregate([("amount_minor", "sum")]).to_pylist()
    return {row["currency"]: row["amount_minor_sum"] for row in sums}


def _write_files(rng: np.random.Generator, folder: Path, table: pa.Table) -> dict[str, Any]:
    """Deliver in two files; the second repeats some rows of the first."""
    cut = round(table.num_rows * CUT)
    first, second = table.slice(0, cut), table.slice(cut)
    again = rng.choice(cut, round(table.num_rows * EXACT_SHARE), replace=False)
    second = pa.concat_tables([second, first.take(pa.array(again))])
    for name, part in zip(FILES, (first, second), strict=True):
        write_table(part, folder / name)
    return {
        "files": {
            name: {"received": part.num_rows, "accepted": part.num_rows, "rejected": {}}
            for name, part in zip(FILES, (first, second), strict=True)
        },
        "duplicates": {"exact": len(again)},
    }
