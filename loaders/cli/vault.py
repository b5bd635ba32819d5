"""The keys behind the pseudonyms."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from loaders import rotation, vault
from loaders.cli.common import everywhere, say
from loaders.home import open_home


@click.group("vault")
def vault_group() -> None:
    """Keys behind the pseudonyms."""


@vault_group.command("init")
@everywhere
def vault_init(home: Path | None, as_json: bool) -> None:
    """Make a vault with a first key, unless there is one."""
    opened = open_home(home)
    is_new = vault.init_vault(opened.vault, opened.residency)
    say(as_json, {"is_new": is_new}, ["Made a vault." if is_new else "There is a vault already."])


@vault_group.command("status")
@everywhere
def vault_status(home: Path | None, as_json: bool) -> None:
    """List the keys, without their secret part."""
    keys = vault.keys(open_home(home).vault)
    lines = [
        f"{key.region} version {key.version}, key {key.key_id}, from {key.valid_from:%Y-%m-%d}, "
        + (f"retired {key.retired_at:%Y-%m-%d}" if key.retired_at else "live")
        for key in keys
    ]
    say(as_json, {"keys": [asdict(key) for key in keys]}, lines)


@vault_group.command("rotate")
@everywhere
def vault_rotate(home: Path | None, as_json: bool) -> None:
    """Make a new key and carry every pseudonym in silver over to it."""
    key = rotation.rotate(open_home(home))
    lines = [
        f"Version {key.version}, key {key.key_id}, is live; silver holds its pseudonyms only. "
        "Next: assay vault backup FILE."
    ]
    say(as_json, {"key": asdict(key)}, lines)
