"""Erase: one person out of every layer of a home, and a search that shows it.

The audit log comes first, then the spool, bronze, the restricted releases, silver, and the
warehouse's file, which is written anew. At last every file of the home is searched; what is found
is named, and the request stays open until nothing is. A run may be killed anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from loaders import audit, bronze, vault
from loaders.audit.rights import refuse_denied
from loaders.erasure import bronze as in_bronze
from loaders.erasure import requests, restricted, search, silver, spool
from loaders.erasure.requests import Request
from loaders.erasure.subject import Subject, restricted_pseudonyms
from loaders.gold.runs import recorded
from loaders.gold.turns import WAIT_SECONDS, writing
from loaders.home import Home
from loaders.retention.warehouse import rewrite_file

_PIPELINE = ("erase", "Erasure of a person")
# What Assay itself keeps, and erases row by row; all else below the home is files of people.
_OWN = (
    *("bronze", "spool", "audit", "published", "partners", "restricted"),
    *("runs", "erasures", "ledger"),
)


@dataclass(frozen=True, slots=True)
class Erased:
    """What became of a request: rows by place, and files in which the person is still found.

    `waiting` are the erasures that gold does not show yet, this one included.
    """

    request_id: str
    rows: dict[str, int]
    found: list[str]
    deleted: list[str]
    waiting: int


def erase(
    home: Home,
    subject: Subject | None,
    request_id: str | None = None,
    delete_files: bool = False,
    wait: float = WAIT_SECONDS,
) -> list[Erased]:
    """Erase a person, and everybody of whom an earlier run left something. A result for each.

    Files that are not Assay's own, such as exports, are deleted with `delete_files` and else named.
    Raises AssayError where whoever acts may not erase, where another process holds the home, or
    where a place cannot be erased.
    """
    refuse_denied(home, "erase")
    with writing(home, wait, "erasure"):
        if subject:
            request = requests.opened(home, subject, request_id)
            requests.book(home, request, "received")
        return [_erase(home, request, delete_files) for request in requests.unfinished(home)]


def _erase(home: Home, request: Request, delete_files: bool) -> Erased:
    subject, keys = request.subject, vault.read_keys(home.vault)
    with recorded(home, "erase", _PIPELINE, request_id=request.request_id) as run:
        said = {"kind": subject.kind, "subject": subject.own_pseudonym(keys)}
        audit.append(home, "erasure", query_params=said | {"request_id": request.request_id})
        pseudonyms = subject.pseudonyms(keys)
        live = max(key.info.version for key in keys)
        rows = {"spool": spool.erase(home, subject)}
        bronze.recover(home)
        rows |= in_bronze.erase(home, subject, request.salt)
        # Silver leads to the rows that stand for what is the person's, so it comes after them.
        entities = silver.entities_of(home, pseudonyms)
        in_restricted = restricted_pseudonyms(pseudonyms | entities, keys)
        rows["restricted"] = restricted.erase(home, in_restricted)
        rows |= silver.unlink(
            home, request.request_id, pseudonyms, in_restricted, request.salt, live
        )
        if home.warehouse.exists():
            rewrite_file(home)
        rows = {place: count for place, count in rows.items() if count}
        run["details"] = {"rows": rows}
        run["rows_out"] = sum(rows.values())
        known = pseudonyms | in_restricted
        deleted, found = _look(home, request, known, delete_files)
        run["rows_failed"] = len(found)
    if not found:
        requests.book(home, request, "completed")
        requests.close(home, request)
    return Erased(request.request_id, rows, found, deleted, silver.waiting(home)[0])


def _look(
    home: Home, request: Request, known: set[str], delete_files: bool
) -> tuple[list[str], list[str]]:
    """Files that were deleted since they hold the person, and those that still do."""
    own = {home.path / name for name in _OWN}
    deleted, found = [], []
    notes = home.path / "erasures"
    for file in search.remaining(home, request.subject, known, notes):
        if delete_files and not _is_own(home, file, own):
            file.unlink()
            deleted.append(str(file.relative_to(home.path)))
        else:
            found.append(str(file.relative_to(home.path)))
    return deleted, found


def _is_own(home: Home, file: Path, own: set[Path]) -> bool:
    return file.suffix in (".duckdb", ".wal") or any(path in own for path in file.parents)
