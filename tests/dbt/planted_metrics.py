"""Metrics to plant in a copy of the project: some that must be refused, and a new domain."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import yaml
from conftest import PROJECT

Yaml = dict[str, Any]

# What is wrong with a metric of attempts, and what is said about it.
REFUSED = {
    "slow_attempts": "its filter names duration_ns, which is no published label",
    "typed_domains": "its filter names email_domain, which is no published label",
    "rows_with_a_device": "a count is one of rows, that is of event_id",
    "all_rows": "its measure is not of the form: case when is_published then ... end",
    "time_spent": "only columns of the class safe are added up, and duration_ns is none",
    "longest": "the aggregation max is not supported",
    "shown_to_all": "its minimum names no variable of dbt_project.yml",
    "of_two_facts": "only simple metrics, and ratios and derived ones of those of one fact",
    "running_total": "only simple metrics, and ratios and derived ones of those of one fact",
}

# A fact of another domain, as its own silver would make it.
FACT = "int_engagement__published_points"
FACT_SQL = """
select
    event_id, attempted_on as recorded_on, domain as category, is_published, subject_key,
    domain || action as challenge_id, length(domain) as published_points, labelled_at
from {{ ref('int_access__published_attempts') }}
"""


def measure(name: str, agg: str, column: str, **more: Any) -> Yaml:
    """A measure of published rows."""
    meta = {"unit": name, "minimum": ["k"], "additive": agg in ("count", "sum")}
    return {
        "name": name,
        "agg": agg,
        "expr": f"case when is_published then {column} end",
        "config": {"meta": meta},
        **more,
    }


def metric(name: str, kind: str, filter_: str | None = None, **parameters: Any) -> Yaml:
    """A metric with all that it must say."""
    meta = {"category": "planted", "direction": "neutral", "unit": "planted", "additive": False}
    made = {
        "name": name,
        "label": name,
        "description": f"Planted {name}.",
        "type": kind,
        "type_params": parameters,
        "config": {"meta": meta},
    }
    return made | ({"filter": filter_} if filter_ else {})


def simple(name: str, of: str, filter_: str | None = None, empty: int | None = None) -> Yaml:
    used = {"name": of} | (
        {} if empty is None else {"join_to_timespine": True, "fill_nulls_with": empty}
    )
    return metric(name, "simple", filter_, measure=used)


def plant_refused(document: Yaml) -> None:
    """Add every metric of REFUSED to a contract, and a dimension that is no label."""
    (model,) = document["semantic_models"]
    model["dimensions"].append({"name": "email_domain", "type": "categorical"})
    open_to_all = measure("planted_open", "count", "event_id")
    open_to_all["config"]["meta"]["minimum"] = ["nobody"]
    model["measures"] += [
        measure("planted_rows", "count", "event_id"),
        measure("planted_devices", "count", "fp_key"),
        measure("planted_all", "count", "event_id", expr="event_id"),
        measure("planted_time", "sum", "duration_ns"),
        measure("planted_longest", "max", "duration_ns"),
        open_to_all,
    ]
    errors = "{{ Dimension('attempt__status') }} = 'error' and duration_ns > 5"
    document["metrics"] += [
        simple("slow_attempts", "planted_rows", errors),
        simple("typed_domains", "planted_rows", "{{ Dimension('attempt__email_domain') }} = 'a'"),
        simple("rows_with_a_device", "planted_devices"),
        simple("all_rows", "planted_all"),
        simple("time_spent", "planted_time"),
        simple("longest", "planted_longest"),
        simple("shown_to_all", "planted_open"),
        metric("of_two_facts", "ratio", numerator="deposit_attempts", denominator="attempts"),
        metric("running_total", "cumulative", measure="planted_rows"),
    ]


def points() -> Yaml:
    """The contract of the other domain: aggregates and compositions that access does not have."""
    model = {
        "name": "points",
        "model": f"ref('{FACT}')",
        "defaults": {"agg_time_dimension": "recorded_on"},
        "config": {"meta": {"owner": "engagement"}},
        "entities": [
            {"name": "point", "type": "primary", "expr": "event_id"},
            {"name": "person", "type": "foreign", "expr": "subject_key"},
        ],
        "dimensions": [
            {"name": "recorded_on", "type": "time", "type_params": {"time_granularity": "day"}},
            {"name": "category", "type": "categorical"},
        ],
        "measures": [
            measure("points_given", "sum", "published_points"),
            measure("points_mean", "average", "published_points"),
            measure(
                "points_median", "percentile", "published_points", agg_params={"percentile": 0.5}
            ),
            measure("challenge_count", "count_distinct", "challenge_id"),
            measure("point_rows", "count", "event_id"),
        ],
    }
    named = "{{ Dimension('point__category') }} != 'none'"
    each = {"name": "points_per_challenge", "alias": "each"}
    return {
        "semantic_models": [model],
        "metrics": [
            simple("points", "points_given", empty=0),
            simple("mean_points", "points_mean"),
            simple("median_points", "points_median"),
            simple("challenges", "challenge_count", empty=0),
            simple("named_points", "point_rows", named, empty=0),
            metric("points_per_challenge", "ratio", numerator="points", denominator="challenges"),
            metric("doubled", "derived", expr="each * 2 + 0 * points", metrics=[each, "points"]),
        ],
    }


def fact_of_points() -> Yaml:
    """What the fact's own yml says."""
    blocks = {"cell": ["recorded_on", "category"], "subject": "subject_key"}
    published = {"data_type": "int64", "config": {"meta": {"privacy": "safe"}}}
    return {
        "models": [
            {
                "name": FACT,
                "config": {"materialized": "table"},
                "data_tests": [{"blocks_pass": {"arguments": blocks}}],
                "columns": [{"name": "published_points", **published}],
            }
        ]
    }


def copied_project(folder: Path) -> Path:
    """A copy of the dbt project, to change."""
    project = folder / "project"
    unused = shutil.ignore_patterns(".*", "target", "logs", "*.egg-info", "loaders", "docs")
    shutil.copytree(PROJECT, project, ignore=unused)
    return project


def write(path: Path, document: Yaml) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(document, sort_keys=False, width=1000), encoding="utf-8")


def change_facts(project: Path, change: Any) -> None:
    """Change the list of facts in dbt_project.yml."""
    path = project / "dbt_project.yml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(document["vars"]["metric_facts"])
    write(path, document)
