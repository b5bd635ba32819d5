"""Late decisions and outcomes re-roll what they touch: any order of arrival gives the same gold."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from conftest import Demo, run_dbt
from pandas.testing import assert_frame_equal

from loaders.home import Home, init_home
from loaders.landing.batches import land_file

pytestmark = pytest.mark.slow

IS_LONG = bool(os.environ.get("ASSAY_LONG"))
BATCHES = 8 if IS_LONG else 2
BUILT_AFTER = 1 if IS_LONG else 5  # files
TABLES = ("fraud_decisions", "fraud_outcomes", "fraud_attributions", "experiments")
TABLES += ("replay_scenarios",)
SELECTION = ("path:models/silver/fraud", "path:models/gold/fraud", "+stg_platform__batches")
# When a row was computed, and what it came in, is not what it says.
NOT_SAID = {"updated_at", "labelled_at", "batch_id"}


def all_rows(home: Home, tables: list[str]) -> dict[str, pd.DataFrame]:
    """Rows in the order of what two builds have alike to the last digit."""
    found = {}
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        for table in tables:
            rows = warehouse.sql(f"from {table}")
            kinds = dict(zip(rows.columns, rows.types, strict=True))
            ordered = sorted(
                kinds.keys() - NOT_SAID, key=lambda name: (str(kinds[name]) == "DOUBLE", name)
            )
            found[table] = rows.project(", ".join(ordered)).order(", ".join(ordered)).df()
    return found


def tables_of_decisions(home: Home) -> list[str]:
    """The marts of decisions, and the labels that they are made of, where nothing else is built."""
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        tables = warehouse.execute(
            "select schema_name || '.' || table_name from duckdb_tables() "
            "where schema_name = 'gold' or table_name like 'int_fraud__published%'"
        ).fetchall()
    return [table for (table,) in tables]


def test_any_order_gives_the_same_gold(demo: Demo, dice: random.Random, tmp_path: Path) -> None:
    """Both tables are dealt into files, and built again and again. The demo was built at once."""
    files: list[tuple[str, Path]] = []
    for table in TABLES:
        paths = sorted((demo.home.path / "demo").glob(f"{table}-*"))
        text = "".join(path.read_text(encoding="utf-8") for path in paths)
        # Of rows that contradict each other the first counts: in the demo it is not these.
        lines = [line for line in text.splitlines(keepends=True) if '"other-' not in line]
        dealt: list[list[str]] = [[] for _ in range(BATCHES)]
        for line in lines:
            dealt[dice.randrange(BATCHES)].append(line)
        for number, part in enumerate(dealt):
            files.append((table, tmp_path / f"{table}-{number}.jsonl"))
            files[-1][1].write_text("".join(part), encoding="utf-8")
    home, _ = init_home(tmp_path / "home")
    shutil.copy(demo.home.vault, home.vault)
    run_dbt(home, "seed")
    dice.shuffle(files)
    for number, (table, file) in enumerate(files, 1):
        land_file(home, table, file)
        if number % BUILT_AFTER == 0:
            run_dbt(home, "run", "--select", *SELECTION)
    tables = tables_of_decisions(home)
    expected, actual = all_rows(demo.home, tables), all_rows(home, tables)
    for table, rows in expected.items():
        assert_frame_equal(actual[table], rows, rtol=1e-9, obj=table)
    assert len(expected) == 16 and len(expected["gold.fraud_metrics"]) > 100
