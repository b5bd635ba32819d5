"""The books."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click

from loaders import books
from loaders.cli.common import everywhere, say
from loaders.gaps import read_gaps
from loaders.home import Home, open_home


@click.command()
@click.option("--gaps", is_flag=True, help="Name the senders' numbers that bronze lacks.")
@everywhere
def ledger(gaps: bool, home: Path | None, as_json: bool) -> None:
    """Show the books of every batch. Exits with 1 if one does not balance."""
    if gaps:
        _say_gaps(open_home(home), as_json)
        return
    opened = open_home(home)
    batches, note = books.read_books(opened)
    wrong = [batch for batch in batches if batch.problem]
    lines = [
        f"{batch.batch_id}  {batch.table_name}  received {batch.received} = accepted "
        f"{batch.accepted} + rejected {batch.rejected} + duplicates {batch.duplicates}; "
        f"bronze {batch.bronze}; "
        + (
            f"silver {batch.silver} + duplicates {batch.silver_duplicates}"
            if batch.silver is not None
            else "not built yet"
        )
        + (f"  UNBALANCED: {batch.problem}" if batch.problem else "")
        for batch in batches
    ]
    lines += [note] if note else []
    expired, rows = books.read_expired(opened)
    lines += [f"{expired} batches with {rows} rows have expired."] if expired else []
    lines.append(f"{len(batches)} batches, {len(wrong)} unbalanced.")
    facts = {"batches": [b.as_dict() for b in batches], "balanced": not wrong, "note": note}
    facts["expired"] = {"batches": expired, "rows": rows}
    say(as_json, facts, lines)
    if wrong:
        sys.exit(1)


def _say_gaps(home: Home, as_json: bool) -> None:
    found = read_gaps(home)
    lines = [
        f"{gap.table_name}  {gap.producer}  {gap.first} to {gap.last}, {gap.events} missing"
        for gap in found
    ]
    lines.append(f"{sum(gap.events for gap in found)} numbers missing in {len(found)} gaps.")
    say(as_json, {"gaps": [asdict(gap) for gap in found]}, lines)
