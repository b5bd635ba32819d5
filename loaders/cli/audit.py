"""The audit log."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click

from loaders import audit
from loaders.audit.witness import VARIABLE, witness_of
from loaders.cli.common import everywhere, say
from loaders.errors import AssayError
from loaders.home import open_home

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
