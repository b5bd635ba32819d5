"""Reports."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from loaders.cli.common import everywhere, say
from loaders.home import open_duckdb_home
from loaders.reports import declared
from loaders.reports.asked import asked
from loaders.reports.errors import QUERY_FAILED, ReportError
from loaders.reports.export import FORMATS, export

_CHALLENGE = "challenge"  # what the marts call it


@click.command("report")
@click.argument("name", required=False)
@click.option("--list", "is_list", is_flag=True, help="List the reports there are.")
@click.option("--from", "first", help="First day, in UTC. Default: so many periods as it shows.")
@click.option("--to", "last", help="Last day, included. Default: the newest that is published.")
@click.option("--period", help="Hour, day, week or month, where the report offers it.")
@click.option("--challenge", help="Only this challenge: the same as --where challenge=…")
@click.option("--partner", help="Of a report about one partner: its slug in seeds/partners.csv.")
@click.option("--where", multiple=True, help="COLUMN=VALUE: only what has it. Several.")
@click.option(
    "--format", "kind", type=click.Choice(FORMATS), default="json", show_default=True, help="As."
)
@click.option("--table", help="Of several tables, this one alone.")
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="File. Default: stdout."
)
@everywhere
def report(  # noqa: PLR0913, PLR0917 - one argument per option
    name: str | None,
    is_list: bool,
    first: str | None,
    last: str | None,
    period: str | None,
    challenge: str | None,
    partner: str | None,
    where: tuple[str, ...],
    kind: str,
    table: str | None,
    output: Path | None,
    home: Path | None,
    as_json: bool,
) -> None:
    """Make report NAME of published gold. Who got what is in the audit log."""
    if is_list:
        _say_list(as_json)
        return
    if name is None:
        raise click.UsageError("Name a report, or use --list.")
    if as_json and output is None:
        raise click.UsageError("--json says what was written, so it needs --output.")
    wanted = declared.report_of(name)
    if challenge is not None:
        if _CHALLENGE not in wanted.filters:
            raise ReportError(
                QUERY_FAILED, f"{name} is not about challenges. Leave --challenge out."
            )
        where = (*where, f"{_CHALLENGE}={challenge}")
    made = export(
        open_duckdb_home(home, "the queries of analyses/ on the gold dataset"),
        wanted,
        asked(wanted, first, last, period, where, partner),
        kind,
        output,
        table,
    )
    if output is not None:
        line = f"Wrote {made.output}: {made.rows} rows of release {made.release_id}."
        say(as_json, asdict(made), [line])


def _say_list(as_json: bool) -> None:
    found = declared.read_reports()
    facts = [
        {
            "name": one.name,
            "title": one.title,
            "periods": one.periods,
            "filters": one.filters,
            "tables": [table.name for table in one.tables],
            "marts": [table.mart for table in one.tables],
        }
        for one in found
    ]
    lines = [
        f"{one.name}  {one.title}; by {', '.join(one.periods)}; "
        f"filters: {', '.join(one.filters) or 'none'}"
        for one in found
    ]
    say(as_json, {"reports": facts}, lines)
