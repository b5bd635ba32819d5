"""No small cell can be computed from the marts of attempts: rule 5a.6, attack R4, exactly.

An attacker who knows every published number, and even which atoms it counts, adds and subtracts.
An atom is the finest cell of raw rows: an hour, the safe keys, a raw country. One table is one
day, since nothing published reaches across days. ASSAY_LONG=1 tries 600 tables instead of 60.
"""

import re
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from attempt_space import (
    FACT,
    FIRST_DAY,
    FIXED_SEED,
    FRESH_SEED,
    MARTS,
    ONE_WAY,
    SAFE_KEYS,
    TABLES,
    K,
    Row,
    audit,
    build,
    random_attempts,
    rows_of,
    sabotaged_tables,
)
from compiled import compile_models
from metric_space import CALENDAR, MART, metric_totals
from row_space import reduced_basis


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    return compile_models(f"{FACT}+")


@pytest.fixture(scope="module", params=[FIXED_SEED, FRESH_SEED], ids=["fixed seed", "fresh seed"])
def attempts(request: pytest.FixtureRequest) -> list[Row]:
    print(f"seed {request.param}")
    return list(random_attempts(request.param))


def test_every_mart_of_the_fact_is_audited(models: dict[str, Any]) -> None:
    """A mart that is added without a word here would be a hole in the audit."""
    readers = {
        name
        for name, node in models.items()
        if f"model.assay.{FACT}" in node["depends_on"]["nodes"]
    }
    assert readers - ONE_WAY - {CALENDAR, MART} == set(MARTS)


def test_every_whole_number_of_a_mart_is_audited(models: dict[str, Any]) -> None:
    """But distinct people behind a row, who do not add up, and percentiles."""
    for name, mart in MARTS.items():
        columns = models[name]["columns"].values()
        whole = {column["name"] for column in columns if column["data_type"] == "int64"}
        known = {*mart.counts, *mart.people, *mart.parts}
        assert whole - {"subjects", "p50_ms", "p95_ms", "p99_ms"} == known, name


def test_nothing_small_follows_from_the_marts(models: dict[str, Any], attempts: list[Row]) -> None:
    """No small atom is in the row space, and no small union can be made at all.

    The figures of the metric contract are among what the attacker knows.
    """
    tables = audit(models, attempts, metric_totals)
    disclosed = [table.disclosed_atoms() for table in tables]
    unions = [table.small_unions() for table in tables]
    parts = [table.small_parts() for table in tables]
    print(
        f"{len(tables)} tables, {sum(len(t.members) for t in tables)} atoms, "
        f"{sum(t.small_atoms() for t in tables)} of them small, "
        f"{sum(len(t.published) for t in tables)} published totals: "
        f"{sum(map(bool, disclosed))} tables with an atom disclosed, "
        f"{sum(map(bool, unions))} with a small union, {sum(map(bool, parts))} with a small part "
        f"({sum(len(table.parts) for table in tables)} parts published)"
    )
    assert len(tables) == TABLES
    assert not any(disclosed)
    assert not any(unions)
    assert not any(parts)
    assert sum(len(table.parts) for table in tables) >= 10


def test_random_tables_reach_every_branch(models: dict[str, Any], attempts: list[Row]) -> None:
    """Else the audit would prove little: hours, rests, Other, storms and withheld rows occur."""
    with build(models, attempts) as connection:
        counts = rows_of(
            connection,
            f"""
            with cells as (
                select
                    attempted_on, {", ".join(SAFE_KEYS)}, published_hour, country,
                    any_value(is_published) as is_published,
                    any_value(is_safe_cell) as is_safe_cell,
                    count(distinct subject_key) as people
                from warehouse.silver.{FACT}
                group by all
            )
            select
                count(*) filter (published_hour is not null) as hours,
                count(*) filter (published_hour is null and is_published) as rests,
                count(*) filter (not is_published) as withheld,
                count(*) filter (country != 'Other') as countries,
                count(*) filter (country = 'Other' and not is_safe_cell) as others,
                count(*) filter (is_published and people < {K}) as storms
            from cells
            """,
        )[0]
    print(counts)
    assert min(counts.values()) >= 5


def test_suppression_per_mart_and_period_leaks(attempts: list[Row]) -> None:
    """The twin: each mart drops its own small cells, and the day has a true total."""
    tables = sabotaged_tables(attempts)
    leaking = [table for table in tables if table.disclosed_atoms()]
    disclosed = sum(len(table.disclosed_atoms()) for table in tables)
    print(
        f"{len(leaking)} of {len(tables)} tables leak, {disclosed} of "
        f"{sum(table.small_atoms() for table in tables)} small atoms"
    )
    assert len(leaking) > len(tables) / 2


FAULTS = {
    "what is withheld is published": (
        "hour_verdicts.verdict != 'withheld' as is_published",
        "true as is_published",
    ),
    "no country is absorbed": ("ranked.smallness > 1", "ranked.smallness > 0"),
    "hours count rows": ("(count(distinct subject_key)", "(count(*)"),
    "every country stands alone": ("country_verdicts.verdict = 'alone'", "true"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_in_the_fact_is_seen(fault: str, models: dict[str, Any]) -> None:
    right, wrong = FAULTS[fault]
    sql = models[FACT]["compiled_code"]
    assert right in sql
    faulty = {**models, FACT: {**models[FACT], "compiled_code": sql.replace(right, wrong)}}
    tables = audit(faulty, list(random_attempts(FIXED_SEED)))
    leaking = sum(bool(table.small_unions()) for table in tables)
    print(f"{fault}: {leaking} of {len(tables)} tables leak")
    assert leaking > 0


PART_FAULTS = {
    "a part of few people": (
        "judged.low_passes and judged.over_10_passes",
        "judged.low_passes",
    ),
    "few people between two parts": (
        "judged.low_passes and judged.middle_passes",
        "judged.low_passes",
    ),
    "few people beside a part": (
        "judged.low_passes and judged.over_10_passes",
        "judged.over_10_passes",
    ),
}


def days_of_busy_devices() -> list[Row]:
    """Days on which one part is of few people: (device, its people, registrations of each)."""
    days = [
        [("one", 2, 6), ("d", 1, 1)],
        [("many", 40, 1), ("middle", 1, 11)],
        [("many", 40, 1)],
    ]
    others = [20, 20, 3]
    rows: list[Row] = []
    for number, (devices, alone) in enumerate(zip(days, others, strict=True)):
        start = datetime.combine(FIRST_DAY + timedelta(days=number), datetime.min.time())
        people = [(d, f"{d}{n % own}") for d, own, times in devices for n in range(own * times)]
        people += [(f"alone{n}", f"alone{n}") for n in range(alone)]
        rows += [
            {
                "event_id": f"b{number}-{place}",
                "batch_id": "b",
                "attempted_at": start + timedelta(hours=10, seconds=place),
                "domain": "a.example",
                "action": "signup",
                "status": "success",
                "error_code": "none",
                "field": "none",
                "country": "DE",
                "subject_key": person,
                "fp_key": device,
                "email_domain": "gmul.com",
                "duration_ns": 10**6,
            }
            for place, (device, person) in enumerate(people)
        ]
    return rows


def test_parts_of_few_people_are_hidden(models: dict[str, Any]) -> None:
    tables = audit(models, days_of_busy_devices())
    assert len(tables) == 3
    assert not any(table.small_parts() for table in tables)


@pytest.mark.parametrize("fault", PART_FAULTS)
def test_a_part_that_is_too_small_is_seen(fault: str, models: dict[str, Any]) -> None:
    """Registrations by one device are no union of blocks: the audit must see them leak."""
    name = "registrations_per_fingerprint_daily"
    right, wrong = PART_FAULTS[fault]
    sql = models[name]["compiled_code"]
    assert right in sql
    faulty = {**models, name: {**models[name], "compiled_code": sql.replace(right, wrong)}}
    leaking = sum(bool(table.small_parts()) for table in audit(faulty, days_of_busy_devices()))
    print(f"{fault}: {leaking} of 3 tables leak")
    assert leaking > 0


TRUE_TOTALS = {
    "of a cell": (r"is_published\s+and true", "true"),
    "under a rate": (
        r"sum\([^()]*\) over \([^()]*\) as attempts_of_action",
        "(select count(*) from warehouse.silver.stg_access__attempts as raw where "
        "raw.status != 'test' and cast(raw.attempted_at as date) = cells.period_start "
        "and raw.domain = cells.domain and raw.action = cells.action) as attempts_of_action",
    ),
}


def test_a_metric_of_withheld_attempts_is_seen(models: dict[str, Any]) -> None:
    """The twin: figures over all attempts instead of the published ones."""
    right = "where\n            is_published"
    sql = models[MART]["compiled_code"]
    assert right in sql
    faulty = sql.replace(right, "where true").replace("when is_published", "when true")
    changed = {**models, MART: {**models[MART], "compiled_code": faulty}}
    with pytest.raises(AssertionError, match="attempts"):
        audit(changed, list(random_attempts(FIXED_SEED))[:2000], metric_totals)


@pytest.mark.parametrize("place", TRUE_TOTALS)
def test_a_true_total_in_a_mart_is_seen(place: str, models: dict[str, Any]) -> None:
    """A number over all attempts instead of the published ones gives the withheld ones away."""
    right, wrong = TRUE_TOTALS[place]
    sql, replaced = re.subn(right, wrong, models["attempts_daily"]["compiled_code"])
    assert replaced == 1
    faulty = {**models["attempts_daily"], "compiled_code": sql}
    with pytest.raises(AssertionError, match=r"whole atoms|no published attempt"):
        audit({**models, "attempts_daily": faulty}, list(random_attempts(FIXED_SEED)))


def test_the_attack_agrees_with_numpys_rank() -> None:
    """Control of the attack: a unit vector is found just if it does not raise the rank."""
    chosen = np.random.default_rng(FIXED_SEED)
    found = 0
    for _ in range(200):
        matrix = chosen.integers(0, 2, (chosen.integers(1, 8), 7))
        sets = [frozenset(np.flatnonzero(row).tolist()) for row in matrix]
        basis = reduced_basis(s for s in sets if s)
        single = {min(row) for row in basis if len(row) == 1}
        rank = np.linalg.matrix_rank(matrix)
        assert len(basis) == rank
        assert single == {
            i for i in range(7) if np.linalg.matrix_rank([*matrix, np.eye(7)[i]]) == rank
        }
        found += len(single)
    assert found > 100
