"""No small number of messages can be computed from their mart and metrics, exactly.

Days hide what their month tells, so of the rest of a month two margins are known. An attacker who
knows all published numbers, and which atoms each counts, adds and subtracts.
ASSAY_LONG=1 tries 200 tables instead of 20.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from compiled import compile_models
from message_space import (
    FACT,
    FIXED_SEED,
    FRESH_SEED,
    MART,
    TABLES,
    Row,
    audit,
    labelled_messages,
    lonely_days,
    random_messages,
)


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    return compile_models(f"{FACT} {MART}")


@pytest.fixture(scope="module")
def messages() -> list[Row]:
    return [*random_messages(FIXED_SEED), *lonely_days()]


@pytest.mark.parametrize("seed", [FIXED_SEED, FRESH_SEED], ids=["fixed seed", "fresh seed"])
def test_nothing_small_follows(models: dict[str, Any], seed: int) -> None:
    print(f"seed {seed}")
    tables = audit(models, [*random_messages(seed), *lonely_days()])
    disclosed = [table.disclosed() for table in tables]
    small = sum(t.is_small(atoms) for t in tables for c in t.cells().values() for atoms in c)
    print(
        f"{len(tables)} tables, {sum(len(t.members) for t in tables)} atoms, {small} small cells, "
        f"{sum(len(t.published) for t in tables)} published totals: "
        f"{sum(map(bool, disclosed))} tables with a small cell disclosed"
    )
    assert len(tables) == TABLES + 1
    assert small > 20 * TABLES
    assert not any(disclosed)


def test_random_tables_reach_every_branch(models: dict[str, Any], messages: list[Row]) -> None:
    """Else the audit would prove little: what days hide, months tell, or hide too."""
    labelled, mart = labelled_messages(models, messages)
    told = Counter((row["period"], row["failed"] is not None) for row in mart)
    assert min(told[period, shown] for period in ("day", "month") for shown in (True, False)) >= 5
    assert sum(not row["is_published"] for row in labelled) >= 5
    assert sum(row["told_channel"] == "Other" for row in labelled) >= 5
    assert sum(row["delivered_rate"] is not None for row in mart) >= 20
    days = {
        (r["month"], r["told_channel"], r["told_status"]) for r in labelled if r["is_published"]
    }
    helped = [
        row for row in mart
        if row["period"] == "month" and row["failed"]
        and (row["period_start"], row["channel"], "Other") in days
    ]  # fmt: skip
    assert len(helped) >= 3


FAULTS = {
    "a month tells all that its days hide": (FACT, "month_verdicts.verdict = 'alone'", "true"),
    "days that hide different values are one rest": (
        FACT,
        "string_agg(distinct status, ',' order by status)",
        "'any'",
    ),
    "every status stands alone": (FACT, "status_verdicts.verdict = 'alone'", "true"),
    "what is withheld is published": (FACT, "channel_verdicts.verdict != 'withheld'", "true"),
}
HALF_TRUTHS = {
    "a status that is hidden is 0": (MART, "when max(lacks_failed) = 0", "when true"),
    "a rate of what is told": (MART, "lacks.withheld = 0", "true"),
    "a share of what is told": (MART, "lacks.withheld + lacks.other = 0", "true"),
}


def planted(models: dict[str, Any], model: str, right: str, wrong: str) -> dict[str, Any]:
    sql = models[model]["compiled_code"]
    assert right in sql
    return {**models, model: {**models[model], "compiled_code": sql.replace(right, wrong)}}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_leak_is_seen(fault: str, models: dict[str, Any], messages: list[Row]) -> None:
    tables = audit(planted(models, *FAULTS[fault]), messages)
    leaking = sum(bool(table.disclosed()) for table in tables)
    print(f"{fault}: {leaking} of {len(tables)} tables leak")
    assert leaking > 0


@pytest.mark.parametrize("fault", HALF_TRUTHS)
def test_a_figure_of_a_part_is_seen(
    fault: str, models: dict[str, Any], messages: list[Row]
) -> None:
    with pytest.raises(AssertionError, match="of a part"):
        audit(planted(models, *HALF_TRUTHS[fault]), messages)
