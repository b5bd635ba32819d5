"""The contracts and the event registry as they were last accepted.

`models/bronze/contracts.lock.json` holds them; nobody edits it, `assay contracts accept` writes it.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, asdict, fields
from pathlib import Path

from loaders.contracts import CONTRACTS, Column, Contract, changes, event_changes, load_contracts
from loaders.contracts.changes import Change, Node
from loaders.contracts.events import EventType, load_events
from loaders.contracts.vocabulary import read_vocabulary
from loaders.durable import durable_file, durable_rename
from loaders.errors import AssayError

LOCK = "contracts.lock.json"


def pending(folder: Path = CONTRACTS) -> list[Change]:
    """Every difference between the contracts, or the registry, and what was last accepted."""
    old, new = _accepted(folder), described(folder)
    of_events = event_changes.compare(old.get("events", {}), new["events"])
    return [*changes.compare(old, new), *of_events]


def accept(folder: Path = CONTRACTS) -> list[Change]:
    """Record contracts and registry as they are. Raises AssayError if a change is incompatible."""
    found = pending(folder)
    refused = [change for change in found if not change.is_compatible]
    if refused:
        raise AssayError(
            f"Not accepted: {len(refused)} incompatible changes. Run: assay contracts check"
        )
    aside = folder / f"{LOCK}.new"
    with durable_file(aside) as file:
        file.write((json.dumps(described(folder), indent=1, sort_keys=False) + "\n").encode())
    durable_rename(aside, folder / LOCK)
    return found


def described(folder: Path = CONTRACTS) -> Node:
    """Contracts, words of their vocabularies and registry, without descriptions and defaults."""
    contracts = load_contracts(folder)
    used = {c.vocabulary for contract in contracts.values() for c in contract.columns}
    words = {
        name: sorted(f"{spelling} = {word}" for spelling, word in spellings.items())
        for name, spellings in sorted(read_vocabulary().items())
        if name in used
    }
    registry = load_events(folder / "events")
    return {
        "tables": {name: _table(contract) for name, contract in sorted(contracts.items())},
        "vocabularies": words,
        "events": {
            event_type: {str(major): _event(event) for major, event in majors.items()}
            for event_type, majors in registry.types.items()
        },
    }


def _table(contract: Contract) -> Node:
    node = _set_keys(contract)
    del node["table"], node["columns"]
    return {**node, "columns": _columns(contract.columns)}


def _event(event: EventType) -> Node:
    version = ".".join(map(str, event.version))
    return {"domain": event.domain, "version": version, "fields": _columns(event.fields)}


def _columns(columns: tuple[Column, ...]) -> Node:
    nodes = {column.name: _set_keys(column) for column in columns}
    for node in nodes.values():
        del node["name"]
    return nodes


def _set_keys(thing: Column | Contract) -> Node:
    """What differs from the default, as JSON has it, without the description."""
    values = asdict(thing)
    return {
        f.name: list(values[f.name]) if isinstance(values[f.name], tuple) else values[f.name]
        for f in fields(thing)
        if f.name != "description" and (f.default is MISSING or values[f.name] != f.default)
    }


def _accepted(folder: Path) -> Node:
    path = folder / LOCK
    if not path.exists():
        return {"tables": {}, "vocabularies": {}, "events": {}}
    try:
        node: Node = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise AssayError(
            f"{LOCK} is not valid JSON. Take it from the last commit, and accept again."
        ) from None
    return node
