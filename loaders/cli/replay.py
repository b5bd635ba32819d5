"""Trying dead letters again."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from loaders.cli.common import FILE, everywhere, say
from loaders.home import open_home
from loaders.landing import replay


@click.command("replay")
@click.option("--table", help="Only what was meant for this table.")
@click.option("--code", help="Only what was refused with this code.")
@click.option("--batch", help="Only what came with this batch.")
@click.option("--map", "mapping", type=FILE, help="The mapping that the records need.")
@everywhere
def replay_letters(
    table: str | None,
    code: str | None,
    batch: str | None,
    mapping: Path | None,
    home: Path | None,
    as_json: bool,
) -> None:
    """Land the dead letters again, after what refused them was mended."""
    results = replay.replay(open_home(home), table, code, batch, mapping)
    lines = [_line(result) for result in results] or ["No dead letters wait."]
    say(as_json, {"tables": [asdict(result) for result in results]}, lines)


def _line(result: replay.ReplayResult) -> str:
    refused = ", ".join(f"{code} {count}" for code, count in sorted(result.codes.items()))
    return (
        f"{result.table}: tried {result.tried}, accepted {result.accepted}, "
        f"refused again {result.refused}"
        + (f" ({refused})" if refused else "")
        + (f", not kept {result.not_kept}" if result.not_kept else "")
    )
