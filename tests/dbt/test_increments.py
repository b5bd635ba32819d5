"""The same bronze gives the same gold: in one run, in shuffled increments, in any time zone."""

from __future__ import annotations

import os
import random
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import LONG_ALONE, MODELS_ONLY, Demo, run_dbt
from increments import arrive, batches_of, build_shuffled

from loaders.contracts import contract_of
from loaders.home import Home, init_home

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("access_alone")]

IS_LONG = bool(os.environ.get("ASSAY_LONG"))
BATCHES = 20 if IS_LONG else 4
ORDERS = 3 if IS_LONG else 1
MARTS = [
    "attempts_hourly",
    "attempts_daily",
    "attempt_errors_daily",
    "response_times_daily",
    "registration_funnel_daily",
    "registrations_per_fingerprint_daily",
    "email_domain_typos_weekly",
    "metric_time_series",
    "metrics",
    "metric_trends",
    "loss_ledger",
    "platform_health_monthly",
]
# When a row was computed is not what it says.
COMPUTED_AT = {"updated_at", "labelled_at"}


def all_rows(home: Home) -> dict[str, list[tuple]]:
    """Every row of gold and of the silver that must not depend on the order of arrival."""
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        tables = [f"gold.{mart}" for mart in MARTS] + [
            "silver.stg_access__attempts",
            "silver.int_access__duplicates",
            "silver.int_access__published_attempts",
            "silver.int_platform__batch_books",
            "silver.int_platform__number_ranges",
            "silver.int_platform__landings",
        ]
        rows = {}
        for table in tables:
            columns = [c[0] for c in warehouse.execute(f"describe {table}").fetchall()]
            kept = ", ".join(c for c in columns if c not in COMPUTED_AT)
            rows[table] = warehouse.execute(f"select {kept} from {table} order by all").fetchall()
    return rows


@pytest.fixture(scope="module")
def bronze(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home whose attempts of the demo lie in many batches, and in conflict across them.

    Rows are dealt out at random, so that the copies of an event meet in different batches; some
    events come a second time with another duration, and some of those in another day. Batches land
    on several days; some rows were refused, so that what is missing of a producer's numbers lies
    in other batches, in the dead letters, or nowhere.
    """
    home, _ = init_home(tmp_path_factory.mktemp("batches") / "home")
    shutil.copy(demo.home.vault, home.vault)
    files = [p for p in (demo.home.bronze / "attempts").rglob("*.parquet") if len(p.stem) == 32]
    rows = pa.concat_tables([pq.read_table(f, partitioning=None) for f in sorted(files)])
    seed = random.SystemRandom().randrange(2**32)
    print(f"batches dealt with seed {seed}")
    rng = np.random.default_rng(seed)
    again = rows.take(rng.choice(rows.num_rows, 400, replace=False))
    moved = again.set_column(
        again.schema.get_field_index("timestamp"),
        "timestamp",
        pa.compute.subtract(again["timestamp"], pa.scalar(timedelta(days=1), pa.duration("us"))),
    ).set_column(
        again.schema.get_field_index("payload_hash"),
        "payload_hash",
        pa.compute.binary_join_element_wise(again["payload_hash"], "moved", ""),
    )
    # The last part is for the dead letters, and nobody received the one before it.
    rows = pa.concat_tables([rows, moved])
    fate = rng.choice(3, rows.num_rows, p=[0.98, 0.01, 0.01])
    refused, rows = rows.filter(pa.array(fate == 2)), rows.filter(pa.array(fate == 0))
    place = rng.integers(0, BATCHES, rows.num_rows)
    began = datetime.now(UTC).replace(hour=1) - timedelta(days=9)
    for number in range(BATCHES):
        batch = rows.filter(pa.array(place == number))
        batch_id, landed_at = f"{rng.integers(2**62):032x}", began + timedelta(hours=7 * number)
        facts = {
            "batch_id": pa.repeat(batch_id, batch.num_rows),
            "ingested_at": pa.repeat(
                pa.scalar(landed_at, pa.timestamp("us", "UTC")), batch.num_rows
            ),
            "line_number": pa.array(range(1, batch.num_rows + 1), pa.int64()),
        }
        for name, values in facts.items():
            batch = batch.set_column(batch.schema.get_field_index(name), name, values)
        letters = refused.slice(number * refused.num_rows // BATCHES, refused.num_rows // BATCHES)
        line = {"accepted": batch.num_rows, "rejected": letters.num_rows, "duplicates": number % 3}
        line["received"] = sum(line.values())
        write(home, batch_id, landed_at, "attempts", batch.to_pylist())
        write(home, batch_id, landed_at, "dead_letters", numbers_of(letters))
        write(home, batch_id, landed_at, "landing_ledger", [line])
    run_dbt(home, "build", *MODELS_ONLY)
    return home


def numbers_of(rows: pa.Table) -> list[dict[str, Any]]:
    """What dead letters of these rows say of their numbers, and why they were refused."""
    numbers = rows.select(["producer", "sequence"]).to_pylist()
    return [number | {"code": "time_violation"} for number in numbers]


def write(
    home: Home, batch_id: str, landed_at: datetime, table: str, rows: list[dict[str, Any]]
) -> None:
    """Write the file of a batch as landing would."""
    about = {"batch_id": batch_id, "ingested_at": landed_at}
    if table != "attempts":
        about["table_name"] = "attempts"
    schema = contract_of(table).arrow_schema
    folder = home.bronze / table / f"ingest_date={landed_at:%Y-%m-%d}"
    folder.mkdir(exist_ok=True)
    pq.write_table(
        pa.Table.from_pylist([row | about for row in rows], schema),
        folder / f"{batch_id}.parquet",
    )


@pytest.mark.parametrize("order", range(ORDERS))
def test_shuffled_increments_give_the_same_rows(bronze: Home, tmp_path: Path, order: int):
    """Batches in random order, built one by one, equal one build of all of them.

    Also where `assay compact` merges the files between two builds.
    """
    home, _ = init_home(tmp_path / "home")
    shutil.copy(bronze.vault, home.vault)
    seed = random.SystemRandom().randrange(2**32)
    print(f"order {order}: seed {seed}")
    assert len(batches_of(bronze.path)) == BATCHES
    assert build_shuffled(bronze, home, seed) > 0
    expected, actual = all_rows(bronze), all_rows(home)
    different = {table: len(set(expected[table]) ^ set(actual[table])) for table in expected}
    assert {table: n for table, n in different.items() if n} == {}, f"seed {seed}"
    assert all(expected.values())
    assert all(len(expected[table]) == len(actual[table]) for table in expected)
    if IS_LONG:
        run_dbt(home, "test")


def test_another_time_zone_gives_the_same_rows(bronze: Home, tmp_path: Path):
    """A build under TZ=Asia/Tokyo equals one under UTC."""
    home = Home(tmp_path / "home")
    shutil.copytree(bronze.path, home.path, ignore=shutil.ignore_patterns("warehouse*", "target"))
    run_dbt(home, "build", *MODELS_ONLY, TZ="Asia/Tokyo")
    assert all_rows(home) == all_rows(bronze)


def test_a_build_without_new_rows_changes_nothing(bronze: Home):
    """A second build leaves every row as it was, `updated_at` included, and counts no batch."""
    with duckdb.connect(str(bronze.warehouse), read_only=True) as warehouse:
        before = [warehouse.execute(f"from gold.{m} order by all").fetchall() for m in MARTS]
    run_dbt(bronze, "run")
    with duckdb.connect(str(bronze.warehouse), read_only=True) as warehouse:
        after = [warehouse.execute(f"from gold.{m} order by all").fetchall() for m in MARTS]
        counted = warehouse.execute("from silver.int_platform__batches_to_count").fetchall()
    assert before == after
    assert counted == []


@LONG_ALONE  # killed refreshes are tried always
def test_a_build_that_died_half_way_is_completed(bronze: Home, tmp_path: Path):
    """Whatever models a run stopped at, the next one makes up for it."""
    home, _ = init_home(tmp_path / "home")
    shutil.copy(bronze.vault, home.vault)
    batches = batches_of(bronze.path)
    stops = [
        ["int_access__duplicates"],
        ["stg_access__attempts"],
        ["int_access__published_attempts", "int_platform__number_ranges"],
    ]
    run_dbt(home, "seed")
    for stop, batch in zip([*stops, None], np.array_split(batches, 4), strict=True):
        for batch_id in batch:
            arrive(bronze.path, home.path, str(batch_id))
        if stop:
            models = [f"+{model}" for model in stop]
            run_dbt(home, "run", "--select", *models, "--exclude", "resource_type:seed")
        else:
            run_dbt(home, "run")
    assert all_rows(home) == all_rows(bronze)
