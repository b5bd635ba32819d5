"""dbt-duckdb plugin: checks the home and prepares every connection that dbt opens."""

from __future__ import annotations

import contextlib
import weakref
from typing import Any

import duckdb
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt_common.exceptions import DbtRuntimeError

from loaders.bronze import recover
from loaders.compaction.switch import undisturbed
from loaders.errors import AssayError
from loaders.home import lacking, open_duckdb_home, quote

# Contracts use BigQuery's type names; these two are the ones that DuckDB does not know.
_ALIASES = {"float64": "double", "bytes": "blob"}


class Plugin(BasePlugin):
    """Named in profiles.yml. A home that cannot be used stops dbt with one line."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Refuse a missing home before dbt-duckdb leaves a stray file where one might be.

        One that is older than a contract is refused too: a model may read what it lacks.

        What was landed by a process that died before it could move it becomes visible.
        """
        try:
            self.home = open_duckdb_home(plugin_config.get("home"))
            recover(self.home)
        except AssayError as error:
            raise DbtRuntimeError(str(error)) from None
        if missing := lacking(self.home):
            raise DbtRuntimeError(missing)

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Set UTC, create the type aliases and attach the vault, read-only."""
        conn.execute("set TimeZone = 'UTC'")
        for alias, data_type in _ALIASES.items():
            conn.execute(f"create type if not exists {alias} as {data_type}")
        conn.execute(f"attach if not exists {quote(str(self.home.vault))} as vault (read_only)")

    def configure_cursor(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """See to it that no file of bronze is merged away as long as dbt has the cursor."""
        lease = contextlib.ExitStack()
        try:
            lease.enter_context(undisturbed(self.home.bronze))
        except AssayError as error:
            raise DbtRuntimeError(str(error)) from None
        weakref.finalize(cursor, lease.close)  # dbt tells nobody when it drops one
