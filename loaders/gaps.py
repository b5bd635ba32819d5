"""Gaps: numbers that a producer gave to events which bronze does not hold.

A producer may number its events (`producer`, `sequence`). What is missing between the first and
the last number that bronze holds was lost on the way, was refused, or is still to come.
"""

from __future__ import annotations

from dataclasses import dataclass

from loaders import bronze
from loaders.contracts import load_contracts
from loaders.home import Home, quote


@dataclass(frozen=True, slots=True)
class Gap:
    """Numbers `first` to `last` of a producer, of which bronze holds none."""

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
    numbered = " union all ".join(
        f"select {quote(table)} as table_name, producer, sequence from bronze.{table}"
        for table in tables
    )
    found = bronze.query(
        home,
        tables,
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
