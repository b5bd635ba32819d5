"""What a change of a contract means for the files that are there, and whether it may be made.

A change is compatible where files written under the old contract still read the same under the new
one, and whoever sent what was accepted may go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from loaders.contracts import WIDENINGS
from loaders.contracts.checks import PRIVACY_CLASSES

Node = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference from what was accepted. `instead` says what to do where it is incompatible."""

    place: str
    what: str
    instead: str | None = None

    @property
    def is_compatible(self) -> bool:
        return self.instead is None

    def __str__(self) -> str:
        verdict = "compatible" if self.instead is None else f"INCOMPATIBLE: {self.instead}"
        return f"{self.place}: {self.what}. {verdict}"


def compare(old: Node, new: Node) -> Iterator[Change]:
    """The changes from one description of the contracts to another."""
    for table in old["tables"].keys() - new["tables"].keys():
        yield Change(table, "the table is gone", "keep its contract: its files are still there")
    for table, after in new["tables"].items():
        before = old["tables"].get(table)
        if before is None:
            yield Change(table, "a new table")
        else:
            yield from _of_table(table, before, after)
    for name, after in new["vocabularies"].items():
        gone = sorted(set(old["vocabularies"].get(name, [])) - set(after))
        if gone:
            yield Change(
                f"vocabulary {name}",
                f"no longer holds {', '.join(gone)}",
                "keep them: files hold these words, and senders these spellings",
            )
        elif after != old["vocabularies"].get(name, after):
            yield Change(f"vocabulary {name}", "has more words or spellings")


def _of_table(table: str, old: Node, new: Node) -> Iterator[Change]:
    version = f"make a new table, {table}_v2, and let both land until all send to it"
    for key in ("key", "event_time", "partition_by", "subject", "overflow", "payload"):
        if old.get(key) != new.get(key):
            is_more = key == "overflow" and key not in old
            yield Change(table, f"another {key}", None if is_more else version)
    for key in ("cluster_by", "silver", "duplicates", "explains", "reference"):
        if old.get(key) != new.get(key):
            yield Change(table, f"another {key}")
    if old["retention_days"] != new["retention_days"]:
        is_longer = new["retention_days"] > old["retention_days"]
        yield Change(
            table,
            f"kept {new['retention_days']} days, no longer {old['retention_days']}",
            None if is_longer else "keep it: rows that readers count on would be deleted",
        )
    if old.get("lock_days") != new.get("lock_days"):
        is_longer = new.get("lock_days", 0) > old.get("lock_days", 0)
        yield Change(
            table,
            f"locked {new.get('lock_days', 0)} days, no longer {old.get('lock_days', 0)}",
            None if is_longer else "keep the lock: it was promised for rows that are there",
        )
    kept = [name for name in old["columns"] if name in new["columns"]]
    if kept != [name for name in new["columns"] if name in old["columns"]]:
        yield Change(table, "columns in another order", "keep the order: files are checked for it")
    for name, column in new["columns"].items():
        before = old["columns"].get(name)
        place = f"{table}.{name}"
        yield from (
            _new_column(place, column) if before is None else _of_column(place, before, column)
        )
    for name in (name for name in old["columns"] if name not in new["columns"]):
        yield Change(
            f"{table}.{name}",
            "the column is gone",
            "keep it with retired: true; where it has a new name, keep the old one and make the "
            "new one an alias",
        )


def _new_column(place: str, column: Node) -> Iterator[Change]:
    instead = None
    if column.get("required") or column.get("required_unless"):
        instead = "make it optional: older files and today's senders do not have it"
    elif column["privacy"] == "never":
        instead = "rows that have it would now be refused; make a new table, and move senders there"
    elif "since" not in column:
        instead = "say since: the version of Assay that first writes it, so that older files pass"
    yield Change(place, "a new column", instead)


def _of_column(place: str, old: Node, new: Node) -> Iterator[Change]:
    for key in dict.fromkeys((*old, *new)):
        before, after = old.get(key), new.get(key)
        if before != after:
            yield Change(place, said(key, after), RULES[key](before, after))


def said(key: str, value: Any) -> str:
    """What a key says now."""
    if value is None:
        return f"{key} is no longer set"
    return f"{key} is now {', '.join(value) if isinstance(value, list) else str(value).lower()}"


def _retyped(old: str, new: str) -> str | None:
    if (old, new) in WIDENINGS:
        return None
    return "add a column of the new type, and retire this one"


def _reclassified(old: str, new: str) -> str | None:
    if new == "never":
        return "retire the column: files hold it, and senders who go on would be refused"
    if PRIVACY_CLASSES.index(new) > PRIVACY_CLASSES.index(old):
        return "keep the class; for a value that says less, add a column"
    return None


def _fewer(old: list[str] | None, new: list[str] | None) -> str | None:
    if new is None or (old is not None and set(old) <= set(new)):
        return None
    return "keep what was accepted: files hold it, and senders send it"


def _aliased(old: list[str] | None, new: list[str] | None) -> str | None:
    if set(old or ()) <= set(new or ()):
        return None
    return "keep the alias: senders use it"


def _unless(is_fine: Callable[[Any, Any], bool], instead: str) -> Callable[[Any, Any], str | None]:
    return lambda old, new: None if is_fine(old, new) else instead


_NARROWED = "keep the wider range, and let silver judge: files hold such values"

_OPTIONAL = _unless(lambda _, new: not new, "keep it optional, and let silver demand it")

# Of every key of a column: what to do instead, or None where the change is compatible.
RULES: dict[str, Callable[[Any, Any], str | None]] = {
    "data_type": _retyped,
    "privacy": _reclassified,
    "required": _OPTIONAL,
    "required_unless": _OPTIONAL,
    "vocabulary": lambda _old, _new: "add a column with the other vocabulary, and retire this one",
    "unknown": _unless(lambda old, _: old is None, "keep the word: files hold it"),
    "accepted": _fewer,
    "min": _unless(lambda old, new: new is None or (old is not None and new < old), _NARROWED),
    "max": _unless(lambda old, new: new is None or (old is not None and new > old), _NARROWED),
    "structured": _unless(lambda _, new: bool(new), "keep it: senders send objects"),
    "json": _unless(lambda _, new: new is None, "keep it as it is, and let silver demand it"),
    "aliases": _aliased,
    "set_by": lambda _old, _new: "add a column: who sets it is part of what it means",
    "since": lambda _old, _new: "keep the version: files are checked by it",
    "retired": _unless(lambda _, new: bool(new), "add a column: rows since then do not have it"),
}
