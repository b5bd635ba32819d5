"""A cadence builds a part of gold, and what is published is of one state all the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from conftest import MODELS_ONLY, PROJECT, Demo, run_dbt
from forked_refresh import forked

from loaders.errors import AssayError
from loaders.gold.dbt_run import run_dbt as run_build
from loaders.gold.publish import current_release, publish
from loaders.gold.refresh import CADENCES, refresh
from loaders.home import Home, init_home
from loaders.landing.batches import land_file

Nodes = dict[str, dict[str, Any]]
Run = Callable[[str, str], str | None]

# Broken and mended in a way that only a test of the mart itself sees.
MART = "gold.deposit_attempts_daily"
BREAK = f"insert into {MART} select * from {MART} limit 1"
MEND = f"create or replace table {MART} as select distinct * from {MART}"


@pytest.fixture(scope="module")
def nodes(demo: Demo) -> Nodes:
    """Models, by name, as dbt understood them: tags, layer and what they are made of."""
    path = demo.home.path / "target" / "manifest.json"
    found = json.loads(path.read_text(encoding="utf-8"))["nodes"].values()
    return {
        node["name"]: {
            "tags": set(node["tags"]),
            "layer": node["fqn"][1],
            "parents": {
                name.split(".")[-1] for name in node["depends_on"]["nodes"] if "model." in name
            },
        }
        for node in found
        if node["resource_type"] == "model"
    }


def above(nodes: Nodes, name: str) -> set[str]:
    """All that is made of a model."""
    direct = {other for other, node in nodes.items() if name in node["parents"]}
    return direct | {further for other in direct for further in above(nodes, other)}


def below(nodes: Nodes, name: str) -> set[str]:
    """All that a model is made of."""
    direct = nodes[name]["parents"]
    return direct | {further for other in direct for further in below(nodes, other)}


def built(nodes: Nodes, cadence: str) -> set[str]:
    """The models that a cadence builds, by the definition in selectors.yml."""
    document = yaml.safe_load((PROJECT / "selectors.yml").read_text(encoding="utf-8"))
    (definition,) = (s["definition"] for s in document["selectors"] if s["name"] == cadence)
    assert definition == {"method": "tag", "value": cadence, "parents": True, "children": True}
    tagged = {name for name, node in nodes.items() if cadence in node["tags"]}
    return tagged.union(*(above(nodes, name) | below(nodes, name) for name in tagged))


def half_built(nodes: Nodes, cadence: str) -> set[tuple[str, str]]:
    """Facts that a cadence labels anew, and marts of them that it leaves as they were."""
    there = built(nodes, cadence)
    facts = {name for name in there if "__published_" in name}
    return {
        (fact, mart)
        for fact in facts
        for mart in above(nodes, fact) - there
        if nodes[mart]["layer"] == "gold"
    }


@pytest.mark.parametrize("cadence", CADENCES)
def test_marts_of_a_fact_are_built_together(cadence: str, nodes: Nodes):
    """Two marts of one fact, of two states, could be subtracted from each other."""
    assert half_built(nodes, cadence) == set()


def test_every_mart_has_a_cadence(nodes: Nodes):
    without = {
        name for name, n in nodes.items() if n["layer"] == "gold" and not n["tags"] & {*CADENCES}
    }
    assert without == set()


def test_a_fact_without_its_tag_is_seen(nodes: Nodes):
    """The planted fault: as it was when only marts had tags."""
    untagged = nodes | {
        name: node | {"tags": set()} for name, node in nodes.items() if node["layer"] != "gold"
    }
    assert ("int_access__published_attempts", "attempts_daily") in half_built(untagged, "hourly")


@pytest.fixture(scope="module")
def home(demo: Demo, access_alone: None, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The attempts of the demo, built, to change."""
    made = init_home(tmp_path_factory.mktemp("cadences") / "home")[0]
    for file in demo.files:
        land_file(made, "attempts", file)
    for file in sorted((demo.home.path / "demo").glob("deposit_attempts-*")):
        land_file(made, "deposit_attempts", file)
    run_dbt(made, "build", *MODELS_ONLY)
    return made


@pytest.fixture(scope="module")
def run(home: Home, access_alone: None) -> Run:
    """Refreshes the home or builds a model of it, and says what failed."""

    def told(what: str, name: str) -> str | None:
        try:
            if what == "refresh":
                refresh(home, name, dbt=forked)
            else:
                leave_out = ["--exclude-resource-type", "unit_test"]
                run_build(home, ["build", "--select", name, *leave_out], forked)
        except AssayError as error:
            return str(error)
        return None

    return told


def test_a_day_that_grows_between_two_cadences_is_of_one_state(
    home: Home, run: Run, tmp_path: Path
):
    """New attempts of a day that is there: the hourly run has them in its daily marts as well."""
    day = "2026-05-30"
    sent = tmp_path / "sent.jsonl"
    attempt = {"action": "login", "status": "success", "domain": "play.example", "geo": "DE"}
    rows = [
        {
            **attempt,
            "event_id": f"new-{n}",
            "timestamp": f"{day}T{n % 24:02}:30:00Z",
            "email": f"{n}@new.example",
        }
        for n in range(2_400)
    ]
    sent.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    land_file(home, "attempts", sent)
    assert run("refresh", "hourly") is None
    with duckdb.connect(str(home.published_file), read_only=True) as gold:
        hours, days = (
            gold.execute(
                f"select sum(attempts) from gold.attempts_{grain} where action = 'login' and "
                f"domain = 'play.example' and status = 'success' and country = 'DE' "
                f"and cast(period_start as date) = date '{day}'"
            ).fetchone()
            for grain in ("hourly", "daily")
        )
    assert hours is not None
    assert hours == days
    assert hours[0] > 2_400


def test_what_failed_in_one_build_is_not_published_by_the_next(home: Home, run: Run):
    """A build that leaves the red mart out is green, and says nothing about that mart."""
    publish(home)
    before = current_release(home)
    change(home, BREAK)
    failed = run("build", "deposit_attempts_daily")
    assert failed is not None
    assert "unique_rows_deposit_attempts_daily" in failed
    assert run("build", "email_domain_typos_weekly") is None
    with pytest.raises(AssayError, match="Not published: deposit_attempts_daily failed in an ear"):
        publish(home)
    assert current_release(home) == before
    change(home, MEND)
    assert run("build", "deposit_attempts_daily") is None
    publish(home)
    assert current_release(home) != before


def change(home: Home, statement: str) -> None:
    with duckdb.connect(str(home.warehouse)) as warehouse:
        warehouse.execute(statement)
