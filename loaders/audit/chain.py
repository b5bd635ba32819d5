"""The chain of the audit log: how an entry is hashed, and whether a chain is whole.

docs/audit.md says the same in words, for those who verify it without this code.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
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


def problems(entries: Iterable[Entry], kept: Head | None, noted: Iterable[str] = ()) -> list[str]:
    """What is wrong with chains, each in a line that names the entry. Empty where they are whole.

    `kept` is the head of one of them; `noted` are hashes that entries had at some time.
    """
    chains: dict[str, list[Entry]] = {}
    for entry in sorted(entries, key=lambda e: (e["producer"], e["sequence"])):
        chains.setdefault(entry["producer"], []).append(entry)
    found = [line for name, chain in chains.items() for line in _broken(name, chain)]
    found += _unlike(kept, chains.get(kept.producer, [])) if kept else []
    there = {entry["hash"] for chain in chains.values() for entry in chain}
    return found + [f"no entry has the hash {value}" for value in noted if value not in there]


def _broken(name: str, chain: list[Entry]) -> Iterator[str]:
    previous, expected = GENESIS, 1
    for entry in chain:
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
