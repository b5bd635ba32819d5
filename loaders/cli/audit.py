"""The audit log."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click

from loaders import audit
from loaders.cli.common import everywhere, say
from loaders.home import open_home


@click.group("audit")
def audit_group() -> None:
    """The log of who did what."""


@audit_group.command("verify")
@click.option("--noted", multiple=True, help="Hash of an entry, written down elsewhere. Several.")
@everywhere
def verify_chain(noted: tuple[str, ...], home: Path | None, as_json: bool) -> None:
    """Check that no entry was changed, taken out, put in or cut off. Exits with 1 if one was.

    Write the hash that it prints down where nobody of the home can, and give it as --noted later.
    """
    found = audit.verify(open_home(home), noted)
    head = f"the last one is {found.head.sequence}, {found.head.hash}" if found.head else "no head"
    total = f"{found.entries} entries, {len(found.problems)} problems; {head}."
    say(as_json, asdict(found), [*found.problems, total])
    if found.problems:
        sys.exit(1)
