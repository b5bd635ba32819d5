"""What may go wrong with a batch, and what the books must say of it; and a day that grows old."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from senders import TABLES, Delivery

from loaders.contracts import contract_of
from loaders.home import Home


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

# What a build counted once it does not look at again: the command does, and a rebuild.
OF_BRONZE = (lose_a_bronze_row, double_a_bronze_row, lose_a_dead_letter)
YEARS = timedelta(days=800)


def grow_old(home: Home, day: date) -> None:
    """As if a day were long ago: all that is kept of it says so, and bronze has forgotten it."""
    models = {m for t in TABLES for m in (contract_of(t).silver, contract_of(t).duplicates)}
    kept = {f"silver.{model}": "ingested_at" for model in models} | {
        "gold.loss_ledger": "period_start"
    }
    kept |= {
        f"silver.int_platform__{name}": "landed_on" for name in ("row_counts", "number_ranges")
    }
    with duckdb.connect(str(home.warehouse)) as warehouse:
        for table, column in kept.items():
            warehouse.execute(
                f"update {table} set {column} = {column} - interval {YEARS.days} day "
                f"where cast({column} as date) = date '{day}'"
            )
    for table in (*TABLES, "dead_letters", "landing_ledger"):
        shutil.rmtree(home.bronze / table / f"ingest_date={day}")
