"""Every metric a second time: MetricFlow's own SQL for the same contract, run on the same rows.

MetricFlow reads the semantic manifest that dbt writes, and shares no code with the project.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
from metricflow.engine.metricflow_engine import MetricFlowEngine, MetricFlowQueryRequest
from metricflow.protocols.sql_client import SqlEngine
from metricflow.sql.render.duckdb_renderer import DuckDbSqlPlanRenderer
from metricflow_semantics.model.dbt_manifest_parser import (
    parse_manifest_from_dbt_generated_manifest,
)
from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup

PERIODS = ("hour", "day", "week", "month")

Figures = dict[tuple[str, datetime, str], float | None]  # metric, period's start, dimension's value


class _Client:
    """What MetricFlow asks of an engine in order to write SQL for it."""

    sql_engine_type = SqlEngine.DUCKDB
    sql_plan_renderer = DuckDbSqlPlanRenderer()


@dataclass(frozen=True)
class Fact:
    """A semantic model: its metrics, dimensions, and where MetricFlow finds its hours."""

    entity: str
    metrics: list[str]
    dimensions: list[str]
    hour: str | None

    @property
    def periods(self) -> tuple[str, ...]:
        """All of them, where it has hours."""
        return PERIODS if self.hour else PERIODS[1:]


class SecondComputation:
    """The metrics of a semantic manifest, as MetricFlow computes them."""

    def __init__(self, manifest: dict[str, Any], warehouse: duckdb.DuckDBPyConnection) -> None:
        with_spines = _with_spine_of_each_period(manifest, warehouse)
        parsed = parse_manifest_from_dbt_generated_manifest(json.dumps(with_spines))
        self._engine = MetricFlowEngine(SemanticManifestLookup(parsed), _Client())
        self._warehouse = warehouse
        self.facts = [_fact(model, manifest) for model in manifest["semantic_models"]]

    def figures(self, fact: Fact, period: str, dimension: str = "total") -> Figures:
        """All metrics of a fact by period, and by a dimension or in total."""
        moment = f"{fact.entity}__{fact.hour}" if period == "hour" else "metric_time"
        time = f"{moment}__{period}"
        by = [time] if dimension == "total" else [time, f"{fact.entity}__{dimension}"]
        request = MetricFlowQueryRequest.create(metric_names=fact.metrics, group_by_names=by)
        result = self._warehouse.execute(self._engine.explain(request).sql_statement.sql)
        names = [column[0] for column in result.description]
        found: Figures = {}
        for values in result.fetchall():
            row = dict(zip(names, values, strict=True))
            start, value = row[time], row[by[-1]] if dimension != "total" else "all"
            if start is not None and value is not None:
                for metric in fact.metrics:
                    figure = row[metric]
                    found[metric, start, value] = None if figure is None else float(figure)
        return found


def _with_spine_of_each_period(
    manifest: dict[str, Any], warehouse: duckdb.DuckDBPyConnection
) -> dict[str, Any]:
    """The manifest with calendars of days, weeks and months beside that of hours.

    Of the hours alone MetricFlow makes 720 rows of each month, which it joins with one another.
    """
    given = manifest["project_configuration"]
    [hours] = given["time_spines"]
    column, table = hours["primary_column"]["name"], hours["node_relation"]["relation_name"]
    spines = [hours]
    for period in PERIODS[1:]:
        warehouse.execute(
            f"create or replace temp view {period}s as select distinct "
            f"date_trunc('{period}', {column})::timestamp as period_start from {table}"
        )
        place = {"alias": f"{period}s", "schema_name": "main", "database": "temp"}
        spines.append(
            {
                "node_relation": place | {"relation_name": f"temp.main.{period}s"},
                "primary_column": {"name": "period_start", "time_granularity": period},
                "custom_granularities": [],
            }
        )
    return manifest | {"project_configuration": given | {"time_spines": spines}}


def _fact(model: dict[str, Any], manifest: dict[str, Any]) -> Fact:
    measures = {measure["name"] for measure in model["measures"]}
    of_fact = [
        metric["name"]
        for metric in manifest["metrics"]
        if measures & {measure["name"] for measure in metric["type_params"]["input_measures"]}
    ]
    times = {
        dimension["type_params"]["time_granularity"]: dimension["name"]
        for dimension in model["dimensions"]
        if dimension["type"] == "time"
    }
    return Fact(
        next(entity["name"] for entity in model["entities"] if entity["type"] == "primary"),
        of_fact,
        [d["name"] for d in model["dimensions"] if d["type"] == "categorical"],
        times.get("hour"),
    )
