"""A person in silver: at once unlinked, and later gone.

At once every pseudonym and id of the person's rows is replaced by a random token, which nothing
leads to. The rows stay, so that no published figure changes because of one person: an erasure that
shows in gold would tell what it took away. Once enough people wait, or the month is over, `forget`
takes their rows out of all tables, and the next refresh computes the days that they were on anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

import duckdb

from loaders.contracts import load_contracts
from loaders.erasure.bronze import ERASED
from loaders.gold.marts import models_of, thresholds
from loaders.home import Home, bronze_reader, quote

_LAYERS = ("silver", "gold_restricted")
_LINE = {"batch_id", "line_number"}
_EVENT = "event_id"
# What rows of gold_restricted stand for that is no person: by table of bronze, where silver has it.
_ENTITIES = {"claim_events": "claim_key", "fraud_decisions": "transaction_key"}


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the warehouse in which people are. A fact has the `day` of a row."""

    name: str
    columns: frozenset[str]
    pseudonyms: tuple[str, ...]
    ids: tuple[str, ...]
    day: str | None


def unlink(
    home: Home, request_id: str, pseudonyms: set[str], restricted: set[str], salt: str, version: int
) -> dict[str, int]:
    """Put tokens in the place of a person's pseudonyms and ids. All tables at once, or none.

    Also of the rows whose lines are empty in bronze. Rows that stand for one person go. Returns how
    many rows, by table.
    """
    if not home.warehouse.exists():
        return {}
    lines = _empty_lines(home)
    with duckdb.connect(str(home.warehouse)) as warehouse:
        warehouse.execute("begin")
        _note_places(warehouse, lines, pseudonyms | restricted)
        changed = {}
        for table in _tables(warehouse):
            if table.name.startswith("gold_restricted."):
                statement = f"delete from {table.name} where {_has_pseudonym(table)}"
            else:
                statement = _update(table, salt, version)
            counted = warehouse.execute(statement).fetchone()
            changed[table.name] = counted[0] if counted else 0
        warehouse.execute(
            "create table if not exists main.erased (request_id varchar, erased_on date)"
        )
        warehouse.execute(
            "insert into main.erased select $id, $today "
            "where $id not in (select request_id from main.erased)",
            {"id": request_id, "today": datetime.now(UTC).date()},
        )
        warehouse.execute("drop table places; drop table events; drop table known")
        warehouse.execute("commit")
    return {table: rows for table, rows in changed.items() if rows}


def entities_of(home: Home, pseudonyms: set[str]) -> set[str]:
    """Pseudonyms of a person's claims and transactions, by which rows that stand for one are known.

    Of those that silver has under the person's pseudonyms, or of lines that are empty in bronze.
    """
    if not home.warehouse.exists():
        return set()
    lines, contracts = _empty_lines(home), load_contracts()
    found: set[str] = set()
    with duckdb.connect(str(home.warehouse)) as warehouse:
        known = {table.name for table in _tables(warehouse)}
        warehouse.execute("begin")
        _note_places(warehouse, lines, pseudonyms)
        for table, key in _ENTITIES.items():
            model = f"silver.{contracts[table].silver}"
            if model in known:
                rows = warehouse.execute(
                    f"select distinct {key} from {model} where {key} is not null and event_id in "
                    f"(select event_id from events where table_name = {quote(table)})"
                ).fetchall()
                found |= {pseudonym for (pseudonym,) in rows}
        warehouse.execute("rollback")
    return found


def waiting(home: Home) -> tuple[int, date | None]:
    """How many erasures gold does not show yet, and the day of the oldest."""
    if not home.warehouse.exists():
        return 0, None
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        return _waiting(warehouse)


def forget(home: Home, today: date | None = None) -> int:
    """Take out the rows of all who wait, if they are k or of an earlier month.

    Published facts lose the days on which they were, so that the next build labels these anew; of
    each line, the duplicates keep that it was erased, so that the books add up. Returns how many
    people that was. For who has the turn.
    """
    if not home.warehouse.exists():
        return 0
    first_of_month = (today or datetime.now(UTC).date()).replace(day=1)
    with duckdb.connect(str(home.warehouse)) as warehouse:
        people, oldest = _waiting(warehouse)
        if oldest is None or (people < thresholds()["k"] and oldest >= first_of_month):
            return 0
        warehouse.execute("begin")
        tables = list(_tables(warehouse))
        _note_tokens(warehouse, tables)
        for table in tables:
            if table.day:
                day = f"cast({table.day} as date)"
                warehouse.execute(
                    f"delete from {table.name} where {day} in "
                    f"(select {day} from {table.name} where {_is_erased(table)})"
                )
        for contract in load_contracts().values():
            if f"silver.{contract.silver}" in {table.name for table in tables}:
                warehouse.execute(
                    f"insert into silver.{contract.duplicates} by name "
                    f"select {quote(contract.table)} as table_name, {_EVENT}, batch_id, "
                    "line_number, ingested_at, payload_key, 'erased' as code "
                    f"from silver.{contract.silver} where starts_with({_EVENT}, '{ERASED}')"
                )
        duplicates = {f"silver.{c.duplicates}" for c in load_contracts().values()}
        for table in tables:
            if table.name not in duplicates:
                warehouse.execute(f"delete from {table.name} where {_is_erased(table)}")
        warehouse.execute("drop table tokens; delete from main.erased")
        warehouse.execute("commit")
    return people


def _waiting(warehouse: duckdb.DuckDBPyConnection) -> tuple[int, date | None]:
    try:
        found = warehouse.execute(
            "select count(distinct request_id), min(erased_on) from main.erased"
        ).fetchall()
    except duckdb.CatalogException:
        return 0, None
    return found[0]


def _tables(warehouse: duckdb.DuckDBPyConnection) -> Iterator[Table]:
    there: dict[str, set[str]] = {}
    for table, column in warehouse.execute(
        "select columns.schema_name || '.' || columns.table_name, column_name "
        "from duckdb_columns() as columns "
        "join duckdb_tables() as tables using (database_name, schema_name, table_name)"
    ).fetchall():
        there.setdefault(table, set()).add(column)
    for layer in _LAYERS:
        for name, model in models_of(layer).items():
            found = there.get(f"{layer}.{name}", set())
            by_class: dict[str, list[str]] = {}
            for column in model["columns"]:
                said = column.get("config", {}).get("meta", {}).get("privacy")
                if column["name"] in found:
                    by_class.setdefault(said, []).append(column["name"])
            pseudonyms, ids = by_class.get("pseudonym", []), by_class.get("identifier", [])
            if pseudonyms or ids:
                # A fact that every build makes anew has no days of its own.
                parted = model.get("config", {}).get("partition_by", {})
                day = parted.get("field") if "is_published" in found else None
                yield Table(f"{layer}.{name}", frozenset(found), tuple(pseudonyms), tuple(ids), day)


def _empty_lines(home: Home) -> list[tuple[str, str, int]]:
    tables = {c.table: c.duplicates for c in load_contracts().values() if c.silver}
    with bronze_reader(home, *tables) as connection:
        return [
            (table, *line)
            for table in tables
            for line in connection.execute(
                f"select batch_id, line_number from bronze.{table} where payload_hash is null"
            ).fetchall()
        ]


def _note_places(
    warehouse: duckdb.DuckDBPyConnection, lines: list[tuple[str, str, int]], known: set[str]
) -> None:
    """The lines, pseudonyms and events of the person, as tables of this transaction."""
    warehouse.execute(
        "create temp table places (table_name varchar, batch_id varchar, line_number bigint);"
        "create temp table known (pseudonym varchar);"
        "create temp table events (table_name varchar, batch_id varchar, event_id varchar)"
    )
    if lines:
        warehouse.executemany("insert into places values (?, ?, ?)", lines)
    if known:
        warehouse.executemany("insert into known values (?)", [[one] for one in sorted(known)])
    tables = {table.name: table for table in _tables(warehouse)}
    for contract in load_contracts().values():
        table = tables.get(f"silver.{contract.silver}")
        if table:
            warehouse.execute(
                f"insert into events select {quote(contract.table)}, batch_id, {_EVENT} "
                f"from {table.name} where ({_has_pseudonym(table)} or {_is_empty_line()}) "
                f"and not starts_with({_EVENT}, '{ERASED}')"
            )


def _update(table: Table, salt: str, version: int) -> str:
    """Tokens are equal where values are: what belonged together still does, to nobody."""
    said = quote(salt)
    changes = [
        f"{name} = case when {name} is not null then 'v{version}:' || sha256({said} || {name}) end"
        for name in table.pseudonyms
    ] + [f"{name} = '{ERASED}' || left(sha256({said} || {name}), 24)" for name in table.ids]
    conditions = [_has_pseudonym(table)] if table.pseudonyms else []
    if table.columns >= _LINE:
        conditions.append(_is_empty_line())
    if _EVENT in table.columns:
        conditions.append(_is_event(table))
        is_linked = f"not starts_with({_EVENT}, '{ERASED}')"
    else:
        is_linked = "true"
    return (
        f"update {table.name} set {', '.join(changes)} "
        f"where ({' or '.join(conditions)}) and {is_linked}"
    )


def _has_pseudonym(table: Table) -> str:
    return (
        " or ".join(f"{name} in (select pseudonym from known)" for name in table.pseudonyms)
        or "false"
    )


def _is_empty_line() -> str:
    return "(batch_id, line_number) in (select (batch_id, line_number) from places)"


def _is_event(table: Table) -> str:
    """Rows of the person's events, also where bronze has forgotten them."""
    if "table_name" in table.columns:
        return f"(table_name, {_EVENT}) in (select (table_name, event_id) from events)"
    if "batch_id" in table.columns:
        return f"(batch_id, {_EVENT}) in (select (batch_id, event_id) from events)"
    return f"{_EVENT} in (select event_id from events)"


def _note_tokens(warehouse: duckdb.DuckDBPyConnection, tables: list[Table]) -> None:
    """What those who wait are called where a row is of a person, not of an event."""
    warehouse.execute("create temp table tokens (token varchar)")
    for table in tables:
        if _EVENT in table.columns and "user_key" in table.pseudonyms:
            warehouse.execute(
                f"insert into tokens select distinct user_key from {table.name} "
                f"where user_key is not null and starts_with({_EVENT}, '{ERASED}')"
            )


def _is_erased(table: Table) -> str:
    if _EVENT in table.columns:
        return f"starts_with({_EVENT}, '{ERASED}')"
    return " or ".join(f"{name} in (select token from tokens)" for name in table.pseudonyms)
