"""Gaps: numbers that a producer gave to events of which nothing came.

A producer may number its events (`producer`, `sequence`). What is missing between the first and
the last number that bronze or the dead letters hold was lost on the way, was refused where its
number could not be read, or is still to come. The mart `loss_ledger` says the same, by day.
"""

from __future__ import annotations

from dataclasses import dataclass

from loaders import bronze
from loaders.contracts import load_contracts
from loaders.home import Home, quote


@dataclass(frozen=True, slots=True)
class Gap:
    """Numbers `first` to `last` of a producer, of which none was received."""

    table_name: str
    producer: str
    first: int
    last: int

    @property
    def events(self) -> int:
        """How many numbers are missing."""
        return self.last - self.first + 1


def read_gaps(home: Home) -> list[Gap]:
    """The gaps of every producer, by table, producer and number."""
    tables = [
        table
        for table, contract in load_contracts().items()
        if contract.silver and {"producer", "sequence"} <= {c.name for c in contract.columns}
    ]
    sources = [
        *(f"select {quote(t)} as table_name, producer, sequence from bronze.{t}" for t in tables),
        "select table_name, producer, sequence from bronze.dead_letters",
    ]
    numbered = " union all ".join(sources)
    found = bronze.query(
        home,
        [*tables, "dead_letters"],
        f"""
        with numbers as (
            select distinct table_name, producer, sequence
            from ({numbered}) as numbered
            where producer is not null and sequence is not null
        ), steps as (
            select *, lag(sequence) over (
                partition by table_name, producer order by sequence
            ) as previous
            from numbers
        )
        select table_name, producer, previous + 1 as first, sequence - 1 as last
        from steps
        where sequence > previous + 1
        order by table_name, producer, previous
        """,
    )
    return [Gap(**row) for row in found.to_pylist()]
