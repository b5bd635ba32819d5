"""Erasing a person."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click

from loaders.cli.common import FILE, everywhere, say, seconds
from loaders.erasure import erase as erasure
from loaders.erasure.erase import Erased
from loaders.erasure.subject import Subject, kinds
from loaders.errors import AssayError
from loaders.gold.marts import thresholds
from loaders.gold.turns import WAIT_SECONDS
from loaders.home import open_duckdb_home

_ON_BIGQUERY = "by hand, in every place that docs/retention.md names. Nothing was erased"


@click.command("erase")
@click.option("--kind", type=click.Choice(kinds()), help="What the person is known by.")
@click.option("--file", type=FILE, help="Values, one on a line. Default: standard input.")
@click.option("--request", "request_id", help="Id of the person's request. Default: a new one.")
@click.option("--delete-files", is_flag=True, help="Delete exports that hold the person.")
@click.option("--again", is_flag=True, help="Only go on with erasures that are not done yet.")
@click.option(
    "--wait",
    callback=seconds,
    default=f"{WAIT_SECONDS:.0f}s",
    show_default=True,
    help="How long to wait for the turn.",
)
@everywhere
def erase_person(
    kind: str | None,
    file: Path | None,
    request_id: str | None,
    delete_files: bool,
    again: bool,
    wait: float,
    home: Path | None,
    as_json: bool,
) -> None:
    """Erase one person from every layer of the home.

    The values come from a prompt, standard input or a file, never from an argument: other processes
    can read those, and shells keep them. Exits with 1 where the person is still found.
    """
    if again == (kind is not None):
        raise click.UsageError("Give --kind, or --again to go on with what is not done yet.")
    opened = open_duckdb_home(home, _ON_BIGQUERY)
    subject = Subject.of(kind, _values(kind, file)) if kind else None
    results = erasure.erase(opened, subject, request_id, delete_files, wait)
    facts = {"requests": [asdict(result) for result in results]}
    say(as_json, facts, [line for result in results for line in _lines(result)] or ["All is done."])
    if any(result.found for result in results):
        sys.exit(1)


def _lines(result: Erased) -> list[str]:
    places = ", ".join(f"{place} {count}" for place, count in result.rows.items()) or "nothing"
    lines = [f"Request {result.request_id}: {places}."]
    lines += [f"deleted: {name}" for name in result.deleted]
    lines += [f"still in: {name}" for name in result.found]
    if result.found:
        lines.append(
            "Not done. Take the person out of these files, or give --delete-files for those that "
            "are not Assay's own, and run: assay erase --again"
        )
    else:
        k = thresholds()["k"]
        lines.append(
            f"Done: no file of the home holds the person. {result.waiting} of {k} erasures wait "
            "until published figures leave them out, at the latest when the month is over."
        )
    return lines


def _values(kind: str, file: Path | None) -> list[str]:
    if file is None and sys.stdin.isatty():
        return [str(click.prompt(f"{kind} of the person", hide_input=True, err=True))]
    try:
        text = file.read_text(encoding="utf-8") if file else sys.stdin.read()
    except (OSError, UnicodeDecodeError):
        raise AssayError("What was given cannot be read as text in UTF-8.") from None
    return text.splitlines()
