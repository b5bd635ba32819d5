"""The same events give the same silver and gold on DuckDB and on Google's own SQL engine.

Files land through both sinks, dbt builds with both targets, and every table is compared: columns,
types and rows, values typed, floats to 1e-9. First a build, then an increment with late rows and
duplicates, in a short run of one domain; then the same bronze built in datasets that are new.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bigquery_home import CLOUD_PROJECT, bigquery_home, run_dbt_on
from clock import landing_at
from conftest import LONG_ALONE, MODELS_ONLY, PROJECT, run_dbt
from domains import LONG, left_out, of_domain
from inputs import REFUSED, SUNDAY, write_batches
from official import client_of
from pruning import forgets, reads
from sameness import differences, summary
from standin import StandIn

from loaders import audit, bronze
from loaders.audit import Facts, Said
from loaders.contracts import load_contracts
from loaders.home import Home, init_home
from loaders.landing.batches import land_file

# Two whole builds on an engine that reads each statement anew, beside other tests.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

ROWS = 1000 if LONG else 280
SEEDS = 3 if LONG else 1
# A release tells nothing of so few claims, and an hour of calls seldom stands alone.
MAY_BE_EMPTY = {"gold.public_claim_report", "gold.api_usage_hourly"}
EVENTS = {contract.table for contract in load_contracts().values() if contract.silver}
# What these hold is what the last run did.
OF_A_RUN = {"arrivals", "reply_errors", "batches_to_count"}


# What a batch of deposits goes through, from bronze to the loss ledger.
DEPOSITS = [
    "stg_platform__batches",
    "int_access__deposit_attempt_arrivals",
    "int_access__deposit_reply_errors",
    "int_access__duplicates",
    "stg_access__deposit_attempts",
    "int_platform__batches_to_count+",
]


@dataclass(frozen=True)
class Pair:
    """The same files, landed and built on both engines. They land at the same times."""

    seed: int
    began: datetime
    files: dict[str, list[Path]]
    duck: Home
    standin: StandIn
    big: Home

    def land(self, batch: int) -> None:
        """Land one batch of every table in both homes."""
        for home in (self.duck, self.big):
            self.land_in(home, batch)

    def land_in(self, home: Home, batch: int) -> None:
        with landing_at(self.began + timedelta(minutes=batch)):
            for table, files in self.files.items():
                result = land_file(home, table, files[batch])
                assert result.accepted == result.received - REFUSED > 0

    def compare(self) -> tuple[dict[str, int], list[str]]:
        """Rows by table, and what differs."""
        return differences(self.duck, client_of(self.standin))


def big_home(folder: Path, duck: Home) -> Home:
    """A home on the stand-in with keys and audit log of another, so that ids are the same."""
    folder.mkdir()
    shutil.copy(duck.vault, folder / duck.vault.name)
    big = bigquery_home(folder)
    entries = audit.read_entries(duck)
    bronze.write_rows(big, "audit_log", entries[0]["batch_id"], entries)
    return big


def audited(home: Home) -> None:
    """Write an audit log, of which ten hours of another log were never imported.

    The last import goes beyond today: how much of today is missing is another figure each minute.
    """
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    spans = [
        [midnight + timedelta(hours=hours) for hours in span]
        for span in ((-40, -30), (-32, -20), (-10, 72))
    ]
    audit.append_all(
        home,
        [
            Said("export", Facts(export_size=3)),
            Said("erasure", Facts(result_summary={"refused": "PERMISSION_DENIED"})),
            Said("query", Facts(happened_at=midnight - timedelta(hours=31)), "metabase"),
            *(
                Said("import", Facts(covers_from=first, covers_to=last), "metabase")
                for first, last in spans
            ),
        ],
    )


@pytest.fixture(scope="module", params=range(SEEDS))
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two homes, nothing landed in them yet."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"events made with seed {seed}")
    folder = tmp_path_factory.mktemp("parity")
    duck, _ = init_home(folder / "duck")
    audited(duck)
    with pytest.MonkeyPatch.context() as patch, StandIn(CLOUD_PROJECT) as standin:
        patch.setenv("BIGQUERY_EMULATOR_HOST", standin.endpoint)
        big = big_home(folder / "big", duck)
        files = write_batches(folder / "events", seed, ROWS)
        yield Pair(seed, datetime.now(UTC) - timedelta(hours=1), files, duck, standin, big)


def test_the_engines_agree(pair: Pair, tell: Callable[[str], None]) -> None:
    left = left_out(random.Random(pair.seed))
    for batch in (0, 1):
        pair.land(batch)
        less = ["--exclude", *map(of_domain, left)] if left and batch else []
        run_dbt(pair.duck, "build", *MODELS_ONLY, *less)  # its tests are run elsewhere
        run_dbt_on(pair.standin, pair.big, "build", *(() if LONG else MODELS_ONLY), *less)
        compared, differing = pair.compare()
        assert differing == []
        but = f", but for what is new of {' and '.join(left)}" if less else ""
        tell(f"seed {pair.seed}, batch {batch}{but}: {summary(compared)} compared, 0 differing")
    empty = {table for table, rows in compared.items() if table.startswith("gold") and not rows}
    assert empty <= MAY_BE_EMPTY, "nothing was compared in these"


def test_an_increment_lets_partitions_be_skipped(pair: Pair, tmp_path: Path) -> None:
    """It names its days as constants, where it renews days and where it reads bronze."""
    target = pair.big.path / "target"
    for told, least in ((forgets(target), 5), (reads(target, EVENTS), 3)):
        assert len(told) >= least
        assert [model for model, is_constant in told.items() if not is_constant] == []
    asked = tmp_path / "target"  # as if a subquery had said which days
    shutil.copytree(target, asked, ignore=shutil.ignore_patterns("compiled"))
    for path in (*(asked / "run").rglob("*.sql"), asked / "run_results.json"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("date '", "select date '"), encoding="utf-8")
    for told in (forgets(asked), reads(asked, EVENTS)):
        assert not all(told.values())


@LONG_ALONE  # test_standin_dbt.py tries them on a project of its own
def test_docs_freshness_and_snapshots_are_green(pair: Pair) -> None:
    for command in (["docs", "generate"], ["source", "freshness"], ["snapshot"]):
        run_dbt_on(pair.standin, pair.big, *command)
    catalog = json.loads((pair.big.path / "target/catalog.json").read_text(encoding="utf-8"))
    assert catalog["errors"] is None
    shown = {
        (node["metadata"]["schema"], node["metadata"]["name"]) for node in catalog["nodes"].values()
    }
    assert ("assay_eu_gold", "attempts_hourly") in shown


@LONG_ALONE  # two increments in one build
def test_datasets_that_are_new_agree(pair: Pair, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch, StandIn(CLOUD_PROJECT) as standin:
        patch.setenv("BIGQUERY_EMULATOR_HOST", standin.endpoint)
        big = big_home(tmp_path / "big", pair.duck)
        fresh = replace(pair, standin=standin, big=big)
        for batch in (0, 1):
            fresh.land_in(big, batch)
        run_dbt_on(standin, fresh.big, "seed")
        run_dbt_on(standin, fresh.big, "run")
        _, differing = fresh.compare()
    kept = [what for what in differing if not what.split(":")[0].endswith(tuple(OF_A_RUN))]
    assert kept == []


@LONG_ALONE  # two builds more
def test_a_batch_that_is_visible_too_late_is_named_and_can_be_taken_in(
    pair: Pair, tmp_path: Path
) -> None:
    """Silver looks back three days; a rebuild of its model looks at all that there is."""
    late = write_batches(tmp_path / "late", pair.seed + 1, 40)["deposit_attempts"][0]
    with landing_at(pair.began - timedelta(days=10)):
        batch_id = land_file(pair.big, "deposit_attempts", late).batch_id
    words = f"Batch {batch_id} of deposit_attempts: a build has read it, and silver has nothing"
    select = ["build", "--select", *DEPOSITS]
    assert words in run_dbt_on(pair.standin, pair.big, *select, check=False).stdout
    day = f"{SUNDAY:%Y-%m-%d}"
    span = {"rebuild": {"model": "stg_access__deposit_attempts", "from": day, "to": day}}
    run_dbt_on(pair.standin, pair.big, *select, "--vars", json.dumps(span))


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
