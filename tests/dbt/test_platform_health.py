"""The monthly health of the platform is what pandas computes of bronze and of published rows."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import PROJECT, Demo, run_dbt

from loaders.gold.runs import TURN_TAKEN, record_refused
from loaders.home import Home

# Tables of each domain, with the time of their events.
TABLES = {
    "access": {"attempts": "timestamp", "deposit_attempts": "timestamp"},
    "engagement": {"platform_events": "occurred_at"},
}
CLASSES = {
    "malformed": {"payload_malformed", "envelope_violation", "time_violation"},
    "schema": {"schema_unknown", "schema_violation", "schema_version_unsupported"},
    "forbidden": {"residency_violation"},
    "oversized": {"size_violation"},
    "failed": {"adapter_failure"},
}
MADE_OF_IT = (
    "int_platform__monthly_landings",
    "int_platform__monthly_runs",
    "platform_health_monthly",
)


def health_of(home: Home) -> pd.DataFrame:
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        rows = warehouse.execute("select * from gold.platform_health_monthly").df()
    return rows.set_index(["period_start", "domain"]).sort_index()


@pytest.fixture(scope="module")
def health(demo: Demo) -> pd.DataFrame:
    return health_of(demo.home)


@pytest.fixture(scope="module")
def landed(health: pd.DataFrame) -> pd.DataFrame:
    """The rows of the month in which the demo landed, by domain."""
    return health[health.events > 0].reset_index("period_start")


def bronze_of(demo: Demo, table: str, *columns: str) -> pd.DataFrame:
    """Columns of a bronze table, and the batch of each row."""
    files = [f for f in (demo.home.bronze / table).rglob("*.parquet") if len(f.stem) == 32]
    names = [*columns, "batch_id"]
    return pa.concat_tables(
        [pq.read_table(f, columns=names, partitioning=None) for f in files]
    ).to_pandas()


@pytest.mark.parametrize("domain", TABLES)
def test_what_landed_is_what_was_sent(domain: str, landed: pd.DataFrame, demo: Demo) -> None:
    """By the answer key of the demo's files, refused records by their codes."""
    keys = {"attempts": demo.key, "deposit_attempts": demo.deposits, "platform_events": demo.events}
    files = [file for table in TABLES[domain] for file in keys[table]["files"].values()]
    row = landed.loc[domain]
    assert row.events == sum(file["received"] for file in files)
    assert row.accepted == sum(file["accepted"] for file in files)
    assert row.refused == row.events - row.accepted
    assert row.duplicates == 0
    for name, codes in CLASSES.items():
        refused = [n for file in files for code, n in file["rejected"].items() if code in codes]
        assert row[f"refused_{name}"] == sum(refused), name


def test_every_class_of_the_seed_has_a_column(health: pd.DataFrame) -> None:
    with (PROJECT / "seeds" / "error_codes.csv").open(encoding="utf-8", newline="") as seed:
        classes = {row["refused_as"] for row in csv.DictReader(seed)} - {"none"}
    columns = {name.removeprefix("refused_") for name in health if name.startswith("refused_")}
    assert columns == classes == set(CLASSES)


@pytest.mark.parametrize("domain", TABLES)
def test_completeness_is_that_of_the_numbers(domain: str, landed: pd.DataFrame, demo: Demo) -> None:
    """From the first to the last number of each producer, how many came."""
    came = expected = 0
    letters = bronze_of(demo, "dead_letters", "table_name", "producer", "sequence")
    for table in TABLES[domain]:
        rows = bronze_of(demo, table, "producer", "sequence")
        both = pd.concat([rows, letters[letters.table_name == table]])
        for _, numbers in both.dropna(subset=["producer", "sequence"]).groupby("producer").sequence:
            came += numbers.nunique()
            expected += int(numbers.max() - numbers.min()) + 1
    assert landed.loc[domain, "completeness"] == pytest.approx(came / expected)
    if domain == "access":
        assert came < expected, "the demo lost numbers"


@pytest.mark.parametrize("domain", TABLES)
def test_freshness_is_that_of_the_batches(domain: str, landed: pd.DataFrame, demo: Demo) -> None:
    delays: list[float] = []
    for table, event_time in TABLES[domain].items():
        batches = bronze_of(demo, table, event_time, "ingested_at").groupby("batch_id")
        delays.extend((batches.ingested_at.max() - batches[event_time].max()).dt.total_seconds())
    assert len(delays) > 2
    expected = np.percentile(delays, 95)
    assert landed.loc[domain, "freshness_p95_seconds"] == pytest.approx(expected, abs=0.51)


def test_errors_and_response_times_are_those_of_published_requests(
    health: pd.DataFrame, demo: Demo
) -> None:
    tables = []
    with duckdb.connect(str(demo.home.warehouse), read_only=True) as warehouse:
        for table in TABLES["access"]:
            rows = warehouse.execute(f"from silver.int_access__published_{table}").df()
            real = rows[rows.is_published & (rows.status != "test")]
            months = real.groupby(real.attempted_on.dt.to_period("M").dt.start_time)
            tables.append(
                pd.DataFrame(
                    {
                        "requests": months.size(),
                        "errors": months.status.agg(lambda status: (status == "error").sum()),
                        "p95_ms": months.duration_ns.quantile(0.95) / 1e6,
                    }
                )
            )
    both = pd.concat(tables).groupby(level=0)
    told = health.xs("access", level="domain").dropna(subset=["errors_per_1000"])
    expected = (1000 * both.errors.sum() / both.requests.sum()).to_dict()
    assert told.errors_per_1000.to_dict() == pytest.approx(expected)
    assert told.p95_ms.to_dict() == both.p95_ms.max().round().to_dict()
    others = health[health.index.get_level_values("domain") != "access"]
    assert others[["errors_per_1000", "p95_ms"]].isna().all(axis=None)


def test_runs_that_failed_count_and_months_outlive_their_batches(
    demo: Demo, landed: pd.DataFrame, tmp_path: Path
) -> None:
    """Two runs of today, and the month of the demo as if it were long ago as well."""
    home = Home(tmp_path / "home")
    skip = shutil.ignore_patterns("demo", "target", "logs", "published*")
    shutil.copytree(demo.home.path, home.path, ignore=skip)
    for _ in range(2):
        record_refused(home, "build", ("refresh", "Refresh of gold"), TURN_TAKEN)
    with duckdb.connect(str(home.warehouse)) as warehouse:
        for table in ("gold.loss_ledger", "silver.int_platform__monthly_landings"):
            warehouse.execute(
                f"insert into {table} from (select * replace "
                f"(period_start - interval 50 year as period_start) from {table})"
            )
    run_dbt(home, "run", "--select", *MADE_OF_IT)
    found = health_of(home)
    runs = found.failed_runs.dropna()
    assert [(domain, n) for (_, domain), n in runs.items()] == [("platform", 2)]
    old = found[found.index.get_level_values("period_start").year < 2000]
    old = old[old.events > 0].reset_index("period_start")
    of_landing = [
        name
        for name in landed
        if name.startswith("refused")
        or name in ("events", "accepted", "completeness", "freshness_p95_seconds")
    ]
    pd.testing.assert_frame_equal(old[of_landing], landed[of_landing])
