"""Retain: take away what is older than its period, layer by layer, and leave proof of it.

First comes what promises: the tombstone of the audit log, its entry of this run, and the edges that
the books go by. Then bronze goes, then silver and gold. A run may be killed anywhere: what is left
is still too old, and the next one takes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

from loaders import audit
from loaders.audit import expiry as audit_expiry
from loaders.audit.rights import refuse_denied
from loaders.gold.runs import recorded
from loaders.gold.turns import WAIT_SECONDS, writing
from loaders.home import Home
from loaders.retention import bronze, edges, warehouse
from loaders.retention.bronze import Due
from loaders.retention.edges import Edges
from loaders.retention.periods import Others, bronze_days, refuse_unknown

_PIPELINE = ("retain", "Retention")


@dataclass(frozen=True, slots=True)
class Retained:
    """What is due, or went where it `was_applied`; and tables that wait for silver, since when."""

    due: list[Due]
    waiting: dict[str, date]
    was_applied: bool


def plan(home: Home, others: Others | None = None, today: date | None = None) -> Retained:
    """What would go today. Changes nothing. `others` are periods in days, by table."""
    found, limits, _ = _found(home, others or {}, today or datetime.now(UTC).date())
    return Retained(found, limits.waiting, was_applied=False)


def retain(
    home: Home,
    others: Others | None = None,
    today: date | None = None,
    wait: float = WAIT_SECONDS,
) -> Retained:
    """Take away what is due, and record it.

    Raises AssayError where whoever acts may not expire, where a table is locked, where readers hold
    bronze for too long, or where another process holds the home for longer than `wait` seconds.
    """
    refuse_denied(home, "expire")
    others, today = others or {}, today or datetime.now(UTC).date()
    with writing(home, wait, "retention"), recorded(home, "retain", _PIPELINE) as run:
        audit_expiry.refuse_locked(home, bronze_days(audit_expiry.TABLE, others))
        found, limits, expiry = _found(home, others, today)
        rows = {due.table: due.rows for due in found}
        run["details"] = {"rows": rows, "periods": dict(others)}
        run["rows_in"] = run["rows_out"] = sum(rows.values())
        if found:
            if expiry:
                audit_expiry.announce(home, expiry)
            audit.append(home, "retention", result_summary={"rows": rows})
            edges.keep(home, limits)
            bronze.expire(home, limits, expiry)
            if warehouse.expire(home, today, limits, others):
                warehouse.rewrite_file(home)
    return Retained(found, limits.waiting, was_applied=True)


def _found(
    home: Home, others: Others, today: date
) -> tuple[list[Due], Edges, audit_expiry.Expiry | None]:
    refuse_unknown(others)
    limits = edges.edges_of(home, today, others)
    expiry = audit_expiry.expiry_of(home, limits.rows[audit_expiry.TABLE])
    due = [
        *bronze.due_of(home, limits, expiry),
        *warehouse.due_of(home, today, limits, others),
    ]
    return due, limits, expiry
