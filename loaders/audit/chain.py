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
_NEEDED = ("producer", "sequence", "timestamp", "action", "hash")


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
    said = [_tombstone(entry) for entry in chain if entry["action"] == "retention"]
    return [stone for stone in said if stone]


def _tombstone(entry: Entry) -> Tombstone | None:
    try:
        summary = json.loads(entry["result_summary"] or "{}")
        return Tombstone(**summary["tombstone"]) if "tombstone" in summary else None
    except (ValueError, TypeError):  # it was changed, and its hash says so
        return None


@dataclass(frozen=True, slots=True)
class Witnessed:
    """What is known of a log from outside its home: heads that it had, and hashes of entries."""

    heads: Iterable[Head] = ()
    noted: Iterable[str] = ()


def problems(
    entries: Iterable[Entry],
    kept: Head | None,
    witnessed: Witnessed | None = None,
    lock_days: int | None = None,
) -> list[str]:
    """What is wrong with chains, each in a line that names the entry. Empty where they are whole.

    `kept` is the head of one of them. An entry may have expired, but not before it was `lock_days`
    old.
    """
    witnessed = witnessed or Witnessed()
    entries = list(entries)
    whole = [entry for entry in entries if all(entry[name] is not None for name in _NEEDED)]
    chains: dict[str, list[Entry]] = {}
    for entry in sorted(whole, key=lambda e: (e["producer"], e["sequence"])):
        chains.setdefault(entry["producer"], []).append(entry)
    found = [
        line for name, chain in chains.items() for line in _broken(name, chain, lock_days or 0)
    ]
    found += [
        f"chain {entry['producer']}, entry {entry['sequence']} of id {entry['id']} was changed: it "
        f"lacks {', '.join(name for name in _NEEDED if entry[name] is None)}"
        for entry in entries
        if entry not in whole
    ]
    found += _unlike(kept, chains.get(kept.producer, [])) if kept else []
    heads: dict[str, list[Head]] = {}
    for head in witnessed.heads:
        heads.setdefault(head.producer, []).append(head)
    for name, told in heads.items():
        found += _unwitnessed(name, chains.get(name, []), told, kept)
    there = {entry["hash"] for chain in chains.values() for entry in chain}
    there |= {stone.last_hash for chain in chains.values() for stone in tombstones(chain)}
    return found + [
        f"no entry has the hash {value}" for value in witnessed.noted if value not in there
    ]


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
            yield f"chain {name}, entry {_span(expected, number - 1)} is missing"
        if (own := _number_in_id(name, entry)) not in (None, number):
            yield f"{where} has the id of entry {own}: entries were re-ordered"
        elif entry["hash"] != hashed(entry):
            yield f"{where} was changed"
        elif number == expected and entry["previous_hash"] != previous:
            yield f"{where} does not follow the one before it"
        previous, expected = entry["hash"], number + 1


def _unlike(kept: Head, chain: list[Entry]) -> Iterator[str]:
    where = f"chain {kept.producer}, entry"
    last = chain[-1]["sequence"] if chain else 0
    if last < kept.sequence:
        yield f"{where} {_span(last + 1, kept.sequence)} is missing: the end was cut off"
    elif kept.hash not in {e["hash"] for e in chain if e["sequence"] == kept.sequence}:
        yield f"{where} {kept.sequence} is not the one whose hash was kept"
    elif last > kept.sequence:
        yield f"{where} {kept.sequence + 1} was put in at the end"


def _unwitnessed(
    name: str, chain: list[Entry], told: list[Head], kept: Head | None
) -> Iterator[str]:
    """What a chain has otherwise than the witness, or lacks, and the other way round."""
    where = f"chain {name}, entry"
    hashes = {entry["sequence"]: entry["hash"] for entry in chain}
    hashes |= {stone.last: stone.last_hash for stone in tombstones(chain)}
    last, seen = max(hashes, default=0), max(head.sequence for head in told)
    other = [h.sequence for h in told if hashes.get(h.sequence, h.hash) != h.hash]
    if other:
        yield f"{where} {min(other)} is not the one that the witness has"
    if seen > last:
        yield f"{where} {_span(last + 1, seen)} is missing: the witness has it"
    elif last > seen and kept and kept.producer == name:  # others may be between bronze and witness
        yield f"{where} {_span(seen + 1, last)} is unknown to the witness"


def _span(first: int, last: int) -> str:
    return f"{first}" if first == last else f"{first} to {last}"


def _number_in_id(name: str, entry: Entry) -> int | None:
    """The place in its chain that an entry's id says it has."""
    chain, _, number = str(entry["id"]).rpartition("-")
    return int(number) if chain == name and number.isdigit() else None
