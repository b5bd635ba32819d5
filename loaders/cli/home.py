"""Commands about a home: making one, and what it holds."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, time
from pathlib import Path

import click

from loaders import status
from loaders.cli.common import everywhere, say
from loaders.home import RESIDENCIES, build_command, init_home, open_home
from loaders.progress import progress
from loaders.sinks import google_library


@click.command()
@click.option(
    "--residency",
    type=click.Choice(RESIDENCIES),
    default="eu",
    show_default=True,
    help="Whose rows the home holds; it never holds others.",
)
@click.option("--bigquery", "project", help="Land on BigQuery, in this project.")
@click.option("--dataset", help="How its datasets' names begin. Default: assay_<residency>")
@click.option("--reader", help="Account that may read gold, and nothing else.")
@click.option("--builder", help="Account that dbt builds as.")
@click.option("--loader", help="Account that lands.")
@click.option("--replica", is_flag=True, help="Keep a copy for recovery, where there may be one.")
@click.option("--land-only", is_flag=True, help="Make nothing on BigQuery, and get no keys.")
@everywhere
def init(  # noqa: PLR0913, PLR0917 - one argument per option
    residency: str,
    project: str | None,
    dataset: str | None,
    reader: str | None,
    builder: str | None,
    loader: str | None,
    replica: bool,
    land_only: bool,
    home: Path | None,
    as_json: bool,
) -> None:
    """Make a home: vault, and a place for every bronze table.

    With --bigquery, the places are tables of that project, and its datasets are made with them.
    """
    if project is None:
        if dataset or reader or builder or loader or replica or land_only:
            raise click.UsageError("Only --bigquery PROJECT has these options.")
        made, is_new = init_home(home, residency)
    else:
        with google_library():
            from loaders.sinks.bigquery import setup  # noqa: PLC0415 - only who lands there

        accounts = setup.Accounts(reader, builder, loader)
        with progress("BigQuery", None):
            made, is_new = setup.init_bigquery_home(
                home, residency, project, dataset, accounts, replica, land_only
            )
    target = made.bigquery
    where = f", landing on BigQuery in {target.project}, {target.location}" if target else ""
    build = build_command(made) if target else "dbt build"
    what = "Made" if is_new else "Completed"
    say(
        as_json,
        {
            "home": str(made.path),
            "residency": residency,
            "is_new": is_new,
            "bigquery": asdict(target) if target else None,
        },
        [
            f"{what} the home at {made.path}, residency {residency}{where}. "
            f"Next: assay land, {build}."
        ],
    )


@click.command("status")
@everywhere
def show_status(home: Path | None, as_json: bool) -> None:
    """Home, vault, last batch, last build, published gold, and what needs attention."""
    facts = status.read_status(open_home(home))
    say(as_json, facts, status.lines(facts))


@click.command("demo-data")
@click.option(
    "--events",
    default=200_000,
    show_default=True,
    type=click.IntRange(min=1000),
    help="How many events to make.",
)
@click.option("--seed", default=7, show_default=True, help="The same seed, the same events.")
@click.option("--end", type=click.DateTime(["%Y-%m-%d"]), help="Day before which all lies.")
@click.option("--to", type=click.Path(path_type=Path), help="Folder. Default: demo in the home.")
@everywhere
def demo_data(
    events: int, seed: int, end: datetime | None, to: Path | None, home: Path | None, as_json: bool
) -> None:
    """Write demo events of every domain, and the answer key of what is planted in them."""
    from loaders.demo import write_demo  # noqa: PLC0415 - numpy only where it is used

    folder = to or open_home(home).path / "demo"
    today = datetime.combine(datetime.now(UTC).date(), time(), UTC)
    last = end.replace(tzinfo=UTC) if end else today
    with progress("demo data", None):
        write_demo(folder, events, seed, last)
    files = sorted(path.name for path in folder.iterdir())
    say(
        as_json, {"folder": str(folder), "files": files}, [f"Wrote {', '.join(files)} to {folder}."]
    )
