"""The keys behind the pseudonyms."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from loaders import vault
from loaders.cli.common import FILE, everywhere, say
from loaders.errors import AssayError
from loaders.home import build_command, open_duckdb_home, open_home
from loaders.vault import backup as vault_backup
from loaders.vault import rotation


@click.group("vault")
def vault_group() -> None:
    """Keys behind the pseudonyms."""


@vault_group.command("init")
@everywhere
def vault_init(home: Path | None, as_json: bool) -> None:
    """Make a vault with a first key, unless there is one."""
    opened = open_duckdb_home(home, "assay init --bigquery PROJECT")
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
    opened = open_home(home)
    key = rotation.rotate(opened)
    silver = (
        f"the next dbt build --target bigquery_{opened.residency} carries silver over"
        if opened.bigquery
        else "silver holds its pseudonyms only"
    )
    lines = [
        f"Version {key.version}, key {key.key_id}, is live; {silver}. "
        "Next: assay vault backup FILE."
    ]
    say(as_json, {"key": asdict(key)}, lines)


@vault_group.command("backup")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--passphrase-file", type=FILE, help="Its first line. Default: a prompt.")
@everywhere
def vault_backup_keys(
    file: Path, passphrase_file: Path | None, home: Path | None, as_json: bool
) -> None:
    """Write all keys to a new FILE, encrypted with a passphrase."""
    opened = open_home(home)
    passphrase = _passphrase(passphrase_file, confirm=True)
    keys = vault_backup.backup(opened, file, passphrase)
    lines = [f"Wrote {len(keys)} keys to {file}. Keep file and passphrase apart."]
    say(as_json, {"file": str(file), "keys": [asdict(key) for key in keys]}, lines)


@vault_group.command("restore")
@click.argument("file", type=FILE)
@click.option("--passphrase-file", type=FILE, help="Its first line. Default: a prompt.")
@everywhere
def vault_restore(
    file: Path, passphrase_file: Path | None, home: Path | None, as_json: bool
) -> None:
    """Put the keys of a backup FILE into the vault, unless that would lose one in use."""
    opened = open_home(home)
    passphrase = _passphrase(passphrase_file, confirm=False)
    keys, is_changed = vault_backup.restore(opened, file, passphrase)
    line = (
        f"Restored {len(keys)} keys from {file}. Next: {build_command(opened)}."
        if is_changed
        else f"The vault holds the keys of {file} already."
    )
    facts = {"keys": [asdict(key) for key in keys], "is_changed": is_changed}
    say(as_json, facts, [line])


def _passphrase(file: Path | None, confirm: bool) -> str:
    """From a file or a prompt: other processes can read arguments and environments."""
    if file is None:
        return str(
            click.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True)
        )
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise AssayError(f"{file} cannot be read as text. Name another passphrase file.") from None
    if not lines or not lines[0]:
        raise AssayError(f"{file} has no first line. Put the passphrase there.")
    return lines[0]
