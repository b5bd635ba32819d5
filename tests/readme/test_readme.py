"""Every command and query of the README works as it stands, in the order in which it stands."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import duckdb
import pytest
from conftest import PROJECT

pytestmark = pytest.mark.slow

README = (PROJECT / "README.md").read_text(encoding="utf-8")
# Fewer than a newcomer gets: it is the commands that are tried.
DEMO_EVENTS = "40000"
# These are what runs this test.
RUNNING_NOW = {"make test", "make lint"}
# The refreshes before and after it run the tests of gold, and the build of the demo the unit tests.
TESTED_BESIDE_IT = {".venv/bin/dbt build": "test unit_test"}


def blocks(language: str) -> list[str]:
    """Code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


COMMANDS = [line for block in blocks("sh") for line in block.splitlines() if line]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the README's commands find their home: none at first."""
    return tmp_path_factory.mktemp("readme") / "home"


@pytest.mark.parametrize("command", [c for c in COMMANDS if c not in RUNNING_NOW])
def test_a_command_works(command: str, home: Path):
    """It exits with 0."""
    result = subprocess.run(
        shlex.split(command),
        cwd=PROJECT,
        env={
            "DEMO_EVENTS": DEMO_EVENTS,
            **os.environ,
            "ASSAY_HOME": str(home),
            "DBT_EXCLUDE_RESOURCE_TYPES": TESTED_BESIDE_IT.get(command, ""),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]


def test_the_query_of_the_alert_finds_the_storm(home: Path):
    """The SQL of the README is run on what the commands before it published."""
    [query] = blocks("sql")
    with duckdb.connect(str(home / "published.duckdb"), read_only=True) as gold:
        found = gold.execute(query).fetchall()
    assert [(domain, errors) for _, domain, errors in found] == [("play.example", 180)]


def test_every_target_of_make_that_is_named_exists():
    """What the README says about make is what make has."""
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", README, re.MULTILINE))
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    assert named <= set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))


def test_links_lead_somewhere():
    """Files that the documents link to are there."""
    documents = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md"]
    for path in [*documents, *sorted((PROJECT / "docs").glob("*.md"))]:
        document = path.relative_to(PROJECT)
        text = (PROJECT / document).read_text(encoding="utf-8")
        for link in re.findall(r"\]\(([^)#:]+)\)", text):
            assert ((PROJECT / document).parent / link).exists(), f"{document}: {link}"


def test_every_mart_has_a_row():
    """What is in gold is what there are models of."""
    [table] = re.findall(r"^## What is in gold\n(.*?)^## ", README, re.MULTILINE | re.DOTALL)
    rows = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    models = [path.stem for path in (PROJECT / "models" / "gold").rglob("*.sql")]
    assert sorted(rows) == sorted(models)
