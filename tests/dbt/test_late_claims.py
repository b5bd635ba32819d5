"""Late events of claims re-roll what they touch: any order of arrival gives the same gold."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import duckdb
import pytest
from compiled import compile_inline
from conftest import Demo, run_dbt

from loaders.home import Home, init_home
from loaders.landing.batches import land_file

pytestmark = pytest.mark.slow

BATCHES = 10 if os.environ.get("ASSAY_LONG") else 3
SELECTION = ("+path:models/gold/claims", "+data_subject_request_stats")
# When a row was computed, and what it came in, is not what it says.
NOT_SAID = {"updated_at", "labelled_at", "batch_id"}


def all_rows(home: Home) -> dict[str, set[tuple[object, ...]]]:
    """Every row of the marts of claims, and of the labels that they are made of."""
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        tables = warehouse.execute(
            "select schema_name || '.' || table_name from duckdb_tables() "
            "where schema_name = 'gold' or table_name like 'int_claims__published%'"
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
    """The events of a claim come in different files, a build after each, and all at once."""
    folder = demo.home.path / "demo"
    sent = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("claim_events-*"))]
    lines = "".join(sent).splitlines(keepends=True)
    dealt: list[list[str]] = [[] for _ in range(BATCHES)]
    for line in lines:
        dealt[dice.randrange(BATCHES)].append(line)
    files = []
    for number, part in enumerate(dealt):
        files.append(tmp_path / f"part-{number}.jsonl")
        files[-1].write_text("".join(part), encoding="utf-8")
    homes = []
    for name in ("at_once", "one_by_one"):
        home, _ = init_home(tmp_path / name)
        shutil.copy(demo.home.vault, home.vault)
        run_dbt(home, "seed")
        homes.append(home)
    at_once, one_by_one = homes
    for file in files:
        land_file(at_once, "claim_events", file)
    run_dbt(at_once, "run", "--select", *SELECTION)
    dice.shuffle(files)
    for file in files:
        land_file(one_by_one, "claim_events", file)
        run_dbt(one_by_one, "run", "--select", *SELECTION)
    expected, actual = all_rows(at_once), all_rows(one_by_one)
    different = {table: len(rows ^ actual[table]) for table, rows in expected.items()}
    assert {table: number for table, number in different.items() if number} == {}
    assert len(expected["gold.partner_benchmarks_monthly"]) > 50


def test_what_looks_back_is_renewed_with_what_it_looks_back_on() -> None:
    """The days after a day, the month after a month, the same month of all later years."""
    days = "modules.datetime.date(2025, 12, 1)", "modules.datetime.date(2028, 1, 15)"
    said = compile_inline(
        **{
            name: f"{{{{ with_later_days([{days[0]}], {reach!r}, {last}) | join(' ') }}}}"
            for name, reach, last in [
                ("week", "week", "modules.datetime.date(2025, 12, 5)"),
                ("month", "month", days[1]),
                ("years", "years", days[1]),
                ("two_days", 2, days[1]),
            ]
        }
    )
    assert {reach: text.split() for reach, text in said.items()} == {
        "week": [f"2025-12-0{number}" for number in range(1, 6)],
        "month": ["2025-12-01", "2026-01-01"],
        "years": ["2025-12-01", "2026-12-01", "2027-12-01"],
        "two_days": ["2025-12-01", "2025-12-02", "2025-12-03"],
    }
