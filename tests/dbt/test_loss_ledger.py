"""The loss ledger is a recount of what was sent, in any order of arrival, and every loss shows."""

from __future__ import annotations

import os
import random
import secrets
import shutil
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from conftest import MODELS_ONLY, run_dbt
from senders import FIGURES, TABLES, Delivery, Row, deliveries, expected, land, replayed

from loaders.books import read_books
from loaders.gaps import Gap, read_gaps
from loaders.home import Home, init_home

pytestmark = pytest.mark.slow

IN_LEDGER = FIGURES[:4]
# Not what reads bronze into silver: it would mend what is planted there.
BOOKS = ("--select", "stg_platform__batches", "int_platform__row_counts+")


@dataclass(frozen=True)
class Built:
    """A home in which everything that was sent landed and was built, and what it held then.

    `ledger` are the sums of the landing ledger by day and table, read from its files.
    """

    home: Home
    sent: list[Delivery]
    mart: list[Row]
    gaps: list[Gap]
    ledger: dict[tuple[str, str], Row]

    @property
    def first_day(self) -> date:
        return min(delivery.landed_at for delivery in self.sent).date()


def mart_of(home: Home) -> list[Row]:
    return rows(home, "select * from gold.loss_ledger order by all")


def ledger_of(home: Home) -> dict[tuple[str, str], Row]:
    sums: dict[tuple[str, str], Row] = defaultdict(lambda: dict.fromkeys(IN_LEDGER, 0))
    for file in (home.bronze / "landing_ledger").glob("ingest_date=2*/*.parquet"):
        for line in pq.ParquetFile(file).read().to_pylist():
            day = sums[file.parent.name.removeprefix("ingest_date="), line["table_name"]]
            for name in IN_LEDGER:
                day[name] += line[name]
    return dict(sums)


def rows(home: Home, sql: str) -> list[Row]:
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        found = warehouse.execute(sql)
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """What was sent lands in two halves, in random order, and is built after each."""
    seed = int(os.environ.get("ASSAY_SEED") or secrets.randbelow(2**32))
    print(f"ASSAY_SEED={seed}")
    rng = random.Random(seed)
    folder = tmp_path_factory.mktemp("losses")
    home, _ = init_home(folder / "home")
    now = datetime.now(UTC)
    sent = deliveries(rng, now.date())
    arriving = rng.sample(sent, len(sent))
    half = len(arriving) // 2
    for delivery in arriving[:half]:
        land(home, folder, delivery)
    run_dbt(home, "build", "--select", "+loss_ledger", *MODELS_ONLY)
    for delivery in arriving[half:]:
        land(home, folder, delivery)
    sent += replayed(home, sent, now - timedelta(seconds=1))
    run_dbt(home, "build", "--select", "+loss_ledger", *MODELS_ONLY)
    return Built(home, sent, mart_of(home), read_gaps(home), ledger_of(home))


def test_it_is_a_recount_of_what_was_sent(built: Built) -> None:
    """Every figure and every gap, under the day on which it came."""
    wanted = expected(built.sent)
    keys = ("period_start", "table_name", "producer")
    found = {tuple(row[key] for key in keys): row for row in built.mart}
    shown = [*FIGURES, "gaps", "missing", "gap_ranges"]
    assert {key: {name: row[name] for name in shown} for key, row in found.items()} == wanted
    assert all(row["balanced"] and row["unbalanced_batches"] is None for row in built.mart)
    assert sum(row["gaps"] for row in built.mart) > 20
    assert all(sum(row[name] for row in built.mart) for name in ("rejected", "quarantined"))


def test_its_days_add_up_to_the_landing_ledger(built: Built) -> None:
    """Over the producers, exactly."""
    sums: dict[tuple[str, str], Row] = defaultdict(lambda: dict.fromkeys(IN_LEDGER, 0))
    for row in built.mart:
        for name in IN_LEDGER:
            sums[str(row["period_start"]), row["table_name"]][name] += row[name]
    assert sums == built.ledger


def test_the_command_finds_the_same_gaps(built: Built) -> None:
    """But for producers whose names the mart does not show."""
    shown = set()
    for row in built.mart:
        for part in (row["gap_ranges"] or "").split(", "):
            first, _, last = part.partition("-")
            if first:
                shown.add(Gap(row["table_name"], row["producer"], int(first), int(last or first)))
    assert shown == {gap for gap in built.gaps if "@" not in gap.producer}


# --- planted faults, each in a batch of its own


def file_of(home: Home, table: str, batch_id: str) -> Path:
    (file,) = (home.bronze / table).glob(f"ingest_date=*/{batch_id}.parquet")
    return file


def rewrite(file: Path, change: Any) -> None:
    pq.write_table(change(pq.ParquetFile(file).read()), file)


def lose_a_bronze_row(home: Home, batch: Delivery) -> None:
    rewrite(file_of(home, batch.table, batch.batch_id), lambda t: t.slice(1))


def double_a_bronze_row(home: Home, batch: Delivery) -> None:
    rewrite(
        file_of(home, batch.table, batch.batch_id), lambda t: pa.concat_tables([t, t.slice(0, 1)])
    )


def tamper_with_the_ledger(home: Home, batch: Delivery, *names: str) -> None:
    def change(line: pa.Table) -> pa.Table:
        for name in names:
            place = line.column_names.index(name)
            line = line.set_column(place, name, pc.add(line[name], 1))
        return line

    rewrite(file_of(home, "landing_ledger", batch.batch_id), change)


def one_more_was_accepted(home: Home, batch: Delivery) -> None:
    tamper_with_the_ledger(home, batch, "received", "accepted")


def one_more_was_received(home: Home, batch: Delivery) -> None:
    tamper_with_the_ledger(home, batch, "received")


def lose_the_ledger_line(home: Home, batch: Delivery) -> None:
    file_of(home, "landing_ledger", batch.batch_id).unlink()


def double_the_ledger_line(home: Home, batch: Delivery) -> None:
    file = file_of(home, "landing_ledger", batch.batch_id)
    shutil.copy(file, file.with_name("copy.parquet"))


def lose_a_dead_letter(home: Home, batch: Delivery) -> None:
    rewrite(file_of(home, "dead_letters", batch.batch_id), lambda t: t.slice(1))


def in_silver(home: Home, batch: Delivery, *statements: str) -> None:
    with duckdb.connect(str(home.warehouse)) as warehouse:
        for statement in statements:
            (changed,) = warehouse.execute(
                statement.format(
                    kept=f"silver.stg_access__{batch.table}",
                    others="silver.int_access__duplicates",
                    batch=f"batch_id = '{batch.batch_id}'",
                )
            ).fetchone() or (0,)
            assert changed, statement


FIRST = "rowid = (select min(rowid) from {kept} where {batch})"
LAST = "rowid = (select max(rowid) from {kept} where {batch})"


def lose_a_silver_row(home: Home, batch: Delivery) -> None:
    in_silver(home, batch, f"delete from {{kept}} where {FIRST}")


def double_a_silver_row(home: Home, batch: Delivery) -> None:
    in_silver(home, batch, f"insert into {{kept}} select * from {{kept}} where {FIRST}")


def lose_one_and_double_another(home: Home, batch: Delivery) -> None:
    lose_a_silver_row(home, batch)
    in_silver(home, batch, f"insert into {{kept}} select * from {{kept}} where {LAST}")


def lose_a_duplicate(home: Home, batch: Delivery) -> None:
    in_silver(home, batch, "delete from {others} where {batch}")


def never_read(home: Home, batch: Delivery) -> None:
    in_silver(home, batch, "delete from {kept} where {batch}")
    with duckdb.connect(str(home.warehouse)) as warehouse:
        warehouse.execute(
            f"delete from silver.int_access__duplicates where batch_id = '{batch.batch_id}'"
        )


FAULTS = {
    lose_a_bronze_row: "accepted is not what bronze holds",
    double_a_bronze_row: "accepted is not what bronze holds",
    one_more_was_accepted: "accepted is not what bronze holds",
    one_more_was_received: "received is not accepted + rejected + duplicates",
    lose_the_ledger_line: "the ledger has 0 lines of it",
    double_the_ledger_line: "the ledger has 2 lines of it",
    lose_a_dead_letter: "rejected is not what the dead letters hold",
    lose_a_silver_row: "bronze is not silver + duplicates",
    double_a_silver_row: "bronze is not silver + duplicates",
    lose_one_and_double_another: "bronze is not silver + duplicates",
    lose_a_duplicate: "bronze is not silver + duplicates",
    never_read: "a build has read it, and silver has nothing of it",
}


@dataclass(frozen=True)
class Damaged:
    """The home with every fault planted in a batch of attempts of its own, and a day expired.

    `planted` has table, day and problem of each batch, `told` what the command said of them, and
    `said` what the build did.
    """

    home: Home
    planted: dict[str, tuple[str, date, str]]
    told: dict[str, str]
    said: str
    mart: list[Row]


@pytest.fixture(scope="module")
def damaged(built: Built) -> Damaged:
    home = built.home
    batches = [d for d in built.sent if d.landed_at.date() > built.first_day]
    planted = {}
    for (fault, problem), batch in zip(FAULTS.items(), batches, strict=False):
        fault(home, batch)
        planted[batch.batch_id] = (batch.table, batch.landed_at.date(), problem)
    assert len(planted) == len(FAULTS)
    told = {b.batch_id: b.problem for b in read_books(home)[0] if b.problem}
    lose_the_ledger_line(home, built.sent[-1])  # it landed a moment ago, as if it still did
    for table in (*TABLES, "dead_letters"):
        shutil.rmtree(home.bronze / table / f"ingest_date={built.first_day}")
    result = run_dbt(home, "build", *BOOKS, check=False)
    assert result.returncode == 1
    return Damaged(home, planted, told, result.stdout, mart_of(home))


def test_every_fault_turns_it_red_and_names_its_batch(damaged: Damaged) -> None:
    found = rows(
        damaged.home,
        "select distinct batch_id, table_name, landed_on, problem "
        "from silver.int_platform__batch_books where problem is not null",
    )
    assert {row["batch_id"]: tuple(row.values())[1:] for row in found} == damaged.planted
    named = [line for line in damaged.said.splitlines() if "Run: assay ledger" in line]
    assert len(named) == 10, "the first ten are named"
    assert all(any(f"Batch {batch} of" in line for batch in damaged.planted) for line in named)
    assert "Failure in test assert_every_batch_adds_up" in damaged.said
    assert f"Got {len(FAULTS)} results" in damaged.said


def test_the_command_says_the_same_of_each(damaged: Damaged) -> None:
    problems = {batch_id: problem for batch_id, (_, _, problem) in damaged.planted.items()}
    assert damaged.told == problems


def test_the_mart_marks_their_days(damaged: Damaged) -> None:
    """Those of the table and no others, with the batches."""
    for row in damaged.mart:
        here = [
            batch_id
            for batch_id, (table, day, _) in sorted(damaged.planted.items())
            if (day, table) == (row["period_start"], row["table_name"])
        ]
        assert row["balanced"] == (not here)
        assert row["unbalanced_batches"] == (", ".join(here) or None)


def test_a_day_that_expired_stays_as_it_was(built: Built, damaged: Damaged) -> None:
    """And so does a gap that began on it and ended later."""
    day = built.first_day
    held = rows(damaged.home, "select landed_on from silver.int_platform__batch_books")
    assert day not in {row["landed_on"] for row in held}
    marts = (built.mart, damaged.mart)
    before, after = ([row for row in mart if row["period_start"] == day] for mart in marts)
    assert before == after != []
    later = {d.landed_at.date() for d in built.sent[:-2]} - {day}  # but for the replays
    gaps = [
        {
            (row["period_start"], row["producer"]): row["gap_ranges"]
            for row in mart
            if row["table_name"] == "deposit_attempts" and row["period_start"] in later
        }
        for mart in marts
    ]
    assert gaps[0] == gaps[1]
    assert any(gaps[0].values())
