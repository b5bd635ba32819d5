"""What two partners who put their files together know: which claims each number counts.

A mart that goes to partners is described here, in MARTS, or test_audience_space.py is red.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import combinations
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from compiled import sandbox
from row_space import inseparable_sets

from loaders import vault
from loaders.erasure.subject import chain
from loaders.home import Home, quote

K = 10
MONTHS = [date(2026, 2, 1), date(2026, 3, 1)]
CLAIMS, CALLS = "int_claims__published_claims", "int_claims__published_api_calls"
KINDS, REGIONS, OTHER = ("auto", "home", "boat"), ("by", "nw"), "Other"

Row = dict[str, Any]
Test = Callable[[Row], bool]


@dataclass(frozen=True)
class Mart:
    """How a row is made of labelled rows of its fact: `keys` maps its columns to labels.

    Each of `counts` is the number of these that also satisfy a condition. A column of `mixes` has
    one number for each value of a label, and each of `weeks` is a count of the days up to the
    row's, of those that are told of the partner.
    """

    keys: dict[str, str]
    where: Test
    counts: dict[str, Test]
    fact: str = CLAIMS
    mixes: dict[str, str] = field(default_factory=dict)
    weeks: dict[str, Test] = field(default_factory=dict)
    adds_up: bool = True


def everything(row: Row) -> bool:
    return True


def of_the_day(row: Row) -> bool:
    return bool(row["told_period"] == "day")


def of_the_week(row: Row) -> bool:
    return row["told_period"] in ("day", "week")


def says(column: str, value: Any = True) -> Test:
    return lambda row: bool(row[column] == value)


FRAUD = {"confirmed_fraud": says("is_fraud")}
MARTS = {
    "daily_claim_stats": Mart(
        {"date": "claimed_on", "claim_type": "claim_type", "region": "region"},
        of_the_day,
        {
            "total_claims": everything,
            "total_verified": says("is_verified"),
            "total_flagged": says("is_flagged"),
        },
    ),
    "fraud_patterns_weekly": Mart(
        {"period_start": "claimed_week"}
        | {k: k for k in ("claim_type", "amount_bucket", "region")},
        of_the_week,
        {"claims": everything, "proofs": everything, "flagged_claims": says("is_flagged"), **FRAUD},
    ),
    "partner_benchmarks_monthly": Mart(
        {"period_start": "claimed_month", "claim_type": "claim_type"},
        everything,
        {"claims": everything},
    ),
    "partner_behavior_profiles": Mart(
        {"period_start": "claimed_month"},
        everything,
        {"claims": everything},
        mixes={f"{k}_mix": k for k in ("claim_type", "amount_bucket", "hour_band")},
    ),
    "partner_features_daily": Mart(
        {"period_start": "claimed_on"},
        of_the_day,
        {"claims": everything, **FRAUD},
        weeks={"claims_7d": everything, "confirmed_fraud_7d": says("is_fraud")},
    ),
    "verification_metrics_daily": Mart(
        {"period_start": "called_on", "api_endpoint": "api_endpoint"},
        everything,
        {
            "events": everything,
            "api_calls": says("is_call"),
            "verifications": lambda row: row["verification_result"] is not None,
            "verified": says("verification_result", "verified"),
            "rejected": says("verification_result", "rejected"),
            "other_results": says("verification_result", "pending"),
        },
        fact=CALLS,
    ),
}
# What the twin gives to partners: a total over all of them.
TOTAL = Mart(
    {"period_start": "claimed_month", "claim_type": "claim_type", "region": "region"},
    everything,
    {"claims": everything, **FRAUD},
)


def random_claims(
    dice: random.Random, sizes: dict[str, int], kinds: tuple[str, ...] = KINDS
) -> list[Row]:
    """Claims of partners of these sizes: their share of a kind and region is often very small."""
    rows = []
    for partner, size in sizes.items():
        weights = [dice.choice((1, 4, 30)) for _ in kinds]
        for _ in range(size):
            month = dice.choice(MONTHS)
            at = datetime.combine(month, datetime.min.time()) + timedelta(
                days=min(dice.randrange(28), dice.randrange(28)), hours=dice.randrange(24)
            )
            is_flagged = dice.random() < 0.3
            rows.append(
                {
                    "claim_key": f"c{len(rows)}",
                    "batch_id": "b",
                    "partner_id": partner,
                    "claim_type": dice.choices(kinds, weights)[0],
                    "country": "de",
                    "state": dice.choices(REGIONS, (9, 1))[0],
                    "currency": "EUR",
                    "subject_key": f"u{dice.randrange(4 * size)}",
                    "is_verified": dice.random() < 0.7,
                    "is_flagged": is_flagged,
                    "is_fraud": is_flagged and dice.random() < 0.5,
                    "fraud_score": 0.5,
                    "proofs": 1,
                    "processing_time_ms": dice.randrange(10, 900),
                    "claim_amount": dice.choice((500.0, 7000.0)),
                    "amount_minor": 100,
                    "occurred_at": at,
                }
            )
    return rows


def random_calls(dice: random.Random, claims: list[Row]) -> list[Row]:
    """Calls about the claims, of one day each month."""
    results = (None, None, "verified", "rejected", "pending")
    return [
        {
            "event_id": f"e{number}",
            "batch_id": "b",
            "partner_id": claim["partner_id"],
            "api_endpoint": dice.choice(("/claims", "/proofs")),
            "is_call": (result := dice.choice(results)) is None,
            "is_success": True,
            "http_status": 200,
            "status_class": "2xx" if result is None else "none",
            "verification_result": result,
            "response_ms": 10,
            "subject_key": claim["subject_key"],
            "occurred_at": claim["occurred_at"].replace(day=3),
        }
        for number, claim in enumerate(claims)
    ]


def build(
    home: Home, models: dict[str, Any], claims: list[Row], calls: list[Row]
) -> dict[str, list[Row]]:
    """Build the facts and their marts of these claims, and return the labelled rows."""
    partners = sorted({row["partner_id"] for row in claims})
    home.warehouse.unlink(missing_ok=True)
    with sandbox(home) as database:
        database.execute(f"attach {quote(str(home.warehouse))} as warehouse")
        for schema in ("silver", "gold"):
            database.execute(f"create schema warehouse.{schema}")
        seeds = {
            "partners": [{"partner_id": p, "slug": p, "industry": "insurance"} for p in partners],
            "amount_buckets": [
                {
                    "bucket_set": "claim_amount",
                    "label": label,
                    "lower_incl": low,
                    "upper_excl": high,
                    "sort_order": low,
                }
                for label, low, high in (("low", 0, 1000), ("high", 1000, 10000))
            ],
        }
        tables = seeds | {"int_claims__claims": claims, "int_claims__api_calls": calls}
        for name, rows in tables.items():
            database.register("given", pa.Table.from_pylist(rows))
            database.execute(f"create table warehouse.silver.{name} as select * from given")
        for name in (CLAIMS, CALLS, *MARTS, "claim_type_trends_monthly", "model_bias_monthly"):
            node = models[name]
            database.execute(f"create table {node['relation_name']} as {node['compiled_code']}")
        database.execute(
            "create table warehouse.main.last_build as "
            "select 'b' as build_id, true as is_green, 0 as failed_nodes"
        )
        labelled = {
            fact: database.sql(f"from warehouse.silver.{fact}").to_arrow_table().to_pylist()
            for fact in (CLAIMS, CALLS)
        }
        raw = {row["claim_key"]: row for row in claims}
        for row in labelled[CLAIMS]:
            row["owner"] = raw[row["claim_key"]]["partner_id"]
        of_call = {row["event_id"]: row["partner_id"] for row in calls}
        for row in labelled[CALLS]:
            row["owner"] = of_call[row["event_id"]]
    return labelled


def names(home: Home, partners: set[str]) -> dict[str, str]:
    """Partners by what gold calls them."""
    first = vault.read_keys(home.vault)[:1]
    return {chain("gold.partner_id", partner, first)[0]: partner for partner in partners}


def read(home: Home, partner: str) -> dict[str, list[Row]]:
    """All that a partner's folder holds."""
    files = sorted((home.partners / partner / "current").glob("*.parquet"))
    return {file.stem: list(pq.ParquetFile(file).read().to_pylist()) for file in files}


def knowledge(
    home: Home, partner: str, labelled: dict[str, list[Row]], marts: dict[str, Mart]
) -> Iterator[tuple[str, list[Row]]]:
    """Each number that a partner reads, as the rows of a fact that it counts.

    A number that does not count what it is said to ends the audit, and so does an unknown mart. A
    part that is not told is none.
    """
    known = names(home, {row["owner"] for row in labelled[CLAIMS]})
    for name, rows in read(home, partner).items():
        mart = marts[name]
        for row in rows:
            told = [r for r in labelled[mart.fact] if r["is_published"] and mart.where(r)]
            if "partner_id_hash" in row:
                whose = known.get(row["partner_id_hash"], OTHER)
                told = [r for r in told if r["partner_id"] == whose]
            start, *others = mart.keys
            told = [r for r in told if all(row[k] == r[mart.keys[k]] for k in others)]
            here = [r for r in told if r[mart.keys[start]] == row[start]]
            numbers = [(row[c], [r for r in here if f(r)]) for c, f in mart.counts.items()]
            for column, label in mart.mixes.items():
                mix = json.loads(row[column])
                assert set(mix) == {r[label] for r in here}
                numbers += [(n, [r for r in here if r[label] == v]) for v, n in mix.items()]
            for column, test in mart.weeks.items():
                begin = row[start] - timedelta(days=6)
                week = [r for r in told if begin <= r[mart.keys[start]] <= row[start] and test(r)]
                numbers.append((row[column], week))
            for number, counted in numbers:
                if number is None:
                    continue
                assert number == len(counted), f"{name}: {number} is not of the rows it names"
                yield name, counted


@dataclass(frozen=True)
class Leaks:
    """What two partners learn of the others: numbers that count their rows, and small sets."""

    counted: int
    of_others: int
    small: int


def audit(home: Home, labelled: dict[str, list[Row]], marts: dict[str, Mart]) -> Leaks:
    """All pairs of partners. Each pair also knows every claim of its own, to the last column."""
    owners = sorted({row["owner"] for row in labelled[CLAIMS]})
    known = {p: list(knowledge(home, p, labelled, marts)) for p in owners}
    people = {id(r): r["subject_key"] for rows in labelled.values() for r in rows}
    counted = of_others = small = 0
    for pair in combinations(owners, 2):
        numbers = [rows for partner in pair for _, rows in known[partner]]
        left = [frozenset(id(r) for r in rows if r["owner"] not in pair) for rows in numbers]
        left = [ones for ones in left if ones]
        counted += len(numbers)
        of_others += len(left)
        sets = inseparable_sets(left)
        small += sum(len({people[one] for one in ones}) < K for ones in sets)
    return Leaks(counted, of_others, small)
