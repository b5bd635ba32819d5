"""Explaining what gold does not show."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from loaders.cli.common import everywhere, say
from loaders.gold import suppression
from loaders.home import open_duckdb_home

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command("explain-suppression")
@click.argument("mart")
@click.option(
    "--by",
    type=click.Choice(suppression.PERIODS),
    default="month",
    show_default=True,
    help="Length of a period.",
)
@click.option("--from", "first", type=_DAY, help="Day from which the periods begin.")
@click.option("--to", "last", type=_DAY, help="Day up to which they begin.")
@everywhere
def explain_suppression(
    mart: str,
    by: str,
    first: datetime | None,
    last: datetime | None,
    home: Path | None,
    as_json: bool,
) -> None:
    """Say why cells of MART are missing or merged: shares and rules, no values."""
    explanation = suppression.explain(
        open_duckdb_home(home, "the queries of analyses/ on the gold dataset"),
        mart,
        by,
        first.date() if first else None,
        last.date() if last else None,
    )
    say(as_json, suppression.as_facts(explanation), suppression.as_lines(explanation, by))
