"""Building and publishing gold."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from loaders.cli.common import everywhere, say, seconds
from loaders.gold import publish, refresh
from loaders.gold.turns import WAIT_SECONDS
from loaders.home import open_duckdb_home

_WAIT = click.option(
    "--wait",
    callback=seconds,
    default=f"{WAIT_SECONDS:.0f}s",
    show_default=True,
    help="How long to wait for the turn. Without it, says who has it, and exits with 1.",
)
_NO_WAIT = click.option("--no-wait", is_flag=True, help="Do not wait: the same as --wait 0s.")


@click.command("publish")
@_WAIT
@_NO_WAIT
@everywhere
def publish_gold(wait: float, no_wait: bool, home: Path | None, as_json: bool) -> None:
    """Let readers see the gold of the last green build."""
    release = refresh.republish(open_duckdb_home(home), 0 if no_wait else wait)
    say(as_json, asdict(release), _published(release))


@click.command("refresh")
@click.argument("cadence", nargs=-1, type=click.Choice(refresh.CADENCES))
@click.option("--every", callback=seconds, help="Again and again, until told to end.")
@_WAIT
@_NO_WAIT
@everywhere
def refresh_gold(
    cadence: tuple[str, ...],
    every: float | None,
    wait: float,
    no_wait: bool,
    home: Path | None,
    as_json: bool,
) -> None:
    """Build, publish and record. CADENCE builds only the marts of that rhythm.

    With --every, a round begins so often, never beside another one, and prints a line. A round that
    fails says so, and the next one begins all the same.
    """
    opened, patience = open_duckdb_home(home), 0 if no_wait else wait
    if every is not None:
        from loaders.gold.rounds import refresh_every  # noqa: PLC0415 - only who stays

        refresh_every(opened, every, cadence, patience, as_json)
        return
    for one in cadence or (None,):
        release = refresh.refresh(opened, one, patience)
    say(as_json, asdict(release), _published(release))


def _published(release: publish.Release) -> list[str]:
    marts = [f"  {mart}: {rows} rows" for mart, rows in release.rows.items()]
    return [f"Published release {release.release_id}:", *marts]
