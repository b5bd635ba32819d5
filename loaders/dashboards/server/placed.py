"""Dashboards as they will be in Metabase: one of partners is there once for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from loaders.dashboards.declared import Dashboard
from loaders.dashboards.server.connections import Connection

_PARTNER = "partner"


@dataclass(frozen=True, slots=True)
class Placed:
    """A dashboard on a connection. `slug` is its own, with that of the partner."""

    dashboard: Dashboard
    connection: Connection
    partner: str

    @property
    def slug(self) -> str:
        return self.dashboard.slug + (f"@{self.partner}" if self.partner else "")

    @property
    def path(self) -> tuple[str, ...]:
        """The collection it is in, from the outermost."""
        return tuple(part.replace("{partner}", self.partner) for part in self.dashboard.collection)

    @property
    def groups(self) -> tuple[str, ...]:
        """Who may read it: names of groups."""
        return tuple(group_of(name, self.partner) for name in self.dashboard.access)


def group_of(name: str, partner: str) -> str:
    """What a group of the files is called in Metabase."""
    return f"Assay partner {partner}" if name == _PARTNER else f"Assay {name}"


def place(dashboards: Iterable[Dashboard], there: dict[str, Connection]) -> Iterator[Placed]:
    """Each dashboard on its connections."""
    for dashboard in dashboards:
        for partner in [p for p in there if p] if dashboard.is_for_partners else [""]:
            yield Placed(dashboard, there[partner], partner)
