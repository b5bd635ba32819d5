"""Recomputing what was built."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import click

from loaders.cli.common import everywhere, say
from loaders.gold import rebuild
from loaders.home import open_duckdb_home

DAY = click.DateTime(["%Y-%m-%d"])


@click.command("rebuild")
@click.argument("model")
@click.option("--from", "first", type=DAY, required=True, help="First day, in UTC.")
@click.option("--to", "last", type=DAY, required=True, help="Last day, included.")
@everywhere
def rebuild_days(
    model: str, first: datetime, last: datetime, home: Path | None, as_json: bool
) -> None:
    """Recompute days of MODEL, and of all that is made of it, where the layer below has them."""
    if last < first:
        raise click.BadParameter("is before --from", param_hint="--to")
    opened = open_duckdb_home(
        home,
        "dbt build --target bigquery_{residency} --select +MODEL+ --vars "
        """'{{"rebuild": {{"model": MODEL, "from": DAY, "to": DAY}}}}'""",
    )
    done = rebuild.rebuild(opened, model, first.date(), last.date())
    lines = [
        f"Rebuilt {model} and what is made of it, {done.first_day} to {done.last_day}. "
        "Next: assay publish."
    ]
    say(as_json, asdict(done), lines)
