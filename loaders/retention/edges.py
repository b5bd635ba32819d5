"""Up to which day each bronze table has expired: kept in the home, `retention.json`.

The books go by it: what is older is neither there nor lost. It is written before anything goes, so
a run that is killed has promised more than it did, and the next one does the rest.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from loaders.contracts import load_contracts
from loaders.durable import durable_file, durable_rename
from loaders.home import Home, bronze_reader, quote
from loaders.retention.periods import Others, bronze_days, letter_days


@dataclass(frozen=True, slots=True)
class Edges:
    """The last day that goes, by table: of its rows, and of its dead letters, which may be later.

    `waiting` says of tables of which a batch that silver has not read holds days back, which is the
    first of these days.
    """

    rows: dict[str, date]
    letters: dict[str, date]
    waiting: dict[str, date] = field(default_factory=dict)


def edges_of(home: Home, today: date, others: Others) -> Edges:
    """What the periods come to today. Days that silver has not read whole stay, and all later."""
    rows, letters = {}, {}
    for table, contract in load_contracts().items():
        rows[table] = today - timedelta(days=bronze_days(table, others))
        if contract.silver:
            letters[table] = today - timedelta(days=letter_days(table, others))
    waiting = _unread(home, letters)
    for table, day in waiting.items():
        rows[table] = min(rows[table], day - timedelta(days=1))
        letters[table] = min(letters[table], day - timedelta(days=1))
    return Edges(rows, letters, waiting)


def expired_to(home: Home) -> dict[str, date]:
    """The last day of each table of events of which something has gone."""
    path = _path(home)
    if not path.exists():
        return {}
    said = json.loads(path.read_text(encoding="utf-8"))
    return {table: date.fromisoformat(day) for table, day in said.items()}


def keep(home: Home, edges: Edges) -> None:
    """Write down what is about to go; a day that has gone once stays gone."""
    known = expired_to(home)
    last = {t: max(day, known.get(t, day)) for t, day in edges.letters.items()}
    aside = _path(home).with_suffix(".new")
    with durable_file(aside) as file:
        file.write(json.dumps(last, default=date.isoformat, sort_keys=True).encode())
    durable_rename(aside, _path(home))


def _unread(home: Home, edges: dict[str, date]) -> dict[str, date]:
    """The first day of each table with rows that silver does not hold, up to its edge."""
    from loaders.books import count_silver  # noqa: PLC0415 - the books know the edges too

    counted = " union all ".join(
        f"select {quote(table)} as table_name, batch_id, ingest_date, count(*) as row_total "
        f"from bronze.{table} where ingest_date <= date '{day}' group by batch_id, ingest_date"
        for table, day in edges.items()
    )
    with bronze_reader(home, *edges) as connection:
        count_silver(home, connection)
        found = connection.execute(
            f"""
            select landed.table_name, min(landed.ingest_date)
            from ({counted}) as landed
            left join silver using (batch_id)
            where landed.row_total is distinct from silver.kept + silver.others
            group by landed.table_name
            """
        ).fetchall()
    return dict(found)


def _path(home: Home) -> Path:
    return home.path / "retention.json"
