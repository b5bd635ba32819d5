"""Changing contracts."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click

from loaders.cli.common import everywhere, say
from loaders.contracts import event_pages, lock


@click.group("contracts")
def contracts_group() -> None:
    """Changes of the contracts and of the event registry in models/bronze."""


@contracts_group.command("check")
@everywhere
def check_contracts(home: Path | None, as_json: bool) -> None:
    """List what changed since it was last accepted. Exits with 1 if a change is incompatible."""
    changes = lock.pending()
    refused = [change for change in changes if not change.is_compatible]
    facts = {"changes": [asdict(c) | {"is_compatible": c.is_compatible} for c in changes]}
    total = f"{len(changes)} changes, {len(refused)} incompatible."
    more = ["Run: assay contracts accept"] if changes and not refused else []
    say(as_json, facts, [*map(str, changes), total, *more])
    if refused:
        sys.exit(1)


@contracts_group.command("accept")
@everywhere
def accept_contracts(home: Path | None, as_json: bool) -> None:
    """Record the contracts as they are now, if every change is compatible.

    The list of event types in docs/events.md is made anew.
    """
    changes = lock.accept()
    event_pages.write_page()
    facts = {"accepted": [asdict(change) for change in changes]}
    say(as_json, facts, [*map(str, changes), f"Accepted {len(changes)} changes."])
