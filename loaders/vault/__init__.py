"""The vault: the keys behind every pseudonym, in a file of their own.

A key is 32 random bytes from the operating system. What the vault stores is the key's two HMAC
pads (RFC 2104: the key padded to the block size of 64 bytes, XOR 0x36 and 0x5c), so that SQL can
compute HMAC-SHA-256 with nothing but sha256 and concatenation. Whoever has the pads can compute
pseudonyms, so they are as secret as the key.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from loaders.durable import durable_rename, fsync_folder
from loaders.errors import AssayError

BLOCK = 64

_DDL = """
create table salts (
    region varchar not null,
    version bigint not null,
    key_id varchar not null unique,
    ipad blob not null,
    opad blob not null,
    valid_from timestamptz not null,
    retired_at timestamptz,
    unique (region, version)
)
"""


class UnreadableVault(AssayError):
    """A vault that is damaged, or open elsewhere."""


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """What may be shown of a key."""

    region: str
    version: int
    key_id: str
    valid_from: datetime
    retired_at: datetime | None


@dataclass(frozen=True, slots=True)
class Key:
    """A key with its secret part: never print one."""

    info: KeyInfo
    ipad: bytes = field(repr=False)
    opad: bytes = field(repr=False)


def pads(key: bytes) -> tuple[bytes, bytes]:
    """The inner and outer HMAC pad of a key of at most 64 bytes, 64 bytes each."""
    padded = key.ljust(BLOCK, b"\0")
    return bytes(b ^ 0x36 for b in padded), bytes(b ^ 0x5C for b in padded)


def init_vault(path: Path, region: str) -> bool:
    """Make a vault with a first key. Returns False, and changes nothing, where one exists."""
    if path.exists():
        return False
    aside = _written_aside(path, [_new_key(region, 1)])
    try:
        # A link, unlike a rename, never replaces: of two racing inits one key survives.
        os.link(aside, path)
        fsync_folder(path.parent)
    except FileExistsError:
        return False
    finally:
        aside.unlink(missing_ok=True)
    return True


def keys(path: Path) -> list[KeyInfo]:
    """The keys of a vault, oldest first, without their secret part."""
    return [key.info for key in read_keys(path)]


def read_keys(path: Path) -> list[Key]:
    """The keys of a vault, oldest first. Raises AssayError where there is none to be trusted."""
    if not path.exists():
        raise AssayError(f'No vault at {path}. Run "assay vault init".')
    if path.stat().st_mode & 0o077:
        raise AssayError(f"{path} is readable by others. Run: chmod 600 {path}")
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            rows = connection.execute(
                "select region, version, key_id, valid_from, retired_at, ipad, opad from salts "
                "order by region, version"
            ).fetchall()
    except duckdb.Error:
        raise UnreadableVault(
            f"{path} cannot be read as a vault. Run: assay vault restore FILE"
        ) from None
    return [Key(KeyInfo(*row[:5]), *row[5:]) for row in rows]


def replace_keys(path: Path, kept: list[Key]) -> None:
    """Put a vault with these keys in the place of any that is there, all at once.

    For one process at a time: what a killed one wrote aside is removed here.
    """
    for left in path.parent.glob("vault-*.next*"):
        left.unlink()
    aside = _written_aside(path, kept, "next")
    # What a killed writer left beside the old file would be read into the new one.
    path.with_name(f"{path.name}.wal").unlink(missing_ok=True)
    durable_rename(aside, path)


def add_key(path: Path, region: str) -> KeyInfo:
    """Retire the live key and add a new one, all at once. Returns the new one.

    The retired key stays: every pseudonym goes through it before it comes to the new one.
    """
    found = read_keys(path)
    live = [key for key in found if key.info.retired_at is None]
    if len(live) != 1:
        raise AssayError(f"The vault has {len(live)} live keys, not one. Run: assay vault status")
    new = _new_key(region, live[0].info.version + 1)
    retired = replace(live[0].info, retired_at=new.info.valid_from)
    kept = [replace(key, info=retired) if key is live[0] else key for key in found]
    replace_keys(path, [*kept, new])
    return new.info


def _new_key(region: str, version: int) -> Key:
    info = KeyInfo(region, version, secrets.token_hex(8), datetime.now(UTC), None)
    return Key(info, *pads(secrets.token_bytes(32)))


def _written_aside(path: Path, kept: list[Key], ending: str = "new") -> Path:
    """A new file beside the vault, for its owner alone and on disk."""
    aside = path.with_name(f"vault-{secrets.token_hex(4)}.{ending}")
    previous = os.umask(0o077)
    try:
        with duckdb.connect(str(aside)) as connection:
            connection.execute(_DDL)
            for key in kept:
                i = key.info
                connection.execute(
                    "insert into salts values (?, ?, ?, ?, ?, ?, ?)",
                    [i.region, i.version, i.key_id, key.ipad, key.opad, i.valid_from, i.retired_at],
                )
        aside.chmod(0o600)
        with aside.open("rb") as file:
            os.fsync(file.fileno())
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    finally:
        os.umask(previous)
    return aside
