"""Every statement that dbt sends to BigQuery is valid: Google's own SQL engine analyzes each.

The tables are empty, so that the whole project passes quickly: models, tests, hooks and seeds, in a
short run the tests of one domain. What an increment sends is analyzed where rows are compared
(test_parity.py), and here in a long run.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from bigquery_home import CLOUD_PROJECT, bigquery_home, run_dbt_on
from conftest import PROJECT
from domains import LONG, left_out, of_domain
from standin import Job, StandIn

from loaders.home import RESIDENCIES, Home
from loaders.residencies import residency_of

pytestmark = pytest.mark.slow

Built = tuple[StandIn, Home]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """Empty bronze, not built yet."""
    with pytest.MonkeyPatch.context() as patch, StandIn(CLOUD_PROJECT) as standin:
        patch.setenv("BIGQUERY_EMULATOR_HOST", standin.endpoint)
        home = bigquery_home(tmp_path_factory.mktemp("analysis") / "home")
        standin.analyze_only = True  # there are keys; no model or seed gets rows
        yield standin, home


def refusals(jobs: list[Job]) -> list[str]:
    """What was refused: dbt's node, line and column of its statement, why, and the line itself."""
    found = []
    for job in jobs:
        if job.error is None or job.statement is None:
            continue
        node = re.search(r'"node_id": "([^"]+)"', job.statement)
        place = re.search(r"at \[(\d+):(\d+)\]", job.error.message)
        line = job.statement.splitlines()[int(place[1]) - 1].strip() if place else ""
        found.append(
            f"{node[1] if node else 'a hook'}:{place[1] if place else '?'}:"
            f"{place[2] if place else '?'}: {job.error.message}: {line}"
        )
    return found


def test_every_statement_is_accepted(
    built: Built, dice: random.Random, tell: Callable[[str], None]
) -> None:
    standin, home = built
    began = time.monotonic()
    left = left_out(dice)
    less = [f"resource_type:test,{of_domain(domain)}" for domain in left]
    select = ["--exclude", *less, "--indirect-selection", "cautious"] if less else []
    full = run_dbt_on(standin, home, "build", *select, check=False)
    increment = run_dbt_on(standin, home, "run", check=False) if LONG else full
    assert refusals(standin.jobs) == []
    assert (full.returncode, increment.returncode) == (0, 0), full.stdout + increment.stdout
    nodes = {node for job in standin.jobs if job.statement for node in _nodes(job.statement)}
    manifest = json.loads((home.path / "target" / "manifest.json").read_text(encoding="utf-8"))
    wanted = {
        name
        for name, node in manifest["nodes"].items()
        if node["resource_type"] == "model"
        or (node["resource_type"] == "test" and not set(left) & set(node["fqn"]))
    }
    assert wanted - nodes == set()
    tell(
        f"{standin.statements.analyzed} statements of {len(wanted)} models and tests analyzed "
        f"in {time.monotonic() - began:.0f} s, but for tests of {' and '.join(left) or 'nothing'}, "
        f"{standin.statements.refused} refused"
    )


def test_every_query_has_a_limit_and_says_whose_it_is(built: Built) -> None:
    standin, _ = built
    of_dbt = [job for job in standin.jobs if job.statement and "node_id" in job.statement]
    assert of_dbt
    for job in of_dbt:
        assert job.maximum_bytes_billed == 200_000_000_000
        assert job.labels["target_name"] == "bigquery_eu"
        assert job.labels["node_id"]


def test_a_target_is_where_its_residency_is() -> None:
    outputs = yaml.safe_load((PROJECT / "profiles.yml").read_text(encoding="utf-8"))["assay"][
        "outputs"
    ]
    placed = {name: output["location"] for name, output in outputs.items() if name != "dev"}
    assert placed == {f"bigquery_{r}": residency_of(r).bigquery_location for r in RESIDENCIES}


def test_every_job_runs_where_its_residency_is(built: Built) -> None:
    standin, home = built
    locations = {job.location for job in standin.jobs}
    assert locations == {residency_of(home.residency).bigquery_location}


def test_a_function_of_duckdb_is_refused_with_model_line_and_column(
    built: Built, tmp_path: Path
) -> None:
    """A planted fault: what only DuckDB knows turns the analysis red, and says where."""
    standin, home = built
    project = tmp_path / "project"
    shutil.copytree(
        PROJECT, project, ignore=shutil.ignore_patterns(".*", "target", "logs", "*.egg-info")
    )
    model = project / "models/gold/access/attempts_daily.sql"
    planted = "list_contains(['error'], status) as is_error"
    text = model.read_text(encoding="utf-8")
    model.write_text(text.replace("        attempts,\n        errors,", f"        {planted},\n"))
    before = len(standin.jobs)
    result = run_dbt_on(
        standin, home, "run", "--select", model.stem, "--project-dir", str(project), check=False
    )
    assert result.returncode != 0
    (refusal,) = refusals(standin.jobs[before:])
    assert refusal.startswith("model.assay.attempts_daily:")
    assert "Function not found: list_contains" in refusal
    assert refusal.endswith(f": {planted},")


def _nodes(statement: str) -> list[str]:
    return re.findall(r'"node_id": "([^"]+)"', statement)
