"""The books: what was received, and where every row of it is now."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import duckdb

from loaders.bronze import recover
from loaders.contracts import load_contracts
from loaders.errors import AssayError
from loaders.gold.publish import open_warehouse
from loaders.home import Home, bronze_reader, quote


@dataclass(frozen=True, slots=True)
class BatchBooks:
    """One batch. `silver` and `silver_duplicates` are null until a build has read the batch.

    `ledger_lines` should be 1. `was_read` says that a green build of the batch's silver model began
    after the batch was landed.
    """

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
    ledger_lines: int
    was_read: bool

    @property
    def problem(self) -> str | None:
        """What does not add up, or None."""
        if self.ledger_lines != 1:
            return f"the ledger has {self.ledger_lines} lines of it"
        if self.received != self.accepted + self.rejected + self.duplicates:
            return "received is not accepted + rejected + duplicates"
        if self.accepted != self.bronze:
            return "accepted is not what bronze holds"
        if self.rejected != self.dead_letters:
            return "rejected is not what the dead letters hold"
        if self.silver is not None and self.bronze != self.silver + (self.silver_duplicates or 0):
            return "bronze is not silver + duplicates"
        if self.silver is None and self.bronze and self.was_read:
            return "a build has read it, and silver has nothing of it"
        return None

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        facts = asdict(self)
        del facts["ledger_lines"], facts["was_read"]
        return {**facts, "problem": self.problem}


def read_books(home: Home) -> tuple[list[BatchBooks], str | None]:
    """Every batch of the ledger, oldest first, and a note where silver could not be read.

    A batch of which bronze or the dead letters hold something and the ledger nothing is in the list
    too. Of the rows that a replay wrote, those say what was accepted that have a resolution.
    """
    recover(home)  # or a batch that was committed and not moved would be missing
    connection = bronze_reader(home)
    note = _count_silver(home, connection)
    events = " union all ".join(
        f"select batch_id, {quote(table)} as table_name, {quote(contract.silver)} as silver_model "
        f"from bronze.{table}"
        for table, contract in load_contracts().items()
        if contract.silver
    )
    rows = connection.execute(
        f"""
        with ledger as (
            select
                batch_id, any_value(table_name) as table_name, any_value(received) as received,
                any_value(accepted) as accepted, any_value(rejected) as rejected,
                any_value(duplicates) as duplicates, max(finished_at) as finished_at,
                count(*) as line_total
            from bronze.landing_ledger
            group by batch_id
        ), landed as (
            select batch_id, table_name, silver_model, count(*) as row_total
            from ({events})
            group by all
        ), dead as (
            select batch_id, table_name, count(*) filter (resolution is null) as row_total
            from bronze.dead_letters
            group by all
        ), batches as (
            select batch_id from ledger
            union select batch_id from landed
            union select batch_id from dead
        )
        select
            batches.batch_id,
            coalesce(ledger.table_name, landed.table_name, dead.table_name),
            coalesce(ledger.received, 0),
            coalesce(ledger.accepted, 0),
            coalesce(ledger.rejected, 0),
            coalesce(ledger.duplicates, 0),
            coalesce(landed.row_total, 0),
            coalesce(dead.row_total, 0),
            case when silver.kept + silver.others > 0 then silver.kept end,
            case when silver.kept + silver.others > 0 then silver.others end,
            coalesce(ledger.line_total, 0),
            coalesce(
                (
                    select bool_or(
                        is_green and started_at > ledger.finished_at
                        and list_contains(string_split(models, ' '), landed.silver_model)
                    )
                    from last_build
                ),
                false
            )
        from batches
        left join ledger using (batch_id)
        left join landed using (batch_id)
        left join dead using (batch_id)
        left join silver using (batch_id)
        order by ledger.finished_at, 1
        """
    ).fetchall()
    return [BatchBooks(*row) for row in rows], note


def _count_silver(home: Home, connection: duckdb.DuckDBPyConnection) -> str | None:
    """Make the tables `silver` and `last_build` from the warehouse, empty if it cannot be read."""
    connection.execute("create table silver (batch_id varchar, kept bigint, others bigint)")
    connection.execute(
        "create table last_build (is_green boolean, started_at timestamp, models varchar)"
    )
    try:
        warehouse = open_warehouse(home)
    except AssayError as error:
        return f"Silver is not in the books: {error}"
    with warehouse:
        there = {
            row[0]
            for row in warehouse.execute(
                "select table_name from information_schema.tables "
                "where table_schema = 'silver' or table_name = 'last_build'"
            ).fetchall()
        }
        if "last_build" in there:
            builds = warehouse.sql("select is_green, started_at, models from last_build")
            connection.register("builds", builds.to_arrow_table())
            connection.execute("insert into last_build from builds")
            connection.unregister("builds")
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
