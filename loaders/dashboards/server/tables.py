"""Tables as Metabase has read them: the numbers of their columns, and what is said of each.

What a model's yml says of a mart and of its columns is shown beside them in Metabase. That of all
marts that are there is kept, whether a dashboard shows them or not.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from loaders.dashboards.errors import MetabaseError
from loaders.dashboards.server.placed import Placed
from loaders.dashboards.server.state import Thing
from loaders.dashboards.server.writer import Change, Writer
from loaders.dashboards.sql import marts_in
from loaders.gold.marts import columns_of, description_of, models_of

_SYNC_SECONDS = 180.0

Tables = dict[str, Thing]
Columns = set[tuple[str, str]]


def columns_read(wanted: Iterable[Placed]) -> Columns:
    """The columns of the marts that dashboards read."""
    marts = {mart for p in wanted for one in p.dashboard.queries for mart in marts_in(one.sql)}
    return {(mart, column) for mart in marts for column in columns_of(mart)}


def read_tables(writer: Writer, database: int, schema: str, wanted: Columns) -> Tables:
    """Metabase's tables by name. Waits until it has read those that are wanted."""
    if database < 0 or writer.client is None:
        return {}
    path = f"database/{database}/metadata"
    found = _tables(writer.client.get(path), schema)
    if wanted <= _columns(found) or writer.is_dry:
        return found
    writer.client.send("POST", f"database/{database}/sync_schema")
    end = time.monotonic() + _SYNC_SECONDS
    while time.monotonic() < end:
        found = _tables(writer.client.get(path), schema)
        if wanted <= _columns(found):
            return found
        time.sleep(1)
    lacking = sorted(f"{mart}.{column}" for mart, column in wanted - _columns(found))
    raise MetabaseError(
        f"Metabase has not read {lacking[0]} in {_SYNC_SECONDS:.0f} s. Is it published, and does "
        "Metabase reach it? Run it again: what is done stays."
    )


def fields_of(tables: Tables, wanted: Columns) -> Mapping[tuple[str, str], int]:
    """Metabase's numbers of columns, by mart and column; 0 where it has not read them yet."""
    return dict.fromkeys(wanted, 0) | {
        (name, field["name"]): field["id"]
        for name, table in tables.items()
        for field in table["fields"]
    }


def write_descriptions(writer: Writer, name: str, tables: Tables) -> None:
    """Say of tables and columns what the models say of them. One change for each table."""
    if not tables:
        writer.notes.append(f"{name}: its tables are described once Metabase has read them.")
    for mart in sorted(tables.keys() & models_of("gold").keys()):
        change = Change("update", "table", f"{name}/{mart}", ("descriptions",))
        for path, text in _missing(tables[mart], mart):
            writer.write(change, "PUT", path, {"description": text})


def _missing(table: Thing, mart: str) -> Iterable[tuple[str, str]]:
    """What is not said yet, or otherwise."""
    if table.get("description") != description_of(mart):
        yield f"table/{table['id']}", description_of(mart)
    said = columns_of(mart)
    for field in table["fields"]:
        column = said.get(field["name"])
        if column is not None and field.get("description") != column.description:
            yield f"field/{field['id']}", column.description


def _tables(metadata: dict[str, Any], schema: str) -> Tables:
    return {table["name"]: table for table in metadata["tables"] if table["schema"] == schema}


def _columns(tables: Tables) -> Columns:
    return {(name, field["name"]) for name, table in tables.items() for field in table["fields"]}
