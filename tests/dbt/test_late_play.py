"""Late events of games re-roll what they touch: any order of arrival gives the same gold."""

from __future__ import annotations

import os
import random
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Demo, run_dbt
from increments import batches_of, build_shuffled

from loaders.home import Home, init_home

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]  # as many builds as batches

BATCHES = 20 if os.environ.get("ASSAY_LONG") else 4
SELECTION = ("+path:models/gold/gaming", "+path:models/silver/gaming")
# When a row was computed is not what it says.
COMPUTED_AT = {"updated_at", "labelled_at"}


def all_rows(home: Home) -> dict[str, list[tuple]]:
    """Every row of the marts of games, and of what they are made of."""
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        tables = warehouse.execute(
            "select schema_name || '.' || table_name from duckdb_tables() where "
            "table_name like 'int_gaming__published%' or table_name in ('int_gaming__cohorts', "
            "'int_gaming__active_days', 'int_gaming__first_days', 'int_gaming__joined_bets') "
            "or (schema_name = 'gold' and table_name in "
            "('gaming_time_series', 'gaming_cube_hourly', 'game_performance_daily', "
            "'provider_service_daily', 'payments_hourly', 'payment_funnel_daily', "
            "'active_players', 'retention_cohorts', 'ltv_cohorts', 'responsible_gaming_daily'))"
        ).fetchall()
        rows = {}
        for (table,) in tables:
            columns = [c[0] for c in warehouse.execute(f"describe {table}").fetchall()]
            kept = ", ".join(c for c in columns if c not in COMPUTED_AT)
            rows[table] = warehouse.execute(f"select {kept} from {table} order by all").fetchall()
    return rows


@pytest.fixture(scope="module")
def bronze(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The demo's events of games, dealt out at random to batches, and built in one run.

    So the halves of a bet, the steps of a payment and the two ends of a session meet in different
    batches, and the rates come with one of these.
    """
    home, _ = init_home(tmp_path_factory.mktemp("play") / "home")
    shutil.copy(demo.home.vault, home.vault)
    seed = random.SystemRandom().randrange(2**32)
    print(f"batches dealt with seed {seed}")
    rng = np.random.default_rng(seed)
    files = [
        p for p in (demo.home.bronze / "platform_events").rglob("*.parquet") if len(p.stem) == 32
    ]
    rows = pa.concat_tables([pq.read_table(f, partitioning=None) for f in sorted(files)])
    rows = rows.filter(pa.compute.equal(rows["producer"], "demo-games-1"))
    place = rng.integers(0, BATCHES, rows.num_rows)
    (rates,) = [p for p in (demo.home.bronze / "fx_rates").rglob("*.parquet") if len(p.stem) == 32]
    began = datetime.now(UTC).replace(hour=1) - timedelta(days=2)
    for number in range(BATCHES):
        batch_id, landed_at = f"{rng.integers(2**62):032x}", began + timedelta(hours=number)
        batches = {"platform_events": rows.filter(pa.array(place == number))}
        if number == BATCHES // 2:
            batches["fx_rates"] = pq.read_table(rates, partitioning=None)
        for table, batch in batches.items():
            write(home, table, batch_id, landed_at, batch)
    run_dbt(home, "seed")
    run_dbt(home, "run", "--select", *SELECTION)
    return home


def write(home: Home, table: str, batch_id: str, landed_at: datetime, batch: pa.Table) -> None:
    """Write the file of a batch as landing would."""
    facts = {
        "batch_id": pa.repeat(batch_id, batch.num_rows),
        "ingested_at": pa.repeat(pa.scalar(landed_at, pa.timestamp("us", "UTC")), batch.num_rows),
        "line_number": pa.array(range(1, batch.num_rows + 1), pa.int64()),
    }
    for name, values in facts.items():
        batch = batch.set_column(batch.schema.get_field_index(name), name, values)
    folder = home.bronze / table / f"ingest_date={landed_at:%Y-%m-%d}"
    folder.mkdir(exist_ok=True)
    pq.write_table(batch, folder / f"{batch_id}.parquet")


def test_shuffled_increments_give_the_same_rows(bronze: Home, tmp_path: Path) -> None:
    """Batches in random order, built one by one, equal one build of all of them."""
    home, _ = init_home(tmp_path / "home")
    shutil.copy(bronze.vault, home.vault)
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    assert len(batches_of(bronze.path, "platform_events")) == BATCHES
    build_shuffled(bronze, home, seed, "platform_events", *SELECTION)
    expected, actual = all_rows(bronze), all_rows(home)
    assert expected.keys() == actual.keys()
    different = {table: len(set(expected[table]) ^ set(actual[table])) for table in expected}
    assert {table: n for table, n in different.items() if n} == {}, f"seed {seed}"
    assert all(len(expected[table]) == len(actual[table]) for table in expected)
    filled = {table for table, rows in expected.items() if rows}
    assert {"gold.gaming_time_series", "gold.retention_cohorts", "gold.ltv_cohorts"} <= filled
