"""What follows from all that marts of claims tell of outcomes: nothing of fewer than k people.

A mart that tells how many claims of a cell are flagged gives an attacker one equation over the
claims of the cell. Whatever she computes of these is a sum over sets of claims that no cell tells
apart. ASSAY_LONG=1 tries 60 tables instead of 4; ASSAY_SEED repeats a run.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import duckdb
import pytest
from audience_space import (
    CALLS,
    CLAIMS,
    MARTS,
    Mart,
    Row,
    build,
    everything,
    names,
    random_calls,
    random_claims,
)
from compiled import compile_models
from row_space import computable_sets, inseparable_sets

from loaders.home import Home

pytestmark = pytest.mark.slow

TABLES = 60 if os.environ.get("ASSAY_LONG") else 4
K = 10
BIAS = "model_bias_monthly"
EVERY_MART = MARTS | {
    "claim_type_trends_monthly": Mart(
        {"period_start": "claimed_month", "claim_type": "claim_type", "region": "region"},
        everything,
        {},
    )
}
# Columns that are not null where a cell tells the outcome.
TELLS = {
    "verified": ("total_verified", "verification_rate"),
    "suspicion": ("total_flagged", "flagged_claims", "confirmed_fraud", "fraud_rate", "flag_rate"),
    "errors": ("false_positive_rate", "false_negative_rate"),
}
VALUES: dict[str, list[Callable[[Row], bool]]] = {
    "verified": [lambda r: r["is_verified"], lambda r: not r["is_verified"]],
    "suspicion": [
        lambda r: r["is_flagged"],
        lambda r: not r["is_flagged"],
        lambda r: r["is_fraud"] is True,
        lambda r: r["is_fraud"] is not True,
        lambda r: r["is_flagged"] and r["is_fraud"] is not True,
    ],
    "errors": [
        lambda r, is_flagged=is_flagged, is_fraud=is_fraud: (
            (r["is_flagged"], r["is_fraud"]) == (is_flagged, is_fraud)
        )
        for is_flagged in (True, False)
        for is_fraud in (True, False, None)
    ],
}
# Each figure is hidden where it is small itself, and nothing else is asked.
PER_CELL = (
    r"min\(\w+_level\) >= \d+\s+then count\(case when (.*?) then 1 end\)",
    r"count(distinct case when \1 then subject_key end) not between 1 and 9 and "
    r"count(distinct case when not coalesce(\1, false) then subject_key end) not between 1 and 9 "
    r"then count(case when \1 then 1 end)",
)


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    return compile_models(f"{CLAIMS}+ {CALLS}+")


def claims_of(dice: random.Random) -> list[Row]:
    """Of partners of any size; some claims have not been judged yet, and few are flagged."""
    rows = random_claims(dice, {f"p{n}": dice.choice((15, 150, 600)) for n in range(4)})
    share = dice.choice((0.05, 0.2))
    for row in rows:
        row["is_flagged"] = dice.random() < share
        row["is_fraud"] = dice.choice((row["is_flagged"], row["is_flagged"], False, None))
    return rows


def cells(home: Home, claims: list[Row]) -> Iterator[tuple[Row, list[int]]]:
    """Rows of all marts, and which of the labelled claims each counts."""
    known = names(home, {row["owner"] for row in claims})
    published = [(n, row) for n, row in enumerate(claims) if row["is_published"]]
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        for name, mart in EVERY_MART.items():
            if mart.fact != CLAIMS:
                continue
            start, *others = mart.keys
            for row in warehouse.sql(f"from gold.{name}").to_arrow_table().to_pylist():
                whose = known.get(row.get("partner_id_hash"), "Other")
                told = [
                    (n, claim)
                    for n, claim in published
                    if mart.where(claim)
                    and ("partner_id_hash" not in row or claim["partner_id"] == whose)
                    and all(row[key] == claim[mart.keys[key]] for key in others)
                ]
                day, label = row[start], mart.keys[start]
                yield row, [n for n, claim in told if claim[label] == day]
                if row.get("confirmed_fraud_7d") is not None:
                    begin = day - timedelta(days=6)
                    yield row, [n for n, claim in told if begin <= claim[label] <= day]
        for row in warehouse.sql(f"from gold.{BIAS}").to_arrow_table().to_pylist():
            yield (
                row,
                [
                    n
                    for n, claim in published
                    if claim["claimed_month"] == row["period_start"]
                    and claim[row["dimension"]] == row["value"]
                ],
            )


def is_too_few(claims: list[Row], ones: frozenset[int], outcome: str) -> bool:
    """Of these claims, a value of the outcome is true of somebody, and of fewer than k people."""
    for value in VALUES[outcome]:
        people = {claims[n]["subject_key"] for n in ones if value(claims[n])}
        if 0 < len(people) < K:
            return True
    return False


def audit(home: Home, models: dict[str, Any], dice: random.Random) -> tuple[int, int, int, int]:
    """Cells that tell an outcome and that do not; sets that must not, and do, follow from them."""
    raw = claims_of(dice)
    labelled = build(home, models, raw, random_calls(dice, raw))[CLAIMS]
    rows = list(cells(home, labelled))
    told = hidden = small = recovered = 0
    for outcome, columns in TELLS.items():
        sets = set()
        for row, counted in rows:
            tells = [column for column in columns if column in row]
            if any(row[column] is not None for column in tells):
                sets.add(frozenset(counted))
            elif tells:
                hidden += 1
        told += len(sets)
        small += sum(is_too_few(labelled, ones, outcome) for ones in inseparable_sets(sets))
        recovered += sum(is_too_few(labelled, ones, outcome) for ones in computable_sets(sets))
    return told, hidden, small, recovered


def test_no_part_of_few_people_follows(
    home: Home, models: dict[str, Any], dice: random.Random
) -> None:
    told, hidden, small, recovered = (
        sum(found)
        for found in zip(*(audit(home, models, dice) for _ in range(TABLES)), strict=True)
    )
    print(f"{TABLES} tables, {told} sets of claims told, {hidden} cells not")
    assert (small, recovered) == (0, 0)
    assert told > TABLES
    assert hidden > TABLES


def test_hiding_what_is_small_in_each_mart_gives_it_away(
    home: Home, models: dict[str, Any], dice: random.Random
) -> None:
    """The twin: a month less the cells of it that are told is the one that is not."""
    faulty = {}
    for name, node in models.items():
        sql, replaced = re.subn(*PER_CELL, node.get("compiled_code") or "", flags=re.DOTALL)
        faulty[name] = node | {"compiled_code": sql} if replaced else node
    assert sum(faulty[name] is not models[name] for name in models) >= 7
    recovered = sum(audit(home, faulty, dice)[3] for _ in range(TABLES))
    print(f"{TABLES} tables, {recovered} sets of few people recovered")
    assert recovered >= TABLES
