"""What any two partners read together says nothing of a third: the red team of the audiences.

They own what they sent, so each pair is granted every claim of its own, and takes it off all that
it reads. ASSAY_LONG=1 tries 60 tables instead of 6; ASSAY_SEED repeats a run.
"""

from __future__ import annotations

import os
import random
from typing import Any

import duckdb
import pytest
from audience_space import (
    CALLS,
    CLAIMS,
    MARTS,
    TOTAL,
    Row,
    audit,
    build,
    names,
    random_calls,
    random_claims,
)
from compiled import compile_models

from loaders.gold import audiences, publish
from loaders.gold.marts import models_of
from loaders.home import Home

pytestmark = pytest.mark.slow

TABLES = 60 if os.environ.get("ASSAY_LONG") else 6
BENCHMARK, TREND = "partner_benchmarks_monthly", "claim_type_trends_monthly"
ENOUGH = 10  # docs/privacy.md: partners behind a benchmark, whichever two of them read
NOISY = {"public_claim_report"}  # holds whatever else is known


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    return compile_models(f"{CLAIMS}+ {CALLS}+")


@pytest.fixture(autouse=True)
def without_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody reads meanwhile."""
    monkeypatch.setattr(publish, "GRACE_SECONDS", 0)


def published(home: Home, models: dict[str, Any], dice: random.Random) -> dict[str, list[Row]]:
    """Claims and calls of three partners, built and published; the labelled rows."""
    claims = random_claims(dice, {f"p{n}": dice.choice((15, 60, 150)) for n in range(3)})
    labelled = build(home, models, claims, random_calls(dice, claims))
    publish.publish(home)
    return labelled


def test_every_number_that_a_partner_reads_is_audited(models: dict[str, Any]) -> None:
    """But people, who do not add up, percentiles, places, and changes, which are differences."""
    assert set(audiences.partner_marts()) == set(MARTS) | NOISY
    for name, mart in MARTS.items():
        columns = models[name]["columns"].values()
        whole = {c["name"] for c in columns if c["data_type"] == "int64"}
        others = {n for n in whole if "p50" in n or "p95" in n or "p99" in n or "_change" in n}
        assert whole - others - {"subjects", "rank"} == {*mart.counts, *mart.weeks}, name
        assert {c["name"] for c in columns if c["name"].endswith("_mix")} == set(mart.mixes)


def test_two_partners_learn_nothing_of_a_third(
    home: Home, models: dict[str, Any], dice: random.Random
) -> None:
    """No number of theirs counts a claim or call of another, so nothing is left to compute with."""
    counted = 0
    for _ in range(TABLES):
        found = audit(home, published(home, models, dice), MARTS)
        counted += found.counted
        assert (found.of_others, found.small) == (0, 0)
    print(f"{TABLES} tables, {counted} numbers read by pairs, none counts a row of a third")
    assert counted > 20 * TABLES


def test_a_total_over_three_partners_gives_the_third_away(
    home: Home, models: dict[str, Any], dice: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin: an industry's total is given to each; less what two know of it, it is the third."""
    marts = models_of("gold")
    declared = marts[TREND] | {"config": {"meta": {"audience": "partner"}}}
    monkeypatch.setattr(audiences, "models_of", lambda _: marts | {TREND: declared})
    is_parted = audiences.is_parted
    monkeypatch.setattr(audiences, "is_parted", lambda mart: mart != TREND and is_parted(mart))
    small = 0
    for _ in range(TABLES):
        found = audit(home, published(home, models, dice), MARTS | {TREND: TOTAL})
        assert found.of_others
        small += found.small
    print(f"{TABLES} tables, {small} sets of fewer than ten people recovered")
    assert small >= TABLES


def test_rows_of_others_are_seen(
    home: Home, models: dict[str, Any], dice: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted fault: each partner gets all rows."""
    monkeypatch.setattr(audiences, "is_parted", lambda _: False)
    assert audit(home, published(home, models, dice), MARTS).of_others > 0


def industry(dice: random.Random, table: int) -> dict[str, int]:
    """Eleven partners to thirteen, where twelve are enough; every other time one is nearly half."""
    sizes = {f"p{n:02}": dice.choice((60, 90)) for n in range(10 + table % 3)}
    return sizes | {"large": round(0.85 * sum(sizes.values())) if table % 2 else 60}


def benchmarks(
    home: Home, models: dict[str, Any], dice: random.Random, table: int
) -> tuple[int, int, list[str]]:
    """Of how many rows an industry is told and not told; and those told of too few, to some pair.

    Recounted of the labelled claims: whichever partner reads along, ten are left of those it
    reads about, and none of them has more than half of their claims.
    """
    claims = random_claims(dice, industry(dice, table), ("auto",))
    labelled = build(home, models, claims, random_calls(dice, claims))[CLAIMS]
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        rows = warehouse.sql(f"from gold.{BENCHMARK}").to_arrow_table().to_pylist()
    partners = names(home, {row["owner"] for row in labelled})
    told = hidden = 0
    wrong: list[str] = []
    for row in rows:
        if all(row[c] is None for c in row if c.startswith("industry_")):
            hidden += 1
            continue
        told += 1
        partner = partners[row["partner_id_hash"]]
        sizes = sizes_of(labelled, row, partner)
        for along in sizes:
            left = [size for other, size in sizes.items() if other != along]
            if len(left) < ENOUGH or 2 * max(left) > sum(left):
                wrong.append(f"{partner} with {along}")
    return told, hidden, wrong


def sizes_of(labelled: list[Row], row: Row, reader: str) -> dict[str, int]:
    """Claims of each partner but the reader that a row of the benchmarks stands beside."""
    sizes: dict[str, int] = {}
    for claim in labelled:
        is_of_it = claim["is_published"] and claim["claimed_month"] == row["period_start"]
        if is_of_it and claim["claim_type"] == row["claim_type"]:
            sizes[claim["partner_id"]] = sizes.get(claim["partner_id"], 0) + 1
    return {p: n for p, n in sizes.items() if p not in (reader, "Other")}


def test_a_benchmark_is_of_ten_others_whoever_reads_along(
    home: Home, models: dict[str, Any], dice: random.Random
) -> None:
    rows = [benchmarks(home, models, dice, table) for table in range(TABLES)]
    told, hidden = (sum(row[n] for row in rows) for n in (0, 1))
    print(f"{TABLES} tables, {told} rows with an industry, {hidden} without")
    assert [wrong for row in rows for wrong in row[2]] == []
    assert told
    assert hidden


FAULTS = {
    "one partner fewer": ("- 1 as p50_ms_peers", "as p50_ms_peers"),
    "one above all, once the next one reads along": (
        "case when p50_ms_place != 2",
        "case when true",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_benchmark_of_too_few_is_seen(
    fault: str, home: Home, models: dict[str, Any], dice: random.Random
) -> None:
    """The planted faults: as if a partner had only itself to ask."""
    right, wrong = FAULTS[fault]
    sql = models[BENCHMARK]["compiled_code"]
    assert right in sql
    faulty = {
        **models,
        BENCHMARK: {**models[BENCHMARK], "compiled_code": sql.replace(right, wrong)},
    }
    for table in range(5 * TABLES):
        if benchmarks(home, faulty, dice, table)[2]:
            return
    pytest.fail("nobody noticed")
