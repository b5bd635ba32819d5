"""Refresh gold: one at a time, build, publish, record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from loaders.contracts import load_contracts
from loaders.erasure.silver import forget
from loaders.gold.dbt_run import Dbt, DbtFailed, DbtRun, new_process, run_dbt
from loaders.gold.publish import Release, open_warehouse, publish
from loaders.gold.runs import TURN_TAKEN, record_refused, recorded
from loaders.gold.touched import LEDGER, Inputs
from loaders.gold.turns import WAIT_SECONDS, TurnTaken, writing
from loaders.home import Home
from loaders.sinks import google_library

CADENCES = ("hourly", "daily", "weekly", "monthly")

_PIPELINE = ("refresh", "Refresh of gold")
# Unit tests bring rows of their own, so they say nothing about those of a home.
_BUILD = ("build", "--exclude-resource-type", "unit_test")
# A test of names, which change with the project alone: after that everything is built.
_OF_THE_PROJECT = "test_name:no_pii_columns"
# What of the ledger's own is made of it. Silver reads it too, and is built where it has news of it.
_BOOKS = ("path:models/silver/platform", "path:models/gold/platform")


def refresh(
    home: Home,
    cadence: str | None = None,
    wait: float = WAIT_SECONDS,
    dbt: Dbt = new_process,
    since: Inputs | None = None,
) -> Release:
    """Build the marts of a cadence (all, at first or where none is named), publish, record both.

    Where `since` has what there was at the last good build of the cadence, what is made of nothing
    that came since then is left as it is.

    Safe to repeat: a run that failed or was killed leaves what readers see as it was, and the next
    one completes it. Raises AssayError in one line when a node failed, and TurnTaken, which is
    recorded too, when another process holds the home for longer than `wait` seconds.
    """
    with _turn(home, "build", cadence, wait) as details:
        with recorded(home, "build", _PIPELINE, **details) as run:
            forget(home)
            known = _rows(home, _is_silver)
            try:
                built, touched = _build(home, cadence, dbt, since)
            except DbtFailed as failure:
                run["details"] = {"nodes": failure.run.nodes, "failed": failure.run.failed}
                raise
            run["details"] = {"nodes": built.nodes} | ({"touched": touched} if touched else {})
            run["rows_in"] = max(0, _rows(home, _is_silver) - known)
            run["rows_out"] = _rows(home, _is_gold)
        return _published(home, details)


def _build(
    home: Home, cadence: str | None, dbt: Dbt, since: Inputs | None
) -> tuple[DbtRun, list[str] | None]:
    """Build what was touched, and say what that was: None where it is everything.

    The books read the whole ledger. What landed meanwhile in a table that was left alone is in them
    and not in silver yet, which looks like a loss: then that table is built, too, before anybody
    sees it.
    """
    seen = Inputs.of(home)
    touched = seen.touched_since(since) if since else None
    # A cadence goes by what other ones have built.
    chosen = _chosen(cadence, touched) if home.warehouse.exists() else []
    failure: DbtFailed | None = None
    try:
        built = run_dbt(home, [*_BUILD, *chosen], dbt)
    except DbtFailed as failed:
        failure, built = failed, failed.run
    if touched:
        meanwhile = Inputs.of(home).touched_since(seen)
        if meanwhile is None or set(meanwhile) - set(touched):
            return _build(home, cadence, dbt, since)
    if failure:
        raise failure
    return built, touched


def _chosen(cadence: str | None, touched: list[str] | None) -> list[str]:
    """What dbt is to build. A selector takes no words with it: selectors.yml says the same."""
    if not touched:
        return ["--selector", cadence] if cadence else []
    of_it = f",+tag:{cadence}+" if cadence else ""
    chosen = ["--exclude", _OF_THE_PROJECT, "--select"]
    for table in touched:
        made_of_it = f"source:assay.bronze.{table}+{of_it}"
        chosen += [f"{made_of_it},{of}" for of in _BOOKS] if table == LEDGER else [made_of_it]
    return chosen


def republish(home: Home, wait: float = WAIT_SECONDS) -> Release:
    """Publish the last build as it is, and record it. Raises as `refresh` does.

    On BigQuery that is what partners read: all else of gold is read where dbt builds it.
    """
    with _turn(home, "publish", None, wait) as details:
        return _published(home, details)


@contextmanager
def _turn(home: Home, stage: str, cadence: str | None, wait: float) -> Iterator[dict[str, Any]]:
    """Have the turn, or record that it was not given. Yields what is recorded of each stage."""
    details = {"cadence": cadence} if cadence else {}
    try:
        with writing(home, wait, f"{stage} {cadence or 'of all marts'}"):
            yield details
    except TurnTaken:
        record_refused(home, stage, _PIPELINE, TURN_TAKEN, **details)
        raise


def _published(home: Home, details: dict[str, Any]) -> Release:
    with recorded(home, "publish", _PIPELINE, **details) as run:
        release = _publish(home)
        run["rows_in"] = run["rows_out"] = sum(release.rows.values())
    return release


def _publish(home: Home) -> Release:
    if home.bigquery is None:
        return publish(home)
    with google_library():
        from loaders.gold.partner_datasets import publish_datasets  # noqa: PLC0415 - an extra

    return publish_datasets(home)


def _rows(home: Home, is_meant: Callable[[str], bool]) -> int:
    """How many rows the tables of the warehouse have that are meant."""
    if not home.warehouse.exists():
        return 0
    with open_warehouse(home) as warehouse:
        there = warehouse.execute("select schema_name || '.' || table_name from duckdb_tables()")
        tables = sorted(name for (name,) in there.fetchall() if is_meant(name))
        counts = [warehouse.execute(f"select count(*) from {name}").fetchone() for name in tables]
    return sum(count[0] for count in counts if count)


def _is_gold(table: str) -> bool:
    return table.startswith("gold.")


def _is_silver(table: str) -> bool:
    """Where the rows of bronze are once silver has read them."""
    contracts = load_contracts().values()
    return table in {f"silver.{name}" for c in contracts for name in (c.silver, c.duplicates)}
