"""Dashboards of Metabase as files."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from loaders.cli.common import everywhere, say
from loaders.dashboards import check
from loaders.dashboards.declared import FOLDER, read_dashboards
from loaders.dashboards.exposures import exposures
from loaders.dashboards.preview import preview
from loaders.dashboards.server.apply import apply, plan
from loaders.dashboards.server.writer import Change, Writer
from loaders.home import open_duckdb_home, open_home

_FOLDER = click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=FOLDER,
    help="Where the files are. Default: metabase/ of the project.",
)


@click.group("dashboards")
def dashboards_group() -> None:
    """Dashboards and alerts of Metabase, from the files in metabase/ (docs/metabase.md)."""


@dashboards_group.command("check")
@_FOLDER
@everywhere
def check_dashboards(folder: Path, home: Path | None, as_json: bool) -> None:
    """Check every file without a Metabase; its queries run on the gold of the home."""
    found = open_duckdb_home(home, "the queries of the tests, which Google's SQL engine reads")
    done = check.check(found, read_dashboards(folder))
    facts = {
        "dashboards": done.dashboards,
        "queries": done.queries,
        "runs": done.runs,
        "problems": [str(problem) for problem in done.problems],
        "empty": done.empty,
    }
    lines = [str(problem) for problem in done.problems]
    if done.empty:
        lines.append(f"No rows on this gold: {', '.join(done.empty)}.")
    lines.append(
        f"{done.dashboards} dashboards, {done.queries} queries, run {done.runs} times: "
        f"{len(done.problems)} problems."
    )
    say(as_json, facts, lines)
    if done.problems:
        raise SystemExit(1)


@dashboards_group.command("plan")
@_FOLDER
@everywhere
def plan_dashboards(folder: Path, home: Path | None, as_json: bool) -> None:
    """Say what `apply` would change in the Metabase of ASSAY_METABASE_URL; write nothing."""
    writer = plan(open_home(home), read_dashboards(folder))
    lines = [str(change) for change in writer.changes]
    _tell(writer, lines, "to make", as_json)


@dashboards_group.command("apply")
@_FOLDER
@everywhere
def apply_dashboards(folder: Path, home: Path | None, as_json: bool) -> None:
    """Make that Metabase what the files say. Run it again whenever it was stopped."""

    def told(change: Change) -> None:
        if not as_json:
            click.echo(str(change))

    writer = apply(open_home(home), read_dashboards(folder), told)
    _tell(writer, [], "made", as_json)


def _tell(writer: Writer, lines: list[str], what: str, as_json: bool) -> None:
    facts = {"changes": [asdict(change) for change in writer.changes], "notes": writer.notes}
    say(as_json, facts, [*lines, *writer.notes, f"{len(writer.changes)} changes {what}."])


@dashboards_group.command("preview")
@click.argument("output", type=click.Path(file_okay=False, path_type=Path))
@_FOLDER
@everywhere
def preview_dashboards(output: Path, folder: Path, home: Path | None, as_json: bool) -> None:
    """Draw each dashboard as a page in folder OUTPUT, on the gold of the home."""
    found = open_duckdb_home(home, "a Metabase")
    written = preview(found, read_dashboards(folder), output)
    facts = {"pages": [str(path) for path in written]}
    say(as_json, facts, [f"Wrote {len(written)} pages to {output}."])


@dashboards_group.command("exposures")
@_FOLDER
@everywhere
def print_exposures(folder: Path, home: Path | None, as_json: bool) -> None:
    """Print the dashboards as exposures of dbt, for models/dashboards.yml."""
    document = exposures(read_dashboards(folder))
    say(as_json, {"document": document}, document.splitlines())
