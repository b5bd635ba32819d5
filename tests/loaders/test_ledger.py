"""The books: they balance, and whatever is taken from a home or slipped into it is named."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from conftest import Demo
from kept_validator import one_validator
from landed import ATTEMPT, assay, batch_files, bronze_rows

from loaders.home import Home
from loaders.landing.batches import land_file

__all__ = ["one_validator"]  # a fixture


@pytest.fixture
def copy(demo: Demo, tmp_path: Path) -> Home:
    """The built demo, to change as one likes."""
    return Home(
        Path(
            shutil.copytree(
                demo.home.path,
                tmp_path / "copy",
                symlinks=True,
                ignore=shutil.ignore_patterns("demo", "target", "logs"),
            )
        )
    )


def row_total(file: Path) -> int:
    return pq.ParquetFile(file).metadata.num_rows


def read_ledger(home: Home, exit_code: int) -> dict[str, dict[str, Any]]:
    """The books by batch, as --json gives them."""
    result = assay("ledger", "--json", home=home)
    assert result.returncode == exit_code, result.stderr
    books = json.loads(result.stdout)
    assert books["balanced"] is (exit_code == 0)
    assert len(books["batches"]) == len({batch["batch_id"] for batch in books["batches"]})
    return {batch["batch_id"]: batch for batch in books["batches"]}


def problems(home: Home) -> dict[str, str]:
    """What the ledger finds wrong, by batch, while it exits with 1."""
    result = assay("ledger", home=home)
    assert result.returncode == 1, result.stderr
    *lines, last = result.stdout.splitlines()
    found = [line.split("  UNBALANCED: ") for line in lines if "UNBALANCED" in line]
    assert last.endswith(f" {len(found)} unbalanced.")
    return {figures.split()[0]: problem for figures, problem in found}


# --- in order


def test_the_demo_balances(demo: Demo):
    """Received, accepted, bronze, silver: each figure as the files, the key and dbt have it."""
    books = read_ledger(demo.home, 0)
    books = {name: batch for name, batch in books.items() if batch["table_name"] == "attempts"}
    bronze = {file.stem: row_total(file) for file in batch_files(demo.home, "attempts")}
    letters = Counter(row["batch_id"] for row in bronze_rows(demo.home, "dead_letters"))
    names = {r["batch_id"]: r["source_file"] for r in bronze_rows(demo.home, "landing_ledger")}
    assert set(books) == set(bronze)
    for name, batch in books.items():
        key = demo.key["files"][names[name]]
        assert batch["received"] == key["received"]
        assert batch["accepted"] == batch["bronze"] == bronze[name] == key["accepted"]
        assert batch["rejected"] == batch["dead_letters"] == letters[name]
        assert batch["duplicates"] == 0
        assert batch["silver"] + batch["silver_duplicates"] == batch["bronze"]
        assert batch["problem"] is None
    doubles = demo.key["duplicates"]
    assert sum(batch["silver"] for batch in books.values()) == demo.key["distinct_events"]
    assert (
        sum(batch["silver_duplicates"] for batch in books.values())
        == doubles["exact"] + doubles["conflicts"]
    )


def test_the_text_says_what_the_object_says(demo: Demo):
    """One line per batch, with its figures, and a last line with the sum."""
    result = assay("ledger", home=demo.home)
    *lines, last = result.stdout.splitlines()
    books = read_ledger(demo.home, 0)
    landed = [row["table_name"] for row in bronze_rows(demo.home, "landing_ledger")]
    no_events = ("fx_rates", "experiments", "replay_scenarios", "data_subject_requests")
    of_events = [table for table in landed if table not in no_events]
    assert len(lines) == len(books) == len(of_events)
    for line in lines:
        batch = books[line.split()[0]]
        assert line == (
            "{batch_id}  {table_name}  received {received} = accepted {accepted}"
            " + rejected {rejected} + duplicates 0; bronze {bronze}"
            "; silver {silver} + duplicates {silver_duplicates}"
        ).format(**batch)
    assert last == f"{len(books)} batches, 0 unbalanced."


def test_a_batch_that_no_build_has_read_is_no_fault(home: Home, tmp_path: Path):
    """It balances as far as it has come, and the ledger says what it could not see."""
    sent = tmp_path / "sent"
    sent.write_text(json.dumps(ATTEMPT) + "\nbroken\n")
    batch_id = land_file(home, "attempts", sent).batch_id
    books = read_ledger(home, 0)
    assert books[batch_id] == {
        "batch_id": batch_id,
        "table_name": "attempts",
        "received": 2,
        "accepted": 1,
        "rejected": 1,
        "duplicates": 0,
        "bronze": 1,
        "dead_letters": 1,
        "silver": None,
        "silver_duplicates": None,
        "problem": None,
    }
    text = assay("ledger", home=home).stdout
    assert "not built yet" in text
    assert "Silver is not in the books: No warehouse" in text


def test_an_empty_home_balances(home: Home):
    assert read_ledger(home, 0) == {}


# --- out of order


def file_of(home: Home, table: str, batch_id: str) -> Path:
    (file,) = (file for file in batch_files(home, table) if file.stem == batch_id)
    return file


def a_batch(home: Home, has_refusals: bool = False) -> str:
    """A batch of the demo, one with refused rows where that matters."""
    batches = bronze_rows(home, "landing_ledger")
    return next(row["batch_id"] for row in batches if bool(row["rejected"]) is has_refusals)


def lose_bronze(home: Home) -> str:
    file_of(home, "attempts", batch := a_batch(home)).unlink()
    return batch


def lose_dead_letters(home: Home) -> str:
    file_of(home, "dead_letters", batch := a_batch(home, has_refusals=True)).unlink()
    return batch


def double_bronze(home: Home) -> str:
    file = file_of(home, "attempts", batch := a_batch(home))
    shutil.copy(file, file.with_name("copy.parquet"))
    return batch


def double_dead_letters(home: Home) -> str:
    file = file_of(home, "dead_letters", batch := a_batch(home, has_refusals=True))
    shutil.copy(file, file.with_name("copy.parquet"))
    return batch


def lose_ledger(home: Home) -> str:
    file_of(home, "landing_ledger", batch := a_batch(home)).unlink()
    return batch


def lose_a_bronze_row(home: Home) -> str:
    file = file_of(home, "attempts", batch := a_batch(home))
    pq.write_table(pq.ParquetFile(file).read().slice(1), file)
    return batch


def change_silver(home: Home, statement: str) -> str:
    """Run a statement on one row of silver, chosen by its least id."""
    with duckdb.connect(str(home.warehouse)) as warehouse:
        table = "silver.stg_access__attempts"
        event, batch = warehouse.execute(
            f"select event_id, batch_id from {table} order by event_id limit 1"
        ).fetchone() or ("", "")
        warehouse.execute(statement.format(table=table, where=f"event_id = '{event}'"))
    return batch


def lose_a_silver_row(home: Home) -> str:
    return change_silver(home, "delete from {table} where {where}")


def double_a_silver_row(home: Home) -> str:
    return change_silver(home, "insert into {table} select * from {table} where {where}")


def lose_one_and_double_another(home: Home) -> str:
    """Both of one batch, so that its rows are as many as before."""
    with duckdb.connect(str(home.warehouse)) as warehouse:
        table, batch = "silver.stg_access__attempts", a_batch(home)
        rows = f"select {{}}(event_id) from {table} where batch_id = '{batch}'"
        warehouse.execute(f"delete from {table} where event_id = ({rows.format('min')})")
        warehouse.execute(
            f"insert into {table} select * from {table} where event_id = ({rows.format('max')})"
        )
    return batch


def lose_a_duplicate(home: Home) -> str:
    with duckdb.connect(str(home.warehouse)) as warehouse:
        table = "silver.int_access__duplicates"
        event, batch = warehouse.execute(
            f"select event_id, batch_id from {table} order by event_id limit 1"
        ).fetchone() or ("", "")
        warehouse.execute(f"delete from {table} where event_id = '{event}'")
    return batch


@pytest.mark.parametrize(
    ("plant", "problem"),
    [
        (lose_bronze, "accepted is not what bronze holds"),
        (double_bronze, "accepted is not what bronze holds"),
        (lose_a_bronze_row, "accepted is not what bronze holds"),
        (lose_ledger, "the ledger has 0 lines of it"),
        (lose_dead_letters, "rejected is not what the dead letters hold"),
        (double_dead_letters, "rejected is not what the dead letters hold"),
        (lose_a_silver_row, "bronze is not silver + duplicates"),
        (double_a_silver_row, "bronze is not silver + duplicates"),
        (lose_one_and_double_another, "bronze is not silver + duplicates"),
        (lose_a_duplicate, "bronze is not silver + duplicates"),
    ],
)
def test_an_imbalance_is_named_with_its_batch(
    copy: Home, plant: Callable[[Home], str], problem: str
):
    """That batch and no other, and the exit code is 1."""
    batch = plant(copy)
    assert problems(copy) == {batch: problem}


def test_an_imbalance_is_in_the_object_and_in_the_status(copy: Home):
    """For whoever reads the books by program, or only asks how things are."""
    batch = lose_bronze(copy)
    problem = "accepted is not what bronze holds"
    books = read_ledger(copy, 1)
    assert [name for name, book in books.items() if book["problem"] == problem] == [batch]
    assert [name for name, book in books.items() if book["problem"]] == [batch]
    attention = json.loads(assay("status", "--json", home=copy).stdout)["attention"]
    assert f"Batch {batch}: {problem}. Run: assay ledger" in attention


def test_a_lost_ledger_line_of_refused_rows_alone_is_named(home: Home, tmp_path: Path):
    sent = tmp_path / "sent"
    sent.write_text("{broken\n")
    batch = land_file(home, "attempts", sent).batch_id
    file_of(home, "landing_ledger", batch).unlink()
    assert list(problems(home)) == [batch]


@pytest.mark.parametrize("was_green", [True, False])
def test_a_batch_that_vanished_from_silver_is_named(copy: Home, was_green: bool):
    """Also where a test of the build went red for it: what it built was built."""
    batch = a_batch(copy)
    with duckdb.connect(str(copy.warehouse)) as warehouse:
        warehouse.execute("update last_build set is_green = ?", [was_green])
        for table in ("stg_access__attempts", "int_access__duplicates"):
            warehouse.execute(f"delete from silver.{table} where batch_id = '{batch}'")
    assert list(problems(copy)) == [batch]


def test_a_doubled_ledger_line_is_named(copy: Home):
    file = file_of(copy, "landing_ledger", batch := a_batch(copy))
    shutil.copy(file, file.with_name("copy.parquet"))
    assert list(problems(copy)) == [batch]


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:-10]])
def test_a_damaged_bronze_file_is_named(home: Home, tmp_path: Path, damage: Callable):
    sent = tmp_path / "sent"
    sent.write_text(json.dumps(ATTEMPT) + "\n")
    batch = land_file(home, "attempts", sent).batch_id
    file = file_of(home, "attempts", batch)
    file.write_bytes(damage(file.read_bytes()))
    result: subprocess.CompletedProcess[str] = assay("ledger", home=home)
    assert result.returncode == 1
    assert batch in result.stdout + result.stderr
    assert "Traceback" not in result.stderr
