"""Merging the small files of bronze."""

from __future__ import annotations

import re
import sys
from dataclasses import asdict
from pathlib import Path

import click

from loaders.cli.common import everywhere, say
from loaders.compaction.compact import Compacted, compact
from loaders.compaction.plan import OLDER_THAN, small_files
from loaders.home import open_home
from loaders.progress import progress

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _seconds(_: click.Context, __: click.Parameter, given: str) -> int:
    """`90s`, `5m`, `2h` or `1d`, in seconds."""
    found = re.fullmatch(r"(\d+)([smhd])", given)
    if not found:
        raise click.BadParameter("Give a duration such as 60s, 5m, 2h or 1d.")
    return int(found.group(1)) * _UNITS[found.group(2)]


@click.command("compact")
@click.argument("tables", metavar="[TABLE]...", nargs=-1)
@click.option(
    "--older-than",
    callback=_seconds,
    default=f"{OLDER_THAN:.0f}s",
    show_default=True,
    help="Leave younger files for the next time.",
)
@everywhere
def compact_bronze(
    tables: tuple[str, ...], older_than: int, home: Path | None, as_json: bool
) -> None:
    """Merge the small files of bronze into few. Rows stay as they are, and so do readers.

    Without TABLE, all tables.
    """
    opened = open_home(home)
    if opened.bigquery:
        nothing = "There is nothing to compact: the home lands on BigQuery, which keeps no files."
        say(as_json, {"tables": []}, [nothing])
        return
    with progress("merging files", small_files(opened, tables, older_than)) as advance:
        results = compact(opened, tables, older_than, on_file=lambda: advance(1))
    lines = [line for result in results for line in _lines(result)]
    say(
        as_json,
        {"tables": [asdict(result) for result in results]},
        lines or ["Nothing to merge."],
    )
    if any(result.problem for result in results):
        sys.exit(1)


def _lines(result: Compacted) -> list[str]:
    lines = []
    if result.files_after != result.files_before:
        lines.append(
            f"{result.table}: {result.files_before} files became {result.files_after}, "
            f"{_size(result.bytes_before)} became {_size(result.bytes_after)}"
        )
    if result.is_postponed:
        lines.append(f"{result.table}: readers are at work, so the rest is left for the next time")
    if result.left:
        lines.append(
            f"{result.table}: {len(result.left)} files, such as {result.left[0]}, are not as their "
            f"contract says and are left as they are. Run: assay check {result.table}"
        )
    return [*lines, *([result.problem] if result.problem else [])]


def _size(size: float) -> str:
    for unit in ("bytes", "KB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
