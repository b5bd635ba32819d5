"""Building and publishing gold."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from loaders.cli.common import everywhere, say
from loaders.gold import publish, refresh
from loaders.home import open_duckdb_home


@click.command("publish")
@everywhere
def publish_gold(home: Path | None, as_json: bool) -> None:
    """Let readers see the gold of the last green build."""
    release = publish.publish(open_duckdb_home(home))
    say(as_json, asdict(release), _published(release))


@click.command("refresh")
@click.argument("cadence", nargs=-1, type=click.Choice(["hourly", "daily", "weekly", "monthly"]))
@everywhere
def refresh_gold(cadence: tuple[str, ...], home: Path | None, as_json: bool) -> None:
    """Build, publish and record. CADENCE builds only the marts of that rhythm."""
    opened = open_duckdb_home(home)
    for selector in cadence or (None,):
        release = refresh.refresh(opened, selector)
    say(as_json, asdict(release), _published(release))


def _published(release: publish.Release) -> list[str]:
    marts = [f"  {mart}: {rows} rows" for mart, rows in release.rows.items()]
    return [f"Published release {release.release_id}:", *marts]
