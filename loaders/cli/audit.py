"""The audit log."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from loaders import audit
from loaders.audit import imports
from loaders.audit.imports import Record, metabase
from loaders.audit.witness import VARIABLE, witness_of
from loaders.cli.common import FILE, everywhere, say
from loaders.errors import AssayError
from loaders.home import Home, open_home
from loaders.progress import progress
from loaders.sinks import google_library

_NEXT = (
    "Leave bronze/audit_log and audit/ as they are, fetch the last backup beside them and compare "
    "the entries named above: docs/audit.md says what each line means and what to do."
)


@click.group("audit")
def audit_group() -> None:
    """The log of who did what."""


@audit_group.command("verify")
@click.option("--noted", multiple=True, help="Hash of an entry, written down elsewhere. Several.")
@everywhere
def verify_chain(noted: tuple[str, ...], home: Path | None, as_json: bool) -> None:
    """Check that no entry was changed, moved, taken out, put in or cut off. Exits with 1 if so.

    ASSAY_AUDIT_WITNESS names the file outside the home that it is compared with. Without one, write
    the hash that it prints down where nobody of the home can, and give it as --noted later.
    """
    found = audit.verify(open_home(home), noted)
    head = f"the last one is {found.head.sequence}, {found.head.hash}" if found.head else "no head"
    against = f"compared with {found.witness}" if found.witness else "no witness outside the home"
    total = f"{found.entries} entries, {len(found.problems)} problems; {head}; {against}."
    say(as_json, asdict(found), [*found.problems, total, *([_NEXT] if found.problems else [])])
    if found.problems:
        sys.exit(1)


@audit_group.command("witness")
@everywhere
def tell_witness(home: Path | None, as_json: bool) -> None:
    """Tell the witness of the last entry, once, for a log that is older than its witness."""
    opened = open_home(home)
    path = witness_of(opened)
    if path is None:
        raise AssayError(f"There is no witness. Set {VARIABLE} to a file outside the home.")
    head = audit.witness_head(opened)
    line = f"entry {head.sequence}, {head.hash}" if head else "no entry yet"
    facts = {"witness": str(path), "head": asdict(head) if head else None}
    say(as_json, facts, [f"{path} has {line}."])


_MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


@audit_group.command("import")
@click.argument("log", type=click.Choice(["metabase", "bigquery"]))
@click.argument("file", type=FILE, required=False)
@click.option("--from", "first", type=_MOMENT, help="Beginning of the window, in UTC.")
@click.option("--to", "last", type=_MOMENT, help="Its end, which is not in it.")
@everywhere
def import_entries(
    log: str,
    file: Path | None,
    first: datetime | None,
    last: datetime | None,
    home: Path | None,
    as_json: bool,
) -> None:
    """Bring a window of another LOG into the audit log, each of its records once.

    Metabase's is a FILE, exported from its application database for that window; BigQuery's is
    asked of the project that the home lands in. What was imported before is left out.
    """
    opened = open_home(home)
    since = _first(opened, log, first)
    until = last.replace(tzinfo=UTC) if last else datetime.now(UTC)
    if log == metabase.SOURCE and (file is None or last is None):
        raise click.UsageError("Name the export, and with --to the end of what it was made for.")
    if log != metabase.SOURCE and file is not None:
        raise click.UsageError("The log of BigQuery is no file.")
    with progress(f"importing the log of {log}", None):
        records = metabase.records_of(file) if file else _jobs(opened, since, until)
        found = imports.import_log(opened, log, records, since, until)
    line = (
        f"{log}, {since:%F %T} to {until:%F %T}: {found.records} records, {found.new} of them new."
    )
    say(as_json, asdict(found), [line])


def _first(home: Home, log: str, given: datetime | None) -> datetime:
    """What was said, else a day before the last window ended: what ran on then has ended since."""
    if given:
        return given.replace(tzinfo=UTC)
    covered = imports.last_covered(home, log)
    if covered is None:
        raise AssayError(f"No log of {log} was imported yet. Say from when on: --from DAY")
    return covered - timedelta(days=1)


def _jobs(home: Home, first: datetime, last: datetime) -> Iterable[Record]:
    if home.bigquery is None:
        raise AssayError("The home does not land on BigQuery, so it has no log there.")
    with google_library():
        from loaders.sinks.bigquery import job_log  # noqa: PLC0415 - only who lands there

    return job_log.records_of(home, first, last)
