"""Expiry of the audit log: its oldest entries go, and a tombstone in the chain says which.

The tombstone is an entry like any other, durable before the first entry goes: whoever verifies the
chain later takes its beginning from there. A run that is killed in between has promised more than
it did, and the next one takes away what the tombstone names.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, date

from loaders import audit
from loaders.audit.chain import Entry, Tombstone, tombstones
from loaders.contracts import contract_of
from loaders.errors import AssayError
from loaders.home import Home

TABLE = "audit_log"


@dataclass(frozen=True, slots=True)
class Expiry:
    """Entries that may go: all of a chain up to number `last`, and the tombstone that is due."""

    chain: str
    last: int
    entries: list[Entry]
    tombstone: Tombstone | None  # None where the chain has it already


def expiry_of(home: Home, edge: date) -> Expiry | None:
    """What of this home's chain is older than the edge: an unbroken beginning of it, or nothing.

    The last entry always stays: it is the head.
    """
    entries = sorted(audit.read_entries(home), key=lambda e: e["sequence"])
    if not entries:
        return None
    name = max(entries, key=lambda e: e["timestamp"])["producer"]
    chain = [entry for entry in entries if entry["producer"] == name]
    old: list[Entry] = []
    for entry in chain[:-1]:
        if entry["ingested_at"].astimezone(UTC).date() > edge:
            break
        old.append(entry)
    promised = max((stone.last for stone in tombstones(chain)), default=0)
    new = [entry for entry in old if entry["sequence"] > promised]
    if not new:
        due = [entry for entry in chain if entry["sequence"] <= promised]
        return Expiry(name, promised, due, None) if due else None
    stone = Tombstone(
        count=len(new),
        last=new[-1]["sequence"],
        last_hash=new[-1]["hash"],
        since=new[0]["timestamp"].astimezone(UTC).isoformat(),
        until=new[-1]["timestamp"].astimezone(UTC).isoformat(),
    )
    return Expiry(name, stone.last, old, stone)


def announce(home: Home, expiry: Expiry) -> None:
    """Make the tombstone part of the chain, before anything goes."""
    if expiry.tombstone:
        audit.append(home, "retention", result_summary={"tombstone": asdict(expiry.tombstone)})


def refuse_locked(home: Home, days: int) -> None:
    """Refuse to keep the log for less than its lock. The refusal itself is an entry."""
    lock_days = contract_of(TABLE).lock_days or 0
    if days < lock_days:
        said = {"refused": "locked", "asked_days": days, "lock_days": lock_days}
        audit.append(home, "retention", result_summary=said)
        raise AssayError(
            f"{TABLE} is locked for {lock_days} days: nothing of it may go after {days}. Nothing "
            "was deleted, and the log has an entry of it."
        )
