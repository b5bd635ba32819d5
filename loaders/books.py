"""The books: what was received, and where every row of it is now."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import duckdb
import pyarrow as pa

from loaders import bronze
from loaders.contracts import contract_of, load_contracts
from loaders.errors import AssayError
from loaders.gold.warehouse import reading
from loaders.home import Home, connect, quote


@dataclass(frozen=True, slots=True)
class BatchBooks:
    """One batch. `silver` and `silver_duplicates` are null until a build has read the batch.

    `ledger_lines` should be 1. `was_read` says that the last build of the batch's silver model
    began after the batch was landed, `lines_differ` that silver and its duplicates have other lines
    of it than bronze.
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
    lines_differ: bool

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
        if self.silver is not None and (
            self.lines_differ or self.bronze != self.silver + (self.silver_duplicates or 0)
        ):
            return "bronze is not silver + duplicates"
        if self.silver is None and self.bronze and self.was_read:
            return "a build has read it, and silver has nothing of it"
        return None

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        facts = asdict(self)
        del facts["ledger_lines"], facts["was_read"], facts["lines_differ"]
        return {**facts, "problem": self.problem}


def read_books(home: Home) -> tuple[list[BatchBooks], str | None]:
    """Every batch of the ledger, oldest first, and a note where silver could not be read.

    A batch of which bronze or the dead letters hold something and the ledger nothing is in the list
    too. Of the rows that a replay wrote, those say what was accepted that have a resolution.
    """
    bronze.recover(home)  # or a batch that was committed and not moved would be missing
    connection = connect()
    for name, sums in _read_bronze(home).items():
        connection.register(name, sums)
    note = count_silver(home, connection)
    rows = connection.execute(
        """
        with batches as (
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
                        started_at > ledger.finished_at
                        and list_contains(string_split(models, ' '), landed.silver_model)
                    )
                    from last_build
                ),
                false
            ),
            coalesce(landed.line_total != silver.line_total, false)
        from batches
        left join ledger using (batch_id)
        left join landed using (batch_id)
        left join dead using (batch_id)
        left join silver using (batch_id)
        order by ledger.finished_at, 1
        """
    ).fetchall()
    return [BatchBooks(*row) for row in rows], note


def _read_bronze(home: Home) -> dict[str, pa.Table]:
    """What ledger, tables of events and dead letters hold, in sums per batch.

    Batches of which bronze forgets rows by now, since they are past a table's retention, are in
    none of the three.
    """
    held = _held(home)
    of_table = _of_table(held)
    events = " union all ".join(
        f"select batch_id, {quote(table)} as table_name, "
        f"{quote(contract_of(table).silver or '')} as silver_model, count(*) as row_total, "
        "sum(line_number) as line_total "
        f"from bronze.{table} where {condition} group by batch_id"
        for table, condition in held.items()
    )
    ledger = f"""
        select
            batch_id, any_value(table_name) as table_name, any_value(received) as received,
            any_value(accepted) as accepted, any_value(rejected) as rejected,
            any_value(duplicates) as duplicates, max(finished_at) as finished_at,
            count(*) as line_total
        from bronze.landing_ledger
        where {of_table}
        group by batch_id
    """
    dead = f"""
        select batch_id, table_name, count(case when resolution is null then 1 end) as row_total
        from bronze.dead_letters
        where {of_table}
        group by batch_id, table_name
    """
    return {
        "ledger": bronze.query(home, ["landing_ledger"], ledger),
        "landed": bronze.query(home, list(held), events),
        "dead": bronze.query(home, ["dead_letters"], dead),
    }


def read_expired(home: Home) -> tuple[int, int]:
    """How many batches of the ledger bronze has forgotten by now, and how many rows they had."""
    held = _held(home)
    found = bronze.query(
        home,
        ["landing_ledger"],
        "select count(*) as batches, coalesce(sum(accepted), 0) as row_total "
        "from bronze.landing_ledger "
        f"where table_name in ({', '.join(map(quote, held))}) and not ({_of_table(held)})",
    ).to_pylist()
    return int(found[0]["batches"]), int(found[0]["row_total"])


def _held(home: Home) -> dict[str, str]:
    """The condition under which bronze still has all of what landed, by table of events."""
    tables = [contract.table for contract in load_contracts().values() if contract.silver]
    return {table: bronze.held(home, table) for table in tables}


def _of_table(held: dict[str, str]) -> str:
    return " or ".join(
        f"(table_name = {quote(table)} and {condition})" for table, condition in held.items()
    )


def count_silver(home: Home, connection: duckdb.DuckDBPyConnection) -> str | None:
    """Make the tables `silver` and `last_build` of a connection, empty if there is no warehouse.

    Returns a note in that case.
    """
    connection.execute(
        "create table silver (batch_id varchar, kept bigint, others bigint, line_total hugeint)"
    )
    connection.execute("create table last_build (started_at timestamp, models varchar)")
    try:
        with reading(home) as warehouse:
            there = warehouse.tables()
            if "main.last_build" in there:
                builds = warehouse.query("select started_at, models from main.last_build")
                connection.from_arrow(builds).insert_into("last_build")
            for contract in load_contracts().values():
                if {f"silver.{contract.silver}", f"silver.{contract.duplicates}"} <= there:
                    counts = warehouse.query(
                        f"""
                        select
                            batch_id,
                            count(case when kept then 1 end) as kept,
                            count(case when not kept then 1 end) as others,
                            sum(line_number) as line_total
                        from (
                            select batch_id, line_number, true as kept
                            from silver.{contract.silver}
                            union all
                            select batch_id, line_number, false as kept
                            from silver.{contract.duplicates}
                            where table_name = {quote(contract.table)}
                        ) as rows_of_silver
                        group by batch_id
                        """
                    )
                    connection.from_arrow(counts).insert_into("silver")
    except AssayError as error:
        return f"Silver is not in the books: {error}"
    return None
