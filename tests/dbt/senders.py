"""Numbered senders who lose, repeat and garble records, and what the loss ledger must say of them.

What is expected is counted from what was sent, by Python's sets, and never from what landed.
"""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from clock import landing_at

from loaders.home import Home
from loaders.landing.batches import land_file
from loaders.landing.replay import replay

TABLES = {
    "attempts": {"action": "login", "status": "success"},
    "deposit_attempts": {"status": "success"},
    "platform_events": {"event_type": "account.login"},
}
PRODUCERS = ("api-1", "api-2")
DAYS_AGO = (4, 3, 2, 1)
FILES_A_DAY = {"attempts": 4, "deposit_attempts": 1, "platform_events": 1}
NUMBERS = 240
FIGURES = ("received", "accepted", "rejected", "duplicates", "bronze", "silver", "quarantined")

Row = dict[str, Any]
Key = tuple[date, str, str]


@dataclass(frozen=True)
class Record:
    """One record as it is sent. `shown` is the producer that it counts under."""

    line: bytes
    event_id: str | None  # None where it is refused
    shown: str
    number: int | None  # None where it cannot be read, or nobody counts by it


@dataclass
class Delivery:
    """One file, and when it lands."""

    table: str
    landed_at: datetime
    records: list[Record]
    batch_id: str = ""


def deliveries(rng: random.Random, today: date) -> list[Delivery]:
    """Files of several days, whose records are roughly in the order of their numbers."""
    found = []
    for table in TABLES:
        files = [
            Delivery(table, datetime.combine(today - timedelta(days=ago), time(10, n), UTC), [])
            for ago in DAYS_AGO
            for n in range(FILES_A_DAY[table])
        ]
        for producer in PRODUCERS:
            for number, record in enumerate(_records(rng, table, producer)):
                place = number * len(files) // NUMBERS + rng.choice([0, 0, 0, 0, 1, 5])
                for _ in range(rng.choice([1] * 12 + [2])):  # some are sent again, any time later
                    if record is not None:
                        files[min(place, len(files) - 1)].records.append(record)
                    place += rng.randrange(4)
        for file in files:
            file.records += _strangers(rng, table, file)
            rng.shuffle(file.records)
        found += files
    return found


def _records(rng: random.Random, table: str, producer: str) -> list[Record | None]:
    """What a producer numbers from 0: None was never sent."""
    kinds = ["good"] * 16 + ["lost", "lost", "refused", "broken"]
    return [_record(table, producer, n, rng.choice(kinds)) for n in range(NUMBERS)]


def _record(table: str, producer: str, number: int, kind: str) -> Record | None:
    if kind == "lost":
        return None
    name = f"{table}-{producer}-{number}"
    sent = _event(table, name) | {"producer": producer, "sequence": number}
    if kind == "refused":
        refused = sent | {"timestamp": "never"}
        return Record(json.dumps(refused).encode(), None, producer, number)
    line = json.dumps(sent).encode()
    if kind == "broken":
        return Record(line[:-1], None, "unnumbered", None)
    return Record(line, name, producer, number)


def _strangers(rng: random.Random, table: str, file: Delivery) -> list[Record]:
    """Records without a number, and with one under a name that may name a person.

    One comes twice and one cannot be read, so that every file has of all that can be lost.
    """
    found = [Record(b"{", None, "unnumbered", None)]
    for n in [0, 0, *range(1, rng.randrange(2, 5))]:
        name = f"{table}-{file.landed_at:%d-%H%M}-{n}"
        more = {"producer": "ada@mail.example", "sequence": n} if n % 2 else {}
        line = json.dumps(_event(table, name) | more).encode()
        found.append(Record(line, name, "unnumbered", None))
    return found


def _event(table: str, name: str) -> Row:
    return {"event_id": name, "timestamp": "2026-05-01T10:00:00Z"} | TABLES[table]


def land(home: Home, folder: Path, delivery: Delivery) -> None:
    """Land a delivery at its time."""
    path = folder / f"{delivery.table}-{delivery.landed_at:%m%d%H%M}.jsonl"
    path.write_bytes(b"\n".join(record.line for record in delivery.records) + b"\n")
    with landing_at(delivery.landed_at):
        delivery.batch_id = land_file(home, delivery.table, path).batch_id


def replayed(home: Home, sent: list[Delivery], when: datetime) -> list[Delivery]:
    """Try what was refused again; all of it is refused again. What that adds to what was sent."""
    with landing_at(when):
        results = {result.table: result for result in replay(home)}
    found = []
    for table, result in results.items():
        refused = [r for d in sent if d.table == table for r in d.records if r.event_id is None]
        assert (result.tried, result.accepted) == (len(refused), 0)
        found.append(Delivery(table, when, refused, result.batches[0]))
    return found


def expected(sent: list[Delivery]) -> dict[Key, Row]:
    """The rows of the loss ledger by day, table and producer, if nothing is lost from here on."""
    counts: dict[Key, Counter[str]] = defaultdict(Counter)
    known: dict[tuple[str, str], dict[int, date]] = defaultdict(dict)
    numbers: dict[Key, set[int]] = defaultdict(set)
    ids: set[tuple[str, str]] = set()
    for delivery in sorted(sent, key=lambda d: d.landed_at):
        day, table = delivery.landed_at.date(), delivery.table
        for record in delivery.records:
            row = counts[day, table, record.shown]
            row["received"] += 1
            if record.event_id is None:
                row["rejected"] += 1
            else:
                is_known = (table, record.event_id) in ids
                ids.add((table, record.event_id))
                row.update(["accepted", "bronze", "quarantined" if is_known else "silver"])
            if record.number is not None:
                numbers[day, table, record.shown].add(record.number)
                known[table, record.shown].setdefault(record.number, day)
    gaps: dict[Key, list[tuple[int, int]]] = defaultdict(list)
    for (table, producer), days in known.items():
        for before, after in pairwise(sorted(days)):
            if after > before + 1:
                gaps[days[after], table, producer].append((before + 1, after - 1))
    return {
        key: {name: row[name] for name in FIGURES}
        | {
            "numbers": len(numbers[key]),
            "gaps": len(gaps[key]),
            "missing": sum(last - first + 1 for first, last in gaps[key]),
            "gap_ranges": ", ".join(_range(*gap) for gap in gaps[key]) or None,
        }
        for key, row in counts.items()
    }


def _range(first: int, last: int) -> str:
    return f"{first}-{last}" if last > first else str(first)
