"""Refresh gold: one at a time, build, publish, record."""

from __future__ import annotations

from loaders.gold.dbt_run import run_dbt
from loaders.gold.publish import Release, publish
from loaders.gold.turns import WAIT_SECONDS, recorded, writing
from loaders.home import Home

_PIPELINE = ("refresh", "Refresh of gold")


def refresh(home: Home, selector: str | None = None, wait: float = WAIT_SECONDS) -> Release:
    """Build what `selector` names (all, where it names nothing), publish it, record both.

    Safe to repeat: a run that failed leaves what readers see as it was. Raises AssayError in one
    line when another process holds the home for longer than `wait` seconds, or a node failed.
    """
    chosen = ["--selector", selector] if selector else []
    with writing(home, wait):
        with recorded(home, "build", _PIPELINE) as run:
            run["rows_out"] = run_dbt(home, ["build", *chosen]).nodes
        with recorded(home, "publish", _PIPELINE) as run:
            release = publish(home)
            run["rows_out"] = sum(release.rows.values())
    return release
