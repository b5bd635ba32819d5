"""The audit log: who did what, as a chain of entries in bronze `audit_log`.

The head of the chain is kept in the home, `audit/head.json`. An entry is written there first, whole
and durable, and from there to bronze and to the witness outside the home, by one process at a time.
So whoever comes after a process that was killed in between finds what it had to say, and goes on
from it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypedDict, Unpack

from loaders import bronze
from loaders.audit.chain import GENESIS, Entry, Head, Witnessed, hashed, problems
from loaders.audit.witness import testify, testimony, witness_of
from loaders.contracts import contract_of
from loaders.durable import durable_file, durable_rename, explained
from loaders.errors import AssayError
from loaders.home import Home
from loaders.identity import system_user, user
from loaders.landing.batches import PIPELINE_VERSION

_TABLE = "audit_log"
_TIMES = ("timestamp", "happened_at", "covers_from", "covers_to", "ingested_at")
_AGAIN = "run the command again: nothing was given out."


class Facts(TypedDict, total=False):
    """What an entry may say beside who, when and what. Objects are kept as JSON."""

    query_params: dict[str, Any]
    export_format: str
    export_size: int
    config_change: dict[str, Any]
    experiment_id: str
    replay_scenario_id: str
    result_summary: dict[str, Any]
    lineage: dict[str, Any]
    happened_at: datetime
    covers_from: datetime
    covers_to: datetime


@dataclass(frozen=True, slots=True)
class Said:
    """An entry that is to be; what another log had, of its `source_system` and `user_id`."""

    action: str
    facts: Facts
    source_system: str = "assay"
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class Audited:
    """What a look at the log found: its entries, the kept head, and what is wrong.

    `witness` is the file outside the home that it was compared with, None where there is none.
    """

    entries: int
    head: Head | None
    problems: list[str]
    witness: str | None


def append(home: Home, action: str, **facts: Unpack[Facts]) -> Entry:
    """Add an entry to the log. It is durable when this returns: call it before the result is given.

    Raises AssayError where it cannot be written; then nothing may be given out.
    """
    return append_all(home, [Said(action, facts)])[-1]


def append_all(home: Home, said: Sequence[Said]) -> list[Entry]:
    """Add entries to the log, all or none, as `append` does one."""
    witness_of(home)  # one that is none is refused before anything is written
    with _alone(home):
        last = _last(home)
        if last is None and (last := _adopted(home)):
            lost = {"field": "audit/head.json", "old_value": None, "new_value": last["id"]}
            last = _add(home, last, [Said("config_change", {"config_change": lost})])[-1]
        return _add(home, last, said)


def verify(home: Home, noted: tuple[str, ...] = ()) -> Audited:
    """Whether the log is whole: nothing changed, taken out, put in or cut off.

    Whoever can write the whole home can write another log with another head, but not one that fits
    the witness, or that has the hashes `noted` by somebody elsewhere.
    """
    with _alone(home):
        last = _last(home)
        bronze.recover(home)
        entries = read_entries(home)
        witnessed, found = testimony(home)
    kept = Head(last["producer"], last["sequence"], last["hash"]) if last else None
    found += problems(entries, kept, Witnessed(witnessed, noted), contract_of(_TABLE).lock_days)
    if entries and not kept:
        found.append("no head is kept: whether the end was cut off cannot be told")
    witness = witness_of(home)
    return Audited(len(entries), kept, found, str(witness) if witness else None)


def settle(home: Home) -> None:
    """Let bronze have all that a process said that was killed meanwhile."""
    with _alone(home):
        _last(home)
        bronze.recover(home)


def witness_head(home: Home) -> Head | None:
    """Tell the witness of the last entry, as for a log that is older than its witness."""
    with _alone(home):
        last = _last(home)
        if last is None:
            return None
        testify(home, [last])
    return Head(last["producer"], last["sequence"], last["hash"])


def _add(home: Home, last: Entry | None, said: Sequence[Said]) -> list[Entry]:
    entries = _following(last, said)
    _keep(home, entries, is_written=False)
    _write(home, entries)
    testify(home, entries)
    _keep(home, entries[-1:], is_written=True)
    return entries


def _following(last: Entry | None, said: Sequence[Said]) -> list[Entry]:
    """Entries that go on from the last one. Together they are a batch."""
    now = datetime.now(UTC)
    producer, number = (last["producer"], last["sequence"]) if last else (secrets.token_hex(8), 0)
    entries: list[Entry] = []
    for one in said:
        number += 1
        entry: Entry = {
            "id": f"{producer}-{number:08d}",
            "timestamp": max(now, last["timestamp"]) if last else now,
            "user_id": one.user_id or user(),
            "system_user": system_user(),
            "action": one.action,
            **{
                key: json.dumps(value, sort_keys=True) if isinstance(value, dict) else value
                for key, value in one.facts.items()
            },
            "producer": producer,
            "sequence": number,
            "previous_hash": last["hash"] if last else GENESIS,
            "ingested_at": now,
            "batch_id": entries[0]["id"] if entries else f"{producer}-{number:08d}",
            "source_system": one.source_system,
            "pipeline_version": PIPELINE_VERSION,
        }
        last = entry | {"hash": hashed(entry)}
        entries.append(last)
    return entries


def _write(home: Home, entries: list[Entry]) -> None:
    """Write a batch to bronze, or leave it committed in the home where bronze is out of reach."""
    batch_id = entries[0]["batch_id"]
    if bronze.is_committed(home, batch_id):
        return
    try:
        with explained(home.bronze, _AGAIN):
            bronze.write_rows(home, _TABLE, batch_id, entries)
    except AssayError:
        if not bronze.is_committed(home, batch_id):
            raise


def _last(home: Home) -> Entry | None:
    """The entry at the kept head, which is in bronze by now. None where no head is kept."""
    path = _head(home)
    if not path.exists():
        return None
    try:
        kept = json.loads(path.read_bytes())
        entries: list[Entry] = [*kept.get("before", []), kept["entry"]]
        for entry in entries:
            for name in _TIMES:
                if entry.get(name):
                    entry[name] = datetime.fromisoformat(entry[name])
    except (ValueError, LookupError, TypeError, AttributeError):
        raise AssayError(
            f"{path} is damaged. Keep a copy and take it away: the next entry goes on from the "
            "last one in bronze, and the log says so."
        ) from None
    if not kept["is_written"]:  # its process was killed
        if not bronze.read_rows(home, _TABLE, entries[0]["batch_id"], ["id"]):
            _write(home, entries)
        testify(home, entries)
        _keep(home, entries[-1:], is_written=True)
    return entries[-1]


def _keep(home: Home, entries: list[Entry], is_written: bool) -> None:
    """Keep the head; with it, until they are written, the entries that come right before it."""
    kept = {"entry": entries[-1], "before": entries[:-1], "is_written": is_written}
    aside = _head(home).with_suffix(".new")
    with explained(_head(home), _AGAIN):
        with durable_file(aside) as file:
            file.write(json.dumps(kept, default=datetime.isoformat).encode())
        durable_rename(aside, _head(home))


def _adopted(home: Home) -> Entry | None:
    """The last entry of a home whose head was lost, as when bronze was restored without it.

    On BigQuery several homes have a chain each in one table, so a home without a head is a new one.
    """
    if home.bigquery:
        return None
    bronze.recover(home)
    return max(read_entries(home), key=lambda e: (e["timestamp"], e["sequence"]), default=None)


def read_entries(home: Home) -> list[Entry]:
    """Every entry in bronze, of all chains, in no order."""
    columns = [column.name for column in contract_of(_TABLE).columns]
    # BigQuery does not take the name `hash` in a statement as it is.
    found = bronze.query(home, [_TABLE], f"select * from bronze.{_TABLE}")
    there = [name for name in columns if name in found.column_names]  # an older home lacks some
    return list(found.select(there).to_pylist())


@contextlib.contextmanager
def _alone(home: Home) -> Iterator[None]:
    """Let one process at a time read the head and go on from it."""
    folder = _head(home).parent
    with explained(folder, _AGAIN):
        folder.mkdir(exist_ok=True)
        file = (folder / "lock").open("a")
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _head(home: Home) -> Path:
    return home.path / "audit" / "head.json"
