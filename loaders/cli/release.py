"""Releases for the public."""

from __future__ import annotations

from pathlib import Path

import click

from loaders import releases
from loaders.cli.common import everywhere, say
from loaders.home import build_command, open_home
from loaders.releases.quarters import quarter_of


@click.command("release")
@click.argument("report", type=click.Choice([releases.REPORT]))
@click.option("--period", required=True, help="A quarter that is over, such as 2026-Q1.")
@click.option("--epsilon", type=float, help="What it spends. Default: that of dbt_project.yml.")
@everywhere
def release_report(
    report: str, period: str, epsilon: float | None, home: Path | None, as_json: bool
) -> None:
    """Publish REPORT for a period, with noise that is drawn once: asked again, it is the same."""
    opened = open_home(home)
    made = releases.release(opened, quarter_of(period), epsilon)
    told = sum(row["claimants"] is not None for row in made.rows)
    what = "Released" if made.is_new else "Was released before, and stays as it is:"
    lines = [
        f"{what} {made.release_id}: {told} of {len(made.rows)} cells, epsilon {made.epsilon}. "
        f"Next: {build_command(opened)}."
    ]
    facts = {"release_id": made.release_id, "epsilon": made.epsilon, "rows": made.rows}
    say(as_json, facts, lines)
