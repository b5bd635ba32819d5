"""Commands about a home: making one, and what it holds."""

from __future__ import annotations

from datetime import UTC, datetime, time
from pathlib import Path

import click

from loaders import status
from loaders.cli.common import everywhere, say
from loaders.home import RESIDENCIES, init_home, open_home
from loaders.progress import progress


@click.command()
@click.option(
    "--residency",
    type=click.Choice(RESIDENCIES),
    default="eu",
    show_default=True,
    help="Whose rows the home holds; it never holds others.",
)
@everywhere
def init(residency: str, home: Path | None, as_json: bool) -> None:
    """Make a home: vault, and a file for every bronze table."""
    made, is_new = init_home(home, residency)
    what = "Made" if is_new else "Completed"
    say(
        as_json,
        {"home": str(made.path), "residency": residency, "is_new": is_new},
        [f"{what} the home at {made.path}, residency {residency}. Next: assay land, dbt build."],
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
