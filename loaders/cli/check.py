"""Checking bronze against its contracts."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click

from loaders.checks import Finding, check
from loaders.cli.common import everywhere, say
from loaders.home import open_duckdb_home
from loaders.progress import progress


@click.command("check")
@click.argument("tables", metavar="[TABLE]...", nargs=-1)
@click.option("--batches", type=click.IntRange(min=1), help="The newest ones of each table.")
@click.option("--all", "everything", is_flag=True, help="All batches, checked before or not.")
@click.option(
    "--docs",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for data docs: pages that show what was found, and no values.",
)
@everywhere
def check_batches(
    tables: tuple[str, ...],
    batches: int | None,
    everything: bool,
    docs: Path | None,
    home: Path | None,
    as_json: bool,
) -> None:
    """Check what landed against its contract. Exits with 1 if a batch is not as expected.

    Without TABLE, all tables; without an option, the batches that were not found in order yet.
    """
    opened = open_duckdb_home(
        home, "assay ledger, and dbt source freshness --target bigquery_{residency}"
    )
    with progress("checking batches", None) as advance:
        newest = sys.maxsize if everything else batches
        result = check(opened, tables, newest, docs, lambda: advance(1))
    facts = {
        "batches": result.batches,
        "expectations": result.expectations,
        "failed": [
            {"table": f.table, "batch_id": f.batch_id, **asdict(f.outcome)} for f in result.findings
        ],
        "docs": result.docs,
    }
    lines = [_line(finding) for finding in result.findings]
    lines.append(
        f"{result.batches} batches, {result.expectations} expectations, "
        f"{len(result.findings)} failed."
    )
    lines += [f"Data docs: {result.docs}"] if result.docs else []
    say(as_json, facts, lines)
    if result.findings:
        sys.exit(1)


def _line(finding: Finding) -> str:
    outcome = finding.outcome
    count = "" if outcome.unexpected_count is None else f", {outcome.unexpected_count} rows"
    return (
        f"{finding.table}  batch {finding.batch_id}  {outcome.column or 'whole batch'}  "
        f"{outcome.expectation}{count}"
    )
