"""Building and publishing gold."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from loaders.cli.common import everywhere, say, seconds
from loaders.gold import combine, publish, refresh
from loaders.gold.turns import WAIT_SECONDS
from loaders.home import open_duckdb_home, open_home

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
    """Let readers see the gold of the last green build; on BigQuery, partners their part of it."""
    opened = open_home(home)
    release = refresh.republish(opened, 0 if no_wait else wait)
    target = opened.bigquery
    lines = _given(release, target.layer("gold")) if target else _published(release)
    say(as_json, asdict(release), lines)


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


@click.command("combine")
@click.option(
    "--of",
    "homes",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    help="A home; say it once for each residency.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.argument("output", type=click.Path(dir_okay=False, path_type=Path))
def combine_gold(homes: tuple[Path, ...], as_json: bool, output: Path) -> None:
    """Write the published gold of several residencies to the DuckDB file OUTPUT.

    Only marts that are anonymous: none with a pseudonym, none whose rows stand for one person.
    """
    opened = [
        open_duckdb_home(home, "export the anonymous marts of each dataset to Parquet")
        for home in homes
    ]
    combined = combine.combine(opened, output)
    marts = [f"  {mart}: {rows} rows" for mart, rows in combined.rows.items()]
    what = ", ".join(f"{of} (release {release})" for of, release in combined.releases.items())
    say(as_json, asdict(combined), [f"Combined {what} in {output}:", *marts])


def _given(release: publish.Release, gold: str) -> list[str]:
    datasets = [f"  {dataset}: {rows} rows" for dataset, rows in release.rows.items()]
    return [
        f"Published to {len(datasets)} datasets of partners:",
        *datasets,
        f"All else is read where it is built: dataset {gold}.",
    ]


def _published(release: publish.Release) -> list[str]:
    marts = [f"  {mart}: {rows} rows" for mart, rows in release.rows.items()]
    return [f"Published release {release.release_id}:", *marts]
