"""The vault: the keys behind every pseudonym, in a file of their own.

A key is 32 random bytes from the operating system. What the vault stores is the key's two HMAC
pads (RFC 2104: the key padded to the block size of 64 bytes, XOR 0x36 and 0x5c), so that SQL can
compute HMAC-SHA-256 with nothing but sha256 and concatenation. Whoever has the pads can compute
pseudonyms, so they are as secret as the key.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

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


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """What may be shown of a key."""

    region: str
    version: int
    key_id: str
    valid_from: datetime
    retired_at: datetime | None


def pads(key: bytes) -> tuple[bytes, bytes]:
    """The inner and outer HMAC pad of a key of at most 64 bytes, 64 bytes each."""
    padded = key.ljust(BLOCK, b"\0")
    return bytes(b ^ 0x36 for b in padded), bytes(b ^ 0x5C for b in padded)


def init_vault(path: Path, region: str) -> bool:
    """Make a vault with a first key. Returns False, and changes nothing, where one exists."""
    if path.exists():
        return False
    aside = path.with_name(f"vault-{secrets.token_hex(4)}.new")
    previous = os.umask(0o077)
    try:
        with duckdb.connect(str(aside)) as connection:
            connection.execute(_DDL)
            inner, outer = pads(secrets.token_bytes(32))
            connection.execute(
                "insert into salts values (?, 1, ?, ?, ?, ?, null)",
                [region, secrets.token_hex(8), inner, outer, datetime.now(UTC)],
            )
        aside.chmod(0o600)
        # A link, unlike a rename, never replaces: of two racing inits one key survives.
        os.link(aside, path)
    except FileExistsError:
        return False
    finally:
        os.umask(previous)
        aside.unlink(missing_ok=True)
    return True


def keys(path: Path) -> list[KeyInfo]:
    """The keys of a vault, oldest first, without their secret part."""
    if not path.exists():
        raise AssayError(f'No vault at {path}. Run "assay vault init".')
    if path.stat().st_mode & 0o077:
        raise AssayError(f"{path} is readable by others. Run: chmod 600 {path}")
    with duckdb.connect(str(path), read_only=True) as connection:
        rows = connection.execute(
            "select region, version, key_id, valid_from, retired_at from salts "
            "order by region, version"
        ).fetchall()
    return [KeyInfo(*row) for row in rows]
