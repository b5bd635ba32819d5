"""What waits in a spool, looked at from outside of the collector. Needs none of its libraries."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from loaders.collector import store


@dataclass(frozen=True, slots=True)
class Backlog:
    """Records that were answered and have not landed. `oldest` is ISO 8601, None without any."""

    records: int
    bytes: int
    oldest: str | None
    damaged: int  # records that failed their checksum, ever
    damaged_spools: int  # files moved aside that are not read again yet


def read_backlog(root: Path) -> Backlog | None:
    """The backlog of a home's spool; None where there is no spool.

    Raises sqlite3.Error where it cannot be read.
    """
    live = store.live_folders(root)
    aside = len(list(root.glob("*.damaged")))
    if not live or not (live[0] / store.NAME).exists():
        return Backlog(0, 0, None, 0, aside) if aside else None
    connection = store.connect_to_look(live[0] / store.NAME)
    try:
        waiting = store.backlog(connection).values()
        damaged = connection.execute("select count(*) from damaged").fetchone()[0]
        records, size = sum(records for records, _ in waiting), sum(size for _, size in waiting)
        return Backlog(records, size, store.oldest(connection), damaged, aside)
    finally:
        connection.close()
