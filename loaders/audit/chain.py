"""The chain of the audit log: how an entry is hashed, and whether a chain is whole.

docs/audit.md says the same in words, for those who verify it without this code.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

GENESIS = "0" * 64

# A row of `audit_log`.
Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain, kept apart from it: nothing else tells that its last entries are gone."""

    producer: str
    sequence: int
    hash: str


def canonical(entry: Entry) -> bytes:
    """The text of an entry that is hashed: its columns but `hash`, nulls left out.

    JSON by RFC 8785: keys in order, no space, UTF-8. Times are text, to the microsecond.
    """
    told = {
        name: f"{value.astimezone(UTC):%FT%T.%fZ}" if isinstance(value, datetime) else value
        for name, value in entry.items()
        if name != "hash" and value is not None
    }
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def hashed(entry: Entry) -> str:
    """The hash of an entry, in hexadecimal."""
    return hashlib.sha256(canonical(entry)).hexdigest()


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What a chain says of its first entries once they have expired: an entry that is still there.

    `count` are the entries that went with it, up to number `last`, whose hash the next one follows;
    `since` and `until` are the times of the first and the last of them.
    """

    count: int
    last: int
    last_hash: str
    since: str
    until: str


def tombstones(chain: Iterable[Entry]) -> list[Tombstone]:
    """The tombstones of a chain, in its order."""
    said = (json.loads(e["result_summary"] or "{}") for e in chain if e["action"] == "retention")
    return [Tombstone(**summary["tombstone"]) for summary in said if "tombstone" in summary]


def problems(
    entries: Iterable[Entry],
    kept: Head | None,
    noted: Iterable[str] = (),
    lock_days: int = 0,
) -> list[str]:
    """What is wrong with chains, each in a line that names the entry. Empty where they are whole.

    `kept` is the head of one of them; `noted` are hashes that entries had at some time. An entry
    may have expired, but not before it was `lock_days` old.
    """
    chains: dict[str, list[Entry]] = {}
    for entry in sorted(entries, key=lambda e: (e["producer"], e["sequence"])):
        chains.setdefault(entry["producer"], []).append(entry)
    found = [line for name, chain in chains.items() for line in _broken(name, chain, lock_days)]
    found += _unlike(kept, chains.get(kept.producer, [])) if kept else []
    there = {entry["hash"] for chain in chains.values() for entry in chain}
    there |= {stone.last_hash for chain in chains.values() for stone in tombstones(chain)}
    return found + [f"no entry has the hash {value}" for value in noted if value not in there]


def _broken(name: str, chain: list[Entry], lock_days: int) -> Iterator[str]:
    previous, expected = GENESIS, 1
    for stone in tombstones(chain):
        if stone.last + 1 == chain[0]["sequence"]:  # what went before it, this entry answers for
            previous, expected = stone.last_hash, stone.last + 1
    for entry in chain:
        for stone in tombstones([entry]):
            age = entry["timestamp"] - datetime.fromisoformat(stone.until)
            if age < timedelta(days=lock_days):
                yield f"chain {name}, entries up to {stone.last} went before their lock ended"
        number = entry["sequence"]
        where = f"chain {name}, entry {number}"
        if number < expected:
            yield f"{where} is there twice"
            continue
        if number > expected:
            gone = f"{expected}" if number == expected + 1 else f"{expected} to {number - 1}"
            yield f"chain {name}, entry {gone} is missing"
        if entry["hash"] != hashed(entry):
            yield f"{where} was changed"
        elif number == expected and entry["previous_hash"] != previous:
            yield f"{where} does not follow the one before it"
        previous, expected = entry["hash"], number + 1


def _unlike(kept: Head, chain: list[Entry]) -> Iterator[str]:
    where = f"chain {kept.producer}, entry"
    last = chain[-1]["sequence"] if chain else 0
    if last < kept.sequence:
        gone = f"{kept.sequence}" if last == kept.sequence - 1 else f"{last + 1} to {kept.sequence}"
        yield f"{where} {gone} is missing: the end was cut off"
    elif kept.hash not in {e["hash"] for e in chain if e["sequence"] == kept.sequence}:
        yield f"{where} {kept.sequence} is not the one whose hash was kept"
    elif last > kept.sequence:
        yield f"{where} {kept.sequence + 1} was put in at the end"
