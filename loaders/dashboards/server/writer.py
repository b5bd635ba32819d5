"""Who writes to a Metabase, or would: a plan goes the way of an application, and writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from loaders.dashboards.server.client import Client
from loaders.dashboards.server.state import Thing


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is not as the files say, and in what."""

    action: str  # create, update, archive
    kind: str
    slug: str
    differs: tuple[str, ...] = ()
    by_hand: bool = False

    def __str__(self) -> str:
        signs = {"create": "+", "update": "~", "archive": "-"}
        differs = f": {', '.join(self.differs)}" if self.differs else ""
        hand = " (changed by hand in Metabase)" if self.by_hand else ""
        return f"{signs[self.action]} {self.kind} {self.slug}{differs}{hand}"


class Writer:
    """Notes changes, and what should be known; makes them, unless it is dry.

    There is no client where there is nothing to read yet: a Metabase that nobody has set up.
    """

    def __init__(
        self,
        client: Client | None,
        is_dry: bool = True,
        told: Callable[[Change], None] = lambda _: None,
    ) -> None:
        self.client = client
        self.is_dry = is_dry
        self.changes: list[Change] = []
        self.notes: list[str] = []
        self._told = told
        self._next = 0

    def write(self, change: Change, method: str, path: str, body: dict[str, Any]) -> Thing:
        """Make a change. Gives the thing as it is then, where it is dry with an id of nothing.

        A change that takes several requests is noted once.
        """
        if self.is_dry or self.client is None:
            self._next -= 1
            thing = {"id": self._next, **body}
        else:
            thing = dict(self.client.send(method, path, body) or {})
        if change not in self.changes[-1:]:
            self.changes.append(change)
            self._told(change)
        return thing


@dataclass
class Ids:
    """Numbers that Metabase gave to what the files name."""

    groups: dict[str, int] = field(default_factory=dict)
    databases: dict[str, int] = field(default_factory=dict)
    collections: dict[str, int] = field(default_factory=dict)
    cards: dict[str, int] = field(default_factory=dict)
    dashcards: dict[str, dict[int, int]] = field(default_factory=dict)  # by dashboard and card
    dashboards: dict[str, int] = field(default_factory=dict)


def differences(meant: dict[str, Any], there: dict[str, Any]) -> tuple[str, ...]:
    """The keys of which what is there is not what is meant; Metabase may add to what we wrote."""
    return tuple(key for key, value in meant.items() if not _holds(there.get(key), value))


def _holds(there: Any, meant: Any) -> bool:
    if isinstance(meant, dict):
        return isinstance(there, dict) and all(_holds(there.get(k), v) for k, v in meant.items())
    if isinstance(meant, list):
        same = isinstance(there, list) and len(there) == len(meant)
        return same and all(_holds(a, b) for a, b in zip(there, meant, strict=True))
    return bool(there == meant)
