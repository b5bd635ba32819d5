"""Who may send what: bearer tokens, of which the home keeps only hashes.

A token is 256 random bits, so its SHA-256 cannot be guessed back and needs no slow hash: those
protect what people choose, at a price that every request would pay.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loaders.durable import durable_file, durable_rename, explained
from loaders.errors import AssayError
from loaders.home import Home
from loaders.leases import leased

_SHOWN = re.compile(r"assay_([0-9a-f]{12})_([0-9A-Za-z_-]{43})")


@dataclass(frozen=True, slots=True)
class Token:
    """What a token may do.

    No `tables` means all of events; no `regions` all of the home's residency. `rate` is in events
    per second, `quota` in events per day in UTC; 0 means without limit.
    """

    token_id: str
    sha256: str
    source: str
    created_at: str
    tables: tuple[str, ...] = ()
    tenant: str | None = None
    regions: tuple[str, ...] = ()
    rate: float = 0
    quota: int = 0
    revoked_at: str | None = None

    def may_send(self, table: str) -> bool:
        return not self.tables or table in self.tables


def add_token(home: Home, token: Token) -> tuple[Token, str]:
    """Register a token; its id and hash are made here. Returns it, and the text to send."""
    token_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    text = f"assay_{token_id}_{secret}"
    made = replace(token, token_id=token_id, sha256=_hash(text))
    with explained(_file(home), "add the token again."), leased(_file(home)):
        _write(home, [*read_tokens(home), made])
    return made, text


def revoke_token(home: Home, token_id: str) -> Token:
    """End a token; a collector that runs notices within a second. Raises AssayError if unknown."""
    with explained(_file(home), "revoke the token again."), leased(_file(home)):
        tokens = read_tokens(home)
        known = next((token for token in tokens if token.token_id == token_id), None)
        if known is None:
            raise AssayError(f"No token {token_id}. Run: assay token list")
        ended = replace(known, revoked_at=known.revoked_at or f"{datetime.now(UTC):%FT%TZ}")
        _write(home, [ended if token is known else token for token in tokens])
    return ended


def read_tokens(home: Home) -> list[Token]:
    """Every token there ever was. Raises AssayError where the file is damaged."""
    try:
        given = json.loads(_file(home).read_text(encoding="utf-8"))
        return [_token(line) for line in given["tokens"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError):
        raise AssayError(
            f"{_file(home)} is damaged. Fetch it from a backup, or remove it and add tokens anew."
        ) from None


class Tokens:
    """The tokens of a home, read again when their file changes. `look` is to be called at times."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._seen: tuple[int, int] | None = (-1, -1)
        self._by_id: dict[str, Token] = {}

    def look(self) -> None:
        """Read the file if it is another. Raises AssayError, and keeps what was known."""
        try:
            found = _file(self._home).stat()
            seen = (found.st_mtime_ns, found.st_ino)
        except FileNotFoundError:
            seen = None
        if seen != self._seen:
            self._by_id = {token.token_id: token for token in read_tokens(self._home)}
            self._seen = seen

    def holder(self, text: str) -> Token | None:
        """The token that a text is, if it is one and not revoked."""
        parts = _SHOWN.fullmatch(text)
        token = self._by_id.get(parts[1]) if parts else None
        if token is None or token.revoked_at:
            return None
        return token if hmac.compare_digest(_hash(text), token.sha256) else None


def _file(home: Home) -> Path:
    return home.path / "tokens.json"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _token(line: dict[str, Any]) -> Token:
    lists: dict[str, Any] = {name: tuple(line[name]) for name in ("tables", "regions")}
    return Token(**(line | lists))


def _write(home: Home, tokens: list[Token]) -> None:
    aside = home.path / f"tokens.{secrets.token_hex(4)}.new"
    with durable_file(aside) as file:
        aside.chmod(0o600)
        file.write(json.dumps({"tokens": [asdict(token) for token in tokens]}, indent=1).encode())
    durable_rename(aside, _file(home))
