"""Bringing the logs of others into the audit log: who asked gold what, beside Assay's own actions.

Each record becomes an entry of the chain, once, however often and in whatever windows it is
imported: it is known by its id in the log it came from. The text of a query stays where it is; an
entry has its fingerprint, which only who has the vault can compare with a text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from loaders import audit, bronze, vault
from loaders.audit import Facts, Said
from loaders.erasure.subject import chain
from loaders.errors import AssayError
from loaders.home import Home
from loaders.leases import leased

_AT_ONCE = 1000  # entries of a batch
_KNOWN = "select query_params from bronze.audit_log where source_system = $source"


@dataclass(frozen=True, slots=True)
class Record:
    """What somebody did, as another log has it. `text` is of the query, or stands for it."""

    record_id: str
    user_id: str
    happened_at: datetime
    text: str | None
    rows: int | None = None
    export_format: str | None = None
    duration_ms: int | None = None
    has_failed: bool = False


@dataclass(frozen=True, slots=True)
class Imported:
    """How much of a log was imported: the records of the window, and those that were new."""

    source: str
    covers_from: datetime
    covers_to: datetime
    records: int
    new: int


def import_log(
    home: Home, source: str, records: Iterable[Record], first: datetime, last: datetime
) -> Imported:
    """Make entries of the records of a window, up to `last` and without it, that are not there yet.

    The window itself is an entry, the last one, so that what was never imported shows. May be
    killed and repeated. Raises AssayError.
    """
    if first >= last or last > datetime.now(UTC):
        raise AssayError("The window of an import ends after it begins, and not in the future.")
    keys = vault.read_keys(home.vault)
    with leased(home.path / "audit" / "imports"):
        of_window = {r.record_id: r for r in records if first <= r.happened_at < last}
        audit.settle(home)
        known = set(_known(home, source))
        new = [record for name, record in of_window.items() if name not in known]
        new.sort(key=lambda record: (record.happened_at, record.record_id))
        for begun in range(0, len(new), _AT_ONCE):
            some = new[begun : begun + _AT_ONCE]
            audit.append_all(home, [_said(source, record, keys) for record in some])
        window = Facts(covers_from=first, covers_to=last, result_summary={"record_count": len(new)})
        audit.append_all(home, [Said("import", window, source)])
    return Imported(source, first, last, len(of_window), len(new))


def last_covered(home: Home, source: str) -> datetime | None:
    """Up to when a log was imported, None where it never was."""
    sql = (
        "select max(covers_to) as covered from bronze.audit_log "
        "where source_system = $source and action = 'import'"
    )
    (row,) = bronze.query(home, ["audit_log"], sql, source=source).to_pylist()
    found: datetime | None = row["covered"]
    return found.astimezone(UTC) if found else None


def _known(home: Home, source: str) -> Iterator[str]:
    for row in bronze.query(home, ["audit_log"], _KNOWN, source=source).to_pylist():
        if row["query_params"]:
            yield json.loads(row["query_params"])["record"]


def _said(source: str, record: Record, keys: list[vault.Key]) -> Said:
    asked = {"record": record.record_id}
    if record.text:  # by the first key, so that it stays the same when keys are rotated
        asked["fingerprint"] = chain("query", record.text, keys)[0]
    came = {"record_count": record.rows, "duration_ms": record.duration_ms}
    summary = {name: value for name, value in came.items() if value is not None}
    facts = Facts(
        happened_at=record.happened_at,
        query_params=asked,
        result_summary=summary | ({"failed": True} if record.has_failed else {}),
    )
    if record.export_format:
        facts["export_format"] = record.export_format
        if record.rows is not None:
            facts["export_size"] = record.rows
    return Said("export" if record.export_format else "query", facts, source, record.user_id)
