"""Who may do what: `permissions.yml` of a home, which people review. Nobody else may.

The file may be a link to one in a repository. Where it is missing or cannot be understood, nobody
may do anything that it is asked for.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from loaders.durable import durable_file, durable_rename
from loaders.errors import AssayError
from loaders.identity import system_user

# What a file may permit, and the action that the audit log calls it.
PERMISSIONS = {
    "create_experiments": "experiment_create",
    "erase": "erasure",
    "expire": "retention",
    "explain": "query",
    "export": "export",
    "release": "release",
    "rotate": "key_rotation",
    "run_replays": "replay_run",
}
FILE = "permissions.yml"
CODE = "PERMISSION_DENIED"

_HEAD = "# Who may do what in this home. Nobody else may. docs/permissions.md says what each is.\n"
_PARTS = {"may", "on_bigquery"}


class PermissionDenied(AssayError):
    """Something that whoever acts may not do. The message begins with its code."""


@dataclass(frozen=True, slots=True)
class Permissions:
    """Names by permission, and the account that a name has on BigQuery."""

    may: dict[str, frozenset[str]]
    on_bigquery: dict[str, str] = field(default_factory=dict)

    def allows(self, permission: str, name: str) -> bool:
        return name in self.may.get(permission, frozenset())

    def accounts(self, permission: str) -> Iterator[str]:
        """The accounts on BigQuery of those who may, in order."""
        names = sorted(self.may.get(permission, frozenset()))
        yield from (self.on_bigquery[name] for name in names if name in self.on_bigquery)


def begin_permissions(home: Path) -> None:
    """Let whoever makes a home do everything in it. What is there is left as it is."""
    path = home / FILE
    if path.exists() or path.is_symlink():
        return
    aside = path.with_suffix(f".{secrets.token_hex(4)}.new")
    may = {"may": {permission: [system_user()] for permission in PERMISSIONS}}
    with durable_file(aside) as file:
        file.write((_HEAD + yaml.safe_dump(may, sort_keys=False)).encode())
    durable_rename(aside, path)


def read_permissions(home: Path) -> Permissions:
    """What the file of a home says. Raises PermissionDenied where that cannot be known."""
    path = home / FILE
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PermissionDenied(
            f"{CODE}: {path} is not there, so nobody may. Fetch it from where it is reviewed, or "
            "make one that names you: assay init"
        ) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise _unclear(path, f"it cannot be read ({type(error).__name__})") from None
    if not isinstance(found, dict) or not set(found) <= _PARTS:
        raise _unclear(path, "it has other parts than may and on_bigquery")
    may, accounts = found.get("may") or {}, found.get("on_bigquery") or {}
    if not isinstance(may, dict) or not set(may) <= set(PERMISSIONS):
        raise _unclear(path, f"may has another key than {', '.join(PERMISSIONS)}")
    if not all(names is None or _are_names(names) for names in may.values()):
        raise _unclear(path, "each key of may needs a list of names, as text")
    if not isinstance(accounts, dict) or not _are_names([*accounts, *accounts.values()]):
        raise _unclear(path, "on_bigquery needs an account for each name, as text")
    return Permissions({key: frozenset(names or ()) for key, names in may.items()}, accounts)


def _are_names(given: Any) -> bool:
    return isinstance(given, list) and all(isinstance(name, str) and name for name in given)


def _unclear(path: Path, why: str) -> PermissionDenied:
    return PermissionDenied(f"{CODE}: {path}: {why}, so nobody may. Mend it as it was reviewed.")
