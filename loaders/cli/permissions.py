"""Who may do what."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from loaders.cli.common import everywhere, say
from loaders.home import Home, Target, open_home
from loaders.permissions import PERMISSIONS, Permissions, read_permissions
from loaders.sinks import google_library


@click.command("permissions")
@click.option("--grants", "are_shown", is_flag=True, help="Print what it comes to on BigQuery.")
@click.option("--apply", "is_applied", is_flag=True, help="Grant it there; takes nothing away.")
@everywhere
def show_permissions(are_shown: bool, is_applied: bool, home: Path | None, as_json: bool) -> None:
    """Say who may do what in the home, by its permissions.yml. Nobody else may."""
    opened = open_home(home)
    permissions = read_permissions(opened.path)
    if not (are_shown or is_applied):
        facts = {name: sorted(permissions.may.get(name, ())) for name in PERMISSIONS}
        lines = [f"{name}: {', '.join(names) or 'nobody'}" for name, names in facts.items()]
        say(as_json, {"may": facts, "on_bigquery": permissions.on_bigquery}, lines)
        return
    target = opened.bigquery
    if target is None:
        raise click.UsageError("The home lands in its own files: the rights on these are its own.")
    _say_grants(as_json, opened, permissions, target, is_applied)


def _say_grants(
    as_json: bool, home: Home, permissions: Permissions, target: Target, is_applied: bool
) -> None:
    with google_library():
        from loaders.sinks.bigquery import grants  # noqa: PLC0415 - only who lands there

    found = grants.apply(home, target) if is_applied else grants.grants_of(permissions, target)
    facts = {"grants": [asdict(grant) for grant in found], "was_applied": is_applied}
    lines = [grant.statement(target.project) for grant in found]
    say(as_json, facts, lines or ["No name has an account under on_bigquery: nothing is granted."])
