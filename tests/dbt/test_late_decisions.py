"""Late decisions and outcomes re-roll what they touch: any order of arrival gives the same gold."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import duckdb
import pytest
from conftest import Demo, run_dbt

from loaders.home import Home, init_home
from loaders.landing.batches import land_file

pytestmark = pytest.mark.slow

BATCHES = 8 if os.environ.get("ASSAY_LONG") else 2
TABLES = ("fraud_decisions", "fraud_outcomes")
SELECTION = ("path:models/silver/fraud", "path:models/gold/fraud", "+stg_platform__batches")
# When a row was computed, and what it came in, is not what it says.
NOT_SAID = {"updated_at", "labelled_at", "batch_id"}


def all_rows(home: Home) -> dict[str, set[tuple[object, ...]]]:
    """Every row of the marts of decisions, and of the labels that they are made of."""
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        tables = warehouse.execute(
            "select schema_name || '.' || table_name from duckdb_tables() "
            "where schema_name = 'gold' or table_name like 'int_fraud__published%'"
        ).fetchall()
        found = {}
        for (table,) in tables:
            columns = [c[0] for c in warehouse.execute(f"describe {table}").fetchall()]
            kept = ", ".join(c for c in columns if c not in NOT_SAID)
            rows = warehouse.execute(f"select {kept} from {table}").fetchall()
            found[table] = set(rows)
            assert len(found[table]) == len(rows), table
    return found


def test_any_order_gives_the_same_gold(demo: Demo, dice: random.Random, tmp_path: Path) -> None:
    """Both tables are dealt into files, a build after each, and all at once."""
    files: list[tuple[str, Path]] = []
    for table in TABLES:
        paths = sorted((demo.home.path / "demo").glob(f"{table}-*"))
        text = "".join(path.read_text(encoding="utf-8") for path in paths)
        # Of rows that contradict each other the first counts, whichever that is.
        lines = [line for line in text.splitlines(keepends=True) if '"changed"' not in line]
        dealt: list[list[str]] = [[] for _ in range(BATCHES)]
        for line in lines:
            dealt[dice.randrange(BATCHES)].append(line)
        for number, part in enumerate(dealt):
            files.append((table, tmp_path / f"{table}-{number}.jsonl"))
            files[-1][1].write_text("".join(part), encoding="utf-8")
    homes = []
    for name in ("at_once", "one_by_one"):
        home, _ = init_home(tmp_path / name)
        shutil.copy(demo.home.vault, home.vault)
        run_dbt(home, "seed")
        homes.append(home)
    at_once, one_by_one = homes
    for table, file in files:
        land_file(at_once, table, file)
    run_dbt(at_once, "run", "--select", *SELECTION)
    dice.shuffle(files)
    for table, file in files:
        land_file(one_by_one, table, file)
        run_dbt(one_by_one, "run", "--select", *SELECTION)
    expected, actual = all_rows(at_once), all_rows(one_by_one)
    different = {table: len(rows ^ actual[table]) for table, rows in expected.items()}
    assert {table: number for table, number in different.items() if number} == {}
    assert len(expected) == 5 and len(expected["gold.fraud_metrics"]) > 100
