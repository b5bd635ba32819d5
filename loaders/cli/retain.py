"""Taking away what is older than its period."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from loaders.cli.common import everywhere, say, seconds
from loaders.gold.turns import WAIT_SECONDS
from loaders.home import open_duckdb_home
from loaders.retention import retain as retention
from loaders.retention.retain import Retained

_ON_BIGQUERY = "nothing. Its partitions expire by themselves, see docs/retention.md"


def _periods(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, int]:
    """`TABLE=DAYS`, several times."""
    found: dict[str, int] = {}
    for one in given:
        table, sign, days = one.partition("=")
        if not sign or not days.isdigit() or not int(days):
            raise click.BadParameter("Give TABLE=DAYS, for example attempts=30.")
        found[table] = int(days)
    return found


@click.command("retain")
@click.option("--apply", "is_applied", is_flag=True, help="Delete it. Without, only say what goes.")
@click.option(
    "--keep",
    "others",
    metavar="TABLE=DAYS",
    multiple=True,
    callback=_periods,
    help="Another period than the declared one, for this run. Several.",
)
@click.option(
    "--wait",
    callback=seconds,
    default=f"{WAIT_SECONDS:.0f}s",
    show_default=True,
    help="How long to wait for the turn.",
)
@everywhere
def retain_home(
    is_applied: bool, others: dict[str, int], wait: float, home: Path | None, as_json: bool
) -> None:
    """Say what is older than its period, and with --apply delete it."""
    opened = open_duckdb_home(home, _ON_BIGQUERY)
    found = (
        retention.retain(opened, others, wait=wait)
        if is_applied
        else retention.plan(opened, others)
    )
    say(as_json, asdict(found), _lines(found))


def _lines(found: Retained) -> list[str]:
    went = "went" if found.was_applied else "would go"
    lines = [
        f"{due.table}: {due.rows} rows of {due.first_day} to {due.last_day} {went}"
        + (f", {due.bytes} bytes" if due.bytes else "")
        for due in found.due
    ]
    lines += [
        f"{table}: days from {day} on wait: silver has not read all of them. Run: assay refresh"
        for table, day in found.waiting.items()
    ]
    if not found.due:
        lines.append("Nothing is older than its period.")
    elif not found.was_applied:
        lines.append("Nothing was deleted. To delete it: assay retain --apply")
    return lines
