"""The books."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from loaders import books
from loaders.cli.common import everywhere, say
from loaders.home import open_home


@click.command()
@everywhere
def ledger(home: Path | None, as_json: bool) -> None:
    """Show the books of every batch. Exits with 1 if one does not balance."""
    batches, note = books.read_books(open_home(home))
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
    lines.append(f"{len(batches)} batches, {len(wrong)} unbalanced.")
    facts = {"batches": [b.as_dict() for b in batches], "balanced": not wrong, "note": note}
    say(as_json, facts, lines)
    if wrong:
        sys.exit(1)
