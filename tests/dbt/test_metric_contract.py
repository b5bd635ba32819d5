"""The metric contract: whole, safe, in step with its page, and open to a new domain by YAML."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from click.testing import CliRunner
from conftest import PROJECT, Demo, run_dbt
from planted_metrics import (
    FACT,
    FACT_SQL,
    REFUSED,
    Yaml,
    change_facts,
    copied_project,
    fact_of_points,
    plant_refused,
    points,
    write,
)
from second_computation import PERIODS, Figures, SecondComputation

from loaders.cli import main
from loaders.gold.marts import thresholds
from loaders.gold.metric_reference import read_metrics
from loaders.home import Home, init_home

FILES = sorted((PROJECT / "models" / "metrics").rglob("*.yml"))
DIRECTIONS = {"up_is_good", "up_is_bad", "neutral"}
ADDITIVE = {"count", "sum"}


def contract(path: Path) -> Yaml:
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


def metrics() -> list[tuple[Yaml, Yaml]]:
    """Every metric with what it and its measure say of it, and its measure's aggregate."""
    found = []
    for path in FILES:
        document = contract(path)
        (model,) = document["semantic_models"]
        measures = {m["name"]: m for m in model["measures"]}
        for metric in document["metrics"]:
            named = metric["type_params"].get("measure", "")
            measure = measures.get(named if isinstance(named, str) else named["name"], {})
            nodes = [n.get("config", {}).get("meta", {}) for n in (model, measure, metric)]
            meta = nodes[0] | nodes[1] | nodes[2] | {"agg": measure.get("agg")}
            found.append((metric, meta))
    return found


@pytest.mark.parametrize("metric", metrics(), ids=lambda metric: metric[0]["name"])
def test_a_metric_says_all_that_it_must(metric: tuple[Yaml, Yaml]) -> None:
    """One sentence, category, unit, direction, owner, how it adds up and from when it is shown."""
    definition, meta = metric
    assert definition["description"].endswith(".")
    assert definition["description"].count(". ") == 0
    assert definition["label"]
    assert meta["direction"] in DIRECTIONS
    assert meta["category"] and meta["unit"] and meta["owner"]
    if definition["type"] == "simple":
        assert set(meta["minimum"]) <= set(thresholds())
        assert meta["additive"] == (meta["agg"] in ADDITIVE)
    elif definition["type"] == "ratio":
        assert meta["additive"] is False


def test_the_page_is_in_step() -> None:
    """Of `assay metrics`, which made it."""
    made = CliRunner().invoke(main, ["metrics"])
    assert made.exit_code == 0
    page = (PROJECT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert made.output == page, "run: assay metrics > docs/metrics.md"
    as_json = json.loads(CliRunner().invoke(main, ["metrics", "--json"]).output)
    told = {metric["name"] for subject in as_json["subjects"] for metric in subject["metrics"]}
    assert told == {metric["name"] for metric, _ in metrics()}
    assert all(f"| `{name}` |" in page for name in told)
    assert len(read_metrics()) == len(FILES)


def test_what_may_not_be_published_stops_the_build(tmp_path: Path) -> None:
    """All of it is named at once, and the others are not."""
    project = copied_project(tmp_path)
    path = project / "models/metrics/access/attempts.yml"
    document = contract(path)
    plant_refused(document)
    write(path, document)
    change_facts(project, lambda facts: facts.remove("int_access__published_deposit_attempts"))
    home, _ = init_home(tmp_path / "home")
    result = run_dbt(
        home, "compile", "--select", "metrics", "--project-dir", str(project), check=False
    )
    assert result.returncode != 0
    said = " ".join(result.stdout.split())
    for name, fault in REFUSED.items():
        assert f"{name}: {fault}" in said, name
    assert "int_access__published_deposit_attempts: is not in the variable metric_facts" in said
    assert "int_access__published_attempts: the dimension email_domain is no" in said
    for metric, _ in metrics():
        assert f" {metric['name']}: " not in said


@pytest.mark.slow
def test_a_domain_adds_metrics_by_yaml_alone(demo: Demo, tmp_path: Path) -> None:
    """Once its fact is made, the next build has them from the first day on, beside all others."""
    project = copied_project(tmp_path)
    folder = project / "models/silver/engagement"
    write(folder / f"{FACT}.yml", fact_of_points())
    (folder / f"{FACT}.sql").write_text(FACT_SQL, encoding="utf-8")
    write(project / "models/metrics/engagement/points.yml", points())
    change_facts(project, lambda facts: facts.append(FACT))
    home = Home(tmp_path / "home")
    shutil.copytree(demo.home.path, home.path, ignore=shutil.ignore_patterns("demo", "target"))
    chosen = [FACT, "int_metrics__hours", "metric_time_series+"]
    run_dbt(home, "run", "--select", *chosen, "--project-dir", str(project))
    manifest = json.loads((home.path / "target" / "semantic_manifest.json").read_text())
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        second = SecondComputation(manifest, warehouse)
        (fact,) = [fact for fact in second.facts if fact.entity == "point"]
        assert fact.hour is None
        for period, dimension in [*((p, "total") for p in PERIODS[1:]), ("day", "category")]:
            shown = figures(warehouse, period, dimension, fact.metrics)
            expected = second.figures(fact, period, dimension)
            split = set(fact.metrics) - ({"named_points"} if dimension == "category" else set())
            assert {name for name, *_ in shown} == split
            for key, figure in shown.items():
                assert figure == pytest.approx(expected[key], rel=1e-12), key
        assert all(figure is not None for figure in shown.values())
        others = all_but(warehouse, fact.metrics)
    with duckdb.connect(str(demo.home.warehouse), read_only=True) as before:
        assert others == all_but(before, fact.metrics)


def figures(
    warehouse: duckdb.DuckDBPyConnection, period: str, dimension: str, names: list[str]
) -> Figures:
    rows = warehouse.execute(
        "select metric_name, period_start, dimension_value, value from gold.metric_time_series "
        "where granularity = ? and dimension = ? and list_contains(?, metric_name)",
        [period, dimension, names],
    ).fetchall()
    return {(name, start, value): figure for name, start, value, figure in rows}


def all_but(warehouse: duckdb.DuckDBPyConnection, names: list[str]) -> set[tuple[Any, ...]]:
    rows = "select * from gold.metric_time_series where not list_contains(?, metric_name)"
    return set(warehouse.execute(rows, [names]).fetchall())
