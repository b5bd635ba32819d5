"""Rotation: a new key, and silver carried over to it.

The vault is the decision: once it holds the new key, every later build carries silver over before
its first model runs (macro `rekey_silver`). So this may be killed at any point.
"""

from __future__ import annotations

import duckdb

from loaders import vault
from loaders.gold.dbt_run import run_dbt
from loaders.gold.publish import open_warehouse
from loaders.gold.turns import WAIT_SECONDS, recorded, writing
from loaders.home import Home

_REKEY = ["run-operation", "rekey_silver"]


def rotate(home: Home, wait: float = WAIT_SECONDS) -> vault.KeyInfo:
    """Retire the live key, make a new one and carry all of silver over to it.

    Raises AssayError when another process holds the home for longer than `wait` seconds, or when
    silver could not be carried over; the next build then does it.
    """
    with writing(home, wait), recorded(home, "rotate", ("vault", "Rotation of the key")):
        is_built = home.warehouse.exists()
        if is_built:  # silver that the vault does not fit is refused before there is a new key
            run_dbt(home, _REKEY)
        key = vault.add_key(home.vault, home.residency)
        if is_built:
            run_dbt(home, _REKEY)
    return key


def key_of_silver(home: Home) -> tuple[bool, str | None]:
    """Whether there is silver, and the id of the key that it was made with, where that is noted.

    Raises AssayError while another process has the warehouse.
    """
    if not home.warehouse.exists():
        return False, None
    with open_warehouse(home) as warehouse:
        tables = warehouse.execute(
            "select count(*) from duckdb_tables() where schema_name = 'silver'"
        ).fetchone()
        try:
            row = warehouse.execute("select key_id from silver_key").fetchone()
        except duckdb.CatalogException:
            row = None
    return bool(tables and tables[0]), str(row[0]) if row else None
