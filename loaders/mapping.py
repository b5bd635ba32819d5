"""Mapping files: how a file whose fields have other names fits a contract.

rename:         {source field: column, or a list of columns}
constants:      {column: value for every row}
values:         {column: {value as sent: value to land}}
types:          {column: strptime format, or epoch_s, epoch_ms, epoch_us}
timezone:       zone of times that name none (default UTC)
event_id_from:  all, or a list of source fields: the key is derived from them
rows:           source field that says how many equal rows a record stands for
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from loaders.contracts import Column, Contract
from loaders.errors import AssayError

_KEYS = {"rename", "constants", "values", "types", "timezone", "event_id_from", "rows"}


@dataclass(frozen=True, slots=True)
class Mapping:
    """A mapping, checked against its contract. The empty one changes nothing."""

    sources: dict[str, tuple[str, ...]] = field(default_factory=dict)  # column -> source fields
    constants: dict[str, str] = field(default_factory=dict)
    values: dict[str, dict[str, str | None]] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    timezone: str = "UTC"
    event_id_from: tuple[str, ...] | None = None  # () means all fields
    rows: str | None = None
    derived: str | None = None  # the column that event_id_from gives
    digest: str = ""

    def sources_of(self, column: Column) -> tuple[str, ...]:
        """Fields that may hold a column's value, the mapping's first; none where it gives one."""
        if column.name in self.constants or column.name == self.derived:
            return ()
        return tuple(dict.fromkeys((*self.sources.get(column.name, ()), *column.spellings)))

    def renamed(self) -> frozenset[str]:
        """Source fields that a column takes the place of."""
        return frozenset(name for names in self.sources.values() for name in names)


def load_mapping(path: Path | None, contract: Contract) -> Mapping:
    """Read a mapping file. Raises AssayError that names the file and the key."""
    if path is None:
        return Mapping()
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise AssayError(f"{path.name}: cannot be read as YAML ({type(error).__name__}).") from None
    if not isinstance(given, dict) or set(given) - _KEYS:
        raise AssayError(f"{path.name}: knows the keys {', '.join(sorted(_KEYS))} and no others.")

    sources: dict[str, tuple[str, ...]] = {}
    for source, targets in given.get("rename", {}).items():
        for column in targets if isinstance(targets, list) else [targets]:
            sources[column] = (*sources.get(column, ()), source)
    derived = given.get("event_id_from")
    mapping = Mapping(
        sources=sources,
        constants={column: str(value) for column, value in given.get("constants", {}).items()},
        values={
            column: {str(sent): None if w is None else str(w) for sent, w in words.items()}
            for column, words in given.get("values", {}).items()
        },
        types={column: str(kind) for column, kind in given.get("types", {}).items()},
        timezone=given.get("timezone", "UTC"),
        event_id_from=None if derived is None else () if derived == "all" else tuple(derived),
        rows=given.get("rows"),
        derived=None if derived is None else contract.key,
        digest=hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest(),
    )
    _check(path.name, mapping, contract)
    return mapping


def _check(name: str, mapping: Mapping, contract: Contract) -> None:
    columns = {column.name for column in contract.sent_columns}
    for key in ("sources", "constants", "values", "types"):
        given: dict[str, Any] = getattr(mapping, key)
        for column in sorted(set(given) - columns):
            label = "rename" if key == "sources" else key
            raise AssayError(f"{name}: {label} names {column}, which {contract.table} has not.")
    try:
        ZoneInfo(mapping.timezone)
    except (KeyError, ValueError, OSError):
        raise AssayError(f"{name}: timezone must be an IANA zone, such as Europe/Lisbon.") from None
    fields = [*mapping.renamed(), *(mapping.event_id_from or ()), *filter(None, [mapping.rows])]
    if any('"' in source or "\\" in source for source in fields):
        raise AssayError(f"{name}: a source field must not hold a quote or a backslash.")
