"""The same events give the same silver and gold on DuckDB and on Google's own SQL engine.

Files land through both sinks, dbt builds with both targets, and every table is compared: columns,
types and rows, values typed, floats to 1e-9. First a build, then an increment with late rows and
duplicates, then the same bronze built in datasets that are new.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from bigquery_home import CLOUD_PROJECT, bigquery_home, run_dbt_on
from conftest import PROJECT, run_dbt
from inputs import write_batches
from official import client_of
from sameness import differences, summary
from standin import StandIn

from loaders.home import Home, init_home
from loaders.landing.batches import land_file

pytestmark = pytest.mark.slow

LONG = os.environ.get("ASSAY_LONG") == "1"
ROWS = 1000 if LONG else 280
SEEDS = 3 if LONG else 1
# What these hold is what the last run did.
OF_A_RUN = {"arrivals", "reply_errors"}


@dataclass(frozen=True)
class Pair:
    """The same files, landed and built on both engines."""

    seed: int
    files: dict[str, list[Path]]
    duck: Home
    standin: StandIn
    big: Home

    def land(self, batch: int) -> None:
        """Land one batch of every table in both homes."""
        for home in (self.duck, self.big):
            for table, files in self.files.items():
                result = land_file(home, table, files[batch])
                assert result.accepted == result.received > 0

    def compare(self) -> tuple[dict[str, int], list[str]]:
        """Rows by table, and what differs."""
        return differences(self.duck, client_of(self.standin))


def big_home(folder: Path, duck: Home) -> Home:
    """A home on the stand-in with the keys of another, so that pseudonyms are the same."""
    folder.mkdir()
    shutil.copy(duck.vault, folder / duck.vault.name)
    return bigquery_home(folder)


@pytest.fixture(scope="module", params=range(SEEDS))
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two homes, nothing landed in them yet."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"events made with seed {seed}")
    folder = tmp_path_factory.mktemp("parity")
    duck, _ = init_home(folder / "duck")
    with pytest.MonkeyPatch.context() as patch, StandIn(CLOUD_PROJECT) as standin:
        patch.setenv("BIGQUERY_EMULATOR_HOST", standin.endpoint)
        big = big_home(folder / "big", duck)
        yield Pair(seed, write_batches(folder / "events", seed, ROWS), duck, standin, big)


def test_the_engines_agree(pair: Pair, tell: Callable[[str], None]) -> None:
    for batch, command in ((0, "build"), (1, "build" if LONG else "run")):
        pair.land(batch)
        run_dbt(pair.duck, "build")
        run_dbt_on(pair.standin, pair.big, command)
        compared, differing = pair.compare()
        assert differing == []
        tell(f"seed {pair.seed}, batch {batch}: {summary(compared)} compared, 0 differing")
    empty = {table for table, rows in compared.items() if table.startswith("gold.") and not rows}
    assert empty == set(), "nothing was compared in these"


def test_docs_freshness_and_snapshots_are_green(pair: Pair) -> None:
    for command in (["docs", "generate"], ["source", "freshness"], ["snapshot"]):
        run_dbt_on(pair.standin, pair.big, *command)
    catalog = json.loads((pair.big.path / "target/catalog.json").read_text(encoding="utf-8"))
    assert catalog["errors"] is None
    shown = {
        (node["metadata"]["schema"], node["metadata"]["name"]) for node in catalog["nodes"].values()
    }
    assert ("assay_eu_gold", "attempts_hourly") in shown


def test_datasets_that_are_new_agree(pair: Pair, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch, StandIn(CLOUD_PROJECT) as standin:
        patch.setenv("BIGQUERY_EMULATOR_HOST", standin.endpoint)
        fresh = Pair(
            pair.seed, pair.files, pair.duck, standin, big_home(tmp_path / "big", pair.duck)
        )
        for batch in (0, 1):
            for table, files in pair.files.items():
                land_file(fresh.big, table, files[batch])
        run_dbt_on(standin, fresh.big, "seed")
        run_dbt_on(standin, fresh.big, "run")
        _, differing = fresh.compare()
    kept = [what for what in differing if not what.split(":")[0].endswith(tuple(OF_A_RUN))]
    assert kept == []


def test_a_week_that_begins_on_sunday_is_seen(pair: Pair, tmp_path: Path) -> None:
    """A planted difference between the engines turns the comparison red."""
    project = tmp_path / "project"
    shutil.copytree(
        PROJECT, project, ignore=shutil.ignore_patterns(".*", "target", "logs", "*.egg-info")
    )
    macro = project / "macros/portable/iso_week.sql"
    text = macro.read_text(encoding="utf-8")
    assert "isoweek)" in text
    macro.write_text(text.replace("isoweek)", "week)"), encoding="utf-8")
    marts = ["int_access__published_typos", "email_domain_typos_weekly"]
    select = ["--select", *marts, "--project-dir", str(project)]
    run_dbt_on(pair.standin, pair.big, "run", *select)
    _, differing = pair.compare()
    assert {what.split(":")[0].split(".")[1] for what in differing} == set(marts)
