"""Every metric is computed a second way, by MetricFlow from the same contract, and compared."""

from __future__ import annotations

import copy
import json
import math
import os
from collections.abc import Callable
from typing import Any

import duckdb
import pytest
from conftest import Demo
from second_computation import PERIODS, Fact, Figures, SecondComputation

from loaders.gold.metric_reference import read_metrics

pytestmark = pytest.mark.slow

LONG = os.environ.get("ASSAY_LONG") == "1"
FIGURES = """
    select metric_name, period_start, dimension_value, value
    from gold.metric_time_series
    where granularity = ? and dimension = ? and list_contains(?, metric_name)
"""


@pytest.fixture(scope="module")
def warehouse(demo: Demo) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str(demo.home.warehouse), read_only=True)


@pytest.fixture(scope="module")
def manifest(demo: Demo) -> dict[str, Any]:
    """The contract as dbt hands it on."""
    path = demo.home.path / "target" / "semantic_manifest.json"
    return dict(json.loads(path.read_text(encoding="utf-8")))


def compared(fact: Fact) -> list[tuple[str, str]]:
    """Periods and dimensions: in total all periods, and more of the others if there is time."""
    cheap = [("day", dimension) for dimension in fact.dimensions]
    cheap.append((fact.periods[0], fact.dimensions[-1]))
    rest = [(period, dimension) for period in fact.periods for dimension in fact.dimensions]
    return [*((period, "total") for period in fact.periods), *(rest if LONG else cheap)]


def differences(
    mart: Figures, other: Figures, decimals: dict[str, int]
) -> tuple[list[str], list[str], int]:
    """Metrics that differ, metrics that are withheld, and how many figures were compared.

    A figure that the mart withholds is null. MetricFlow has no row where there is nothing, and none
    of the dimension values that a metric is not split by.
    """
    differing, withheld = [], []
    split = {name for name, *_ in mart}
    for key in mart.keys() | {k for k, figure in other.items() if figure and k[0] in split}:
        metric = key[0]
        ours, theirs = mart.get(key), other.get(key)
        if theirs is not None and metric in decimals:
            theirs = _rounded(theirs, decimals[metric])
        if ours is None and theirs is not None and key in mart:
            withheld.append(metric)
        elif not math.isclose(ours or 0, theirs or 0, rel_tol=1e-12):
            differing.append(metric)
    return differing, withheld, len(mart)


def _rounded(value: float, decimals: int) -> float:
    """Halves away from zero, as both engines do."""
    return math.floor(value * 10**decimals + 0.5) / 10**decimals


def decimals_of(manifest: dict[str, Any]) -> dict[str, int]:
    measures = {
        measure["name"]: measure["config"]["meta"].get("decimals")
        for model in manifest["semantic_models"]
        for measure in model["measures"]
    }
    found = {
        metric["name"]: measures[metric["type_params"]["input_measures"][0]["name"]]
        for metric in manifest["metrics"]
        if metric["type"] == "simple"
    }
    return {name: decimals for name, decimals in found.items() if decimals is not None}


def compare(
    manifest: dict[str, Any], warehouse: duckdb.DuckDBPyConnection, fact: Fact, *periods: Any
) -> tuple[list[str], list[str], int]:
    """The same for several periods and dimensions, with what the warehouse has."""
    second = SecondComputation(manifest, warehouse)
    decimals = decimals_of(manifest)
    differing, withheld, figures = [], [], 0
    for period, dimension in periods:
        rows = warehouse.execute(FIGURES, [period, dimension, fact.metrics]).fetchall()
        mart = {(name, start, value): figure for name, start, value, figure in rows}
        assert mart or dimension != "total", (period, dimension)
        found = differences(mart, second.figures(fact, period, dimension), decimals)
        differing += found[0]
        withheld += found[1]
        figures += found[2]
    return differing, withheld, figures


def test_every_metric_agrees_with_a_second_computation(
    manifest: dict[str, Any], warehouse: duckdb.DuckDBPyConnection, tell: Callable[[str], None]
) -> None:
    """To the last period, but for figures of too few people, which are listed apart."""
    people = {"attempting_people", "registered_people", "attempts_per_person", "depositing_people"}
    parts = {m.name for fact in read_metrics() for m in fact.metrics if m.is_null_if_partial}
    for fact in SecondComputation(manifest, warehouse).facts:
        differing, withheld, figures = compare(manifest, warehouse, fact, *compared(fact))
        assert differing == []
        assert {name for name in withheld if not name.endswith("_ms")} <= people | parts
        tell(
            f"{fact.entity}: {len(fact.metrics)} metrics, {figures} figures, 0 differ, "
            f"{len(withheld)} withheld ({', '.join(sorted(set(withheld)))})"
        )


# Of which rows of its fact there must be none, as each metric's description says: day, condition.
PARTS = {
    "messages_sent": ("messages", "sent_on", "not is_published"),
    "messages_failed": ("messages", "sent_on", "not is_published or status = 'Other'"),
    "delivered_rate": ("messages", "sent_on", "not is_published or status = 'Other'"),
    "new_users": ("activity", "active_on", "not is_published and user_kind = 'new'"),
    "submissions": ("submissions", "submitted_on", "not is_published and step = 'created'"),
    "rewards_issued": (
        "wallet_entries",
        "entered_on",
        "direction = 'credit' and (not is_published or reason = 'Other')",
    ),
    "reward_volume": (
        "wallet_entries",
        "entered_on",
        "direction = 'credit' and (not is_published or reason = 'Other' "
        "or (reason = 'reward' and not has_amounts))",
    ),
    "points_earned": ("contributions", "earned_on", "not is_published or not has_points"),
}


def test_a_figure_is_null_just_where_it_would_be_of_a_part(
    warehouse: duckdb.DuckDBPyConnection, tell: Callable[[str], None]
) -> None:
    """Days, weeks and months, in total. By the hour there are neither rates nor such sums."""
    nulls = 0
    for name, (fact, day, condition) in PARTS.items():
        for period in PERIODS[1:]:
            differing = warehouse.execute(
                f"""
                with hidden as (
                    select distinct date_trunc('{period}', {day}) as period_start
                    from silver.int_engagement__published_{fact}
                    where {condition}
                )
                select count(*) filter (value is null), count(*) filter (
                    (value is null) != (period_start in (select period_start from hidden))
                )
                from gold.metrics
                where name = '{name}' and period = '{period}'
                """
            ).fetchone()
            assert differing[1] == 0, (name, period)
            nulls += differing[0]
    assert nulls > 50
    tell(f"{len(PARTS)} metrics, {nulls} figures of days, weeks and months would be of a part")
    by_hour = warehouse.execute(
        "select count(value) from gold.metric_time_series where granularity = 'hour' and "
        "metric_name in ('delivered_rate', 'approval_rate', 'points_earned', 'reward_volume')"
    ).fetchone()
    assert by_hour == (0,)


def test_every_metric_of_the_contract_is_in_gold(
    manifest: dict[str, Any], warehouse: duckdb.DuckDBPyConnection
) -> None:
    """In all periods that its fact has, and in `metrics` exactly as in the time series."""
    facts = SecondComputation(manifest, warehouse).facts
    wanted = {(name, period) for fact in facts for name in fact.metrics for period in fact.periods}
    assert {metric["name"] for metric in manifest["metrics"]} == {name for name, _ in wanted}
    rows = warehouse.execute("select distinct name, period from gold.metrics").fetchall()
    assert set(rows) == wanted
    shared = "value, subjects, is_complete"
    assert warehouse.execute(
        f"(select id, {shared} from gold.metrics except all select id, {shared} "
        "from gold.metric_time_series) union all (select id, "
        f"{shared} from gold.metric_time_series where dimension = 'total' except all "
        f"select id, {shared} from gold.metrics)"
    ).fetchall() == []  # fmt: skip


def test_no_period_is_missing_and_only_the_last_is_unfinished(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    steps = {"hour": "1 hour", "day": "1 day", "week": "7 days", "month": "1 month"}
    for period, step in steps.items():
        gaps, unfinished, last = warehouse.execute(
            f"""
            with periods as (
                select
                    *,
                    lead(period_start) over (partition by name order by period_start) as next
                from gold.metrics
                where period = '{period}'
            )
            select
                count(*) filter (next != period_start + interval {step}),
                count(*) filter (not is_complete and next is not null),
                count(*) filter (is_complete and next is null)
            from periods
            """
        ).fetchone()
        assert (gaps, unfinished) == (0, 0), period
        # The last day of a fact may have no hour: then its hours end with a day that is over.
        assert last == 0 or period == "hour", period


Change = Callable[[dict[str, Any]], None]


def metric_of(manifest: dict[str, Any], name: str) -> dict[str, Any]:
    return next(metric for metric in manifest["metrics"] if metric["name"] == name)


def other_aggregation(manifest: dict[str, Any]) -> None:
    (model,) = [m for m in manifest["semantic_models"] if m["name"] == "attempts"]
    (measure,) = [m for m in model["measures"] if m["name"] == "attempt_people"]
    measure["agg"] = "count"


def other_filter(manifest: dict[str, Any]) -> None:
    (where,) = metric_of(manifest, "blocked_attempts")["filter"]["where_filters"]
    where["where_sql_template"] = where["where_sql_template"].replace("blocked", "error")


def other_numerator(manifest: dict[str, Any]) -> None:
    parameters = metric_of(manifest, "attempt_error_rate")["type_params"]
    parameters["numerator"]["name"] = "registrations"


def withheld_rows(manifest: dict[str, Any]) -> None:
    (model,) = [m for m in manifest["semantic_models"] if m["name"] == "attempts"]
    for measure in model["measures"]:
        measure["expr"] = measure["expr"].replace("case when is_published", "case when true")


FAULTS: dict[str, tuple[Change, set[str]]] = {
    "aggregation": (
        other_aggregation,
        {"attempting_people", "attempts_per_person", "registered_people"},
    ),
    "filter": (other_filter, {"blocked_attempts"}),
    "numerator": (other_numerator, {"attempt_error_rate"}),
    "rows that are not published": (withheld_rows, {"attempts", "real_attempts"}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_formula_that_is_changed_in_one_place_is_seen(
    fault: str, manifest: dict[str, Any], warehouse: duckdb.DuckDBPyConnection
) -> None:
    """And which it is, where one is changed."""
    change, expected = FAULTS[fault]
    changed = copy.deepcopy(manifest)
    change(changed)
    (fact,) = [f for f in SecondComputation(changed, warehouse).facts if f.entity == "attempt"]
    differing, _, _ = compare(changed, warehouse, fact, ("day", "total"))
    assert expected <= set(differing)
    if fault != "rows that are not published":
        assert set(differing) == expected
