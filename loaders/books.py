"""The books: what was received, and where every row of it is now."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import duckdb

from loaders.contracts import load_contracts
from loaders.errors import AssayError
from loaders.home import Home, bronze_reader, quote
from loaders.publish import open_warehouse


@dataclass(frozen=True, slots=True)
class BatchBooks:
    """One batch. `silver` and `silver_duplicates` are null until a build has read the batch."""

    batch_id: str
    table_name: str
    received: int
    accepted: int
    rejected: int
    duplicates: int
    bronze: int
    dead_letters: int
    silver: int | None
    silver_duplicates: int | None

    @property
    def problem(self) -> str | None:
        """What does not add up, or None."""
        if self.received != self.accepted + self.rejected + self.duplicates:
            return "received is not accepted + rejected + duplicates"
        if self.accepted != self.bronze:
            return "accepted is not what bronze holds"
        if self.rejected != self.dead_letters:
            return "rejected is not what the dead letters hold"
        if self.silver is not None and self.bronze != self.silver + (self.silver_duplicates or 0):
            return "bronze is not silver + duplicates"
        return None

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        return {**asdict(self), "problem": self.problem}


def read_books(home: Home) -> tuple[list[BatchBooks], str | None]:
    """Every batch of the ledger, oldest first, and a note where silver could not be read.

    A batch that bronze holds and the ledger does not is in the list too: with nothing received,
    it does not add up.
    """
    connection = bronze_reader(home)
    note = _count_silver(home, connection)
    events = " union all ".join(
        f"select batch_id, {quote(table)} as table_name from bronze.{table}"
        for table, contract in load_contracts().items()
        if contract.silver
    )
    rows = connection.execute(
        f"""
        with landed as (
            select batch_id, table_name, count(*) as row_total from ({events}) group by all
        ), dead as (
            select batch_id, count(*) as row_total from bronze.dead_letters group by all
        )
        select
            coalesce(ledger.batch_id, landed.batch_id),
            coalesce(ledger.table_name, landed.table_name),
            coalesce(ledger.received, 0),
            coalesce(ledger.accepted, 0),
            coalesce(ledger.rejected, 0),
            coalesce(ledger.duplicates, 0),
            coalesce(landed.row_total, 0),
            coalesce(dead.row_total, 0),
            case when silver.kept + silver.others > 0 then silver.kept end,
            case when silver.kept + silver.others > 0 then silver.others end
        from bronze.landing_ledger as ledger
        full outer join landed on ledger.batch_id = landed.batch_id
        left join dead on ledger.batch_id = dead.batch_id
        left join silver on coalesce(ledger.batch_id, landed.batch_id) = silver.batch_id
        order by ledger.finished_at, 1
        """
    ).fetchall()
    return [BatchBooks(*row) for row in rows], note


def _count_silver(home: Home, connection: duckdb.DuckDBPyConnection) -> str | None:
    """Make the table `silver(batch_id, kept, others)` from the warehouse, if it can be read."""
    connection.execute("create table silver (batch_id varchar, kept bigint, others bigint)")
    try:
        warehouse = open_warehouse(home)
    except AssayError as error:
        return f"Silver is not in the books: {error}"
    with warehouse:
        there = {
            row[0]
            for row in warehouse.execute(
                "select table_name from information_schema.tables where table_schema = 'silver'"
            ).fetchall()
        }
        for contract in load_contracts().values():
            if contract.silver in there and contract.duplicates in there:
                counts = warehouse.sql(
                    f"""
                    select batch_id, count(*) filter (kept), count(*) filter (not kept)
                    from (
                        select batch_id, true as kept from silver.{contract.silver}
                        union all
                        select batch_id, false from silver.{contract.duplicates}
                        where table_name = {quote(contract.table)}
                    )
                    group by batch_id
                    """
                ).to_arrow_table()
                connection.register("counts", counts)
                connection.execute("insert into silver select * from counts")
                connection.unregister("counts")
    return None
