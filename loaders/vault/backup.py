"""Backups of the vault: its keys in one file, encrypted with a passphrase.

The file is JSON: what is needed to open it (format, cost and salt of scrypt, nonce) and the keys,
encrypted with AES-256-GCM. The open part is authenticated too, so a changed byte anywhere is found.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import secrets
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from loaders.durable import durable_file, durable_rename, explained
from loaders.errors import AssayError
from loaders.gold.turns import WAIT_SECONDS, writing
from loaders.home import Home
from loaders.sinks import google_library
from loaders.vault import BLOCK, Key, KeyInfo, UnreadableVault, read_keys, replace_keys
from loaders.vault.rotation import key_of_silver

FORMAT = "assay-vault-backup"
VERSION = 1
SHORTEST_PASSPHRASE = 12

# About 128 MiB and a third of a second for each guess. A file may not ask for more than the double.
_COST, _HIGHEST_COST = 2**17, 2**18


def backup(home: Home, file: Path, passphrase: str) -> list[KeyInfo]:
    """Write the keys of a home to a new file, readable by its owner alone. Returns the keys.

    Raises AssayError where the file exists, the passphrase is short or the disk fails.
    """
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise AssayError(
            f"The passphrase has fewer than {SHORTEST_PASSPHRASE} characters. Choose a longer one."
        )
    if file.exists():
        raise AssayError(f"{file} exists. Name a new file: a backup never replaces another.")
    keys = read_keys(home.vault)
    content = {"residency": home.residency, "keys": [_packed(key) for key in keys]}
    sealed = json.dumps(_sealed(json.dumps(content).encode(), passphrase)).encode()
    aside = file.with_name(f"{file.name}.{secrets.token_hex(4)}.new")
    with explained(file, "make the backup again."):
        os.close(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            with durable_file(aside) as opened:
                opened.write(sealed)
            durable_rename(aside, file)
        finally:
            aside.unlink(missing_ok=True)
    return [key.info for key in keys]


def restore(
    home: Home, file: Path, passphrase: str, wait: float = WAIT_SECONDS
) -> tuple[list[KeyInfo], bool]:
    """Put the keys of a backup into the home's vault. Returns them, and whether that changed it.

    Raises AssayError, and changes nothing, where the file cannot be opened, is of another
    residency, or would lose a key that silver is made with or that nobody else may have.
    """
    content = _opened(file, passphrase)
    if content["residency"] != home.residency:
        raise AssayError(
            f"{file} holds keys of residency {content['residency']}, and the home at {home.path} "
            f"is {home.residency}. Keys never leave their residency."
        )
    keys = [_unpacked(key) for key in content["keys"]]
    with writing(home, wait):
        held = _held(home)
        if [key.info.key_id for key in held] == [key.info.key_id for key in keys]:
            return [key.info for key in keys], False
        _refuse_loss(home, file, held, keys)
        replace_keys(home.vault, keys)
        if home.bigquery:
            _upload(home)
    return [key.info for key in keys], True


def _upload(home: Home) -> None:
    with google_library():
        from loaders.sinks.bigquery import keys, sink  # noqa: PLC0415 - only who lands there

    keys.upload(sink.service_of(home), home)


def _held(home: Home) -> list[Key]:
    """The keys that a restore would replace: none where the vault is gone or damaged."""
    try:
        return read_keys(home.vault) if home.vault.exists() else []
    except UnreadableVault:
        return []


def _refuse_loss(home: Home, file: Path, held: list[Key], kept: list[Key]) -> None:
    """Without silver, nothing depends on the keys of the home, and any may go."""
    has_silver, made_with = key_of_silver(home)
    if not has_silver:
        return
    ids = {key.info.key_id for key in kept}
    if made_with not in ids | {None} or not (made_with or held):
        raise AssayError(
            f"{file} lacks the key that silver in {home.path} was made with. Restore a newer "
            "backup, or restore into a new home and rebuild it from bronze."
        )
    lost = [key.info.version for key in held if key.info.key_id not in ids]
    if lost:
        raise AssayError(
            f"{file} lacks version {lost[-1]} of the vault in {home.path}, which would be lost. "
            "Restore a newer backup."
        )


def _sealed(content: bytes, passphrase: str) -> dict[str, Any]:
    salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
    head = {
        "format": FORMAT,
        "version": VERSION,
        "scrypt": {"n": _COST, "r": 8, "p": 1, "salt": _text(salt)},
        "nonce": _text(nonce),
    }
    key = Scrypt(salt=salt, length=32, n=_COST, r=8, p=1).derive(passphrase.encode())
    return {**head, "content": _text(AESGCM(key).encrypt(nonce, content, _canonical(head)))}


def _opened(file: Path, passphrase: str) -> dict[str, Any]:
    damaged = AssayError(f"{file} is damaged, or no backup of a vault. Restore another one.")
    try:
        sealed = json.loads(file.read_bytes())
        if sealed["format"] != FORMAT:
            raise damaged
        if sealed["version"] != VERSION:
            raise AssayError(
                f"{file} is a backup of version {sealed['version']:d}, and this Assay reads "
                f"version {VERSION}. Restore it with the Assay that wrote it."
            )
        content = _bytes(sealed.pop("content"))
        cost = sealed["scrypt"]
        if not (cost["n"] <= _HIGHEST_COST and (cost["r"], cost["p"]) == (8, 1)):
            raise damaged
        scrypt = Scrypt(salt=_bytes(cost["salt"]), length=32, n=cost["n"], r=8, p=1)
        key = scrypt.derive(passphrase.encode())
        opened = AESGCM(key).decrypt(_bytes(sealed["nonce"]), content, _canonical(sealed))
        return dict(json.loads(opened))
    except InvalidTag:
        raise AssayError(
            f"{file} does not open: the passphrase is wrong, or the file is damaged."
        ) from None
    except OSError as error:
        raise AssayError(f"{file} cannot be read: {os.strerror(error.errno or 0)}.") from None
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise damaged from None


def _packed(key: Key) -> dict[str, Any]:
    info = key.info
    return {
        "region": info.region,
        "version": info.version,
        "key_id": info.key_id,
        "valid_from": info.valid_from.isoformat(),
        "retired_at": info.retired_at.isoformat() if info.retired_at else None,
        "ipad": _text(key.ipad),
        "opad": _text(key.opad),
    }


def _unpacked(packed: dict[str, Any]) -> Key:
    retired_at = packed["retired_at"]
    info = KeyInfo(
        packed["region"],
        packed["version"],
        packed["key_id"],
        datetime.fromisoformat(packed["valid_from"]),
        datetime.fromisoformat(retired_at) if retired_at else None,
    )
    key = Key(info, _bytes(packed["ipad"]), _bytes(packed["opad"]))
    assert len(key.ipad) == len(key.opad) == BLOCK
    return key


def _canonical(head: dict[str, Any]) -> bytes:
    return json.dumps(head, sort_keys=True).encode()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError from error
