"""What was answered, so that a request sent again gets the same reply; and how much was used."""

from __future__ import annotations

import json
import sqlite3
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from loaders.collector.frames import Origin

KEPT_SECONDS = 48 * 3600
KEPT_REPLIES = 200_000  # of a KiB at most; one that is longer counts for several
_PRUNED_AT_ONCE = 100


class Refusal(Exception):
    """What one submission is told while the others of its commit are stored."""


class KeyReusedError(Refusal):
    """The idempotency key was used for another body."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The body of a 202. `rejected` has one object per refused event: index, code, pointer."""

    accepted: int
    duplicates: int
    rejected: list[dict[str, Any]]
    trace_id: str

    def as_dict(self) -> dict[str, Any]:
        return {
            "accepted": self.accepted,
            "duplicates": self.duplicates,
            "rejected": self.rejected,
            "trace_id": self.trace_id,
        }


@dataclass(slots=True)
class Replies:
    """The table `replies`, bounded in age and number. All of it inside of a transaction."""

    kept: int = 0

    def load(self, connection: sqlite3.Connection) -> None:
        self.kept = connection.execute(
            "select coalesce(sum(1 + length(reply) / 1024), 0) from replies"
        ).fetchone()[0]

    def find(
        self, connection: sqlite3.Connection, origin: Origin, body_digest: bytes
    ) -> Reply | None:
        """What the same request was told before. Raises KeyReusedError for another body."""
        if origin.idempotency_key is None:
            return None
        row = connection.execute(
            "select body, reply from replies "
            "where token = ? and table_name = ? and idempotency_key = ? and answered_at > ?",
            [*_key(origin), time.time() - KEPT_SECONDS],
        ).fetchone()
        if row is None:
            return None
        if row[0] != body_digest:
            raise KeyReusedError
        return Reply(**json.loads(row[1]))

    def keep(
        self, connection: sqlite3.Connection, origin: Origin, body_digest: bytes, reply: Reply
    ) -> None:
        if origin.idempotency_key is None:
            return
        said = json.dumps(reply.as_dict(), separators=(",", ":"))
        connection.execute(
            "insert or replace into replies values (?, ?, ?, ?, ?, ?)",
            [*_key(origin), body_digest, said, time.time()],
        )
        self.kept += _weight(len(said))

    def prune(self, connection: sqlite3.Connection) -> None:
        """Forget some of what is too old, or too much."""
        is_too_old = time.time() - KEPT_SECONDS
        row = connection.execute("select min(answered_at) from replies").fetchone()
        if row[0] is None or (row[0] > is_too_old and self.kept <= KEPT_REPLIES):
            return
        condition = "" if self.kept > KEPT_REPLIES else f"where answered_at < {is_too_old}"
        gone = connection.execute(
            "delete from replies where rowid in (select rowid from replies "
            f"{condition} order by answered_at limit {_PRUNED_AT_ONCE}) returning length(reply)"
        )
        self.kept -= sum(_weight(length) for (length,) in gone.fetchall())


@dataclass(slots=True)
class Usage:
    """Events of each token today, in UTC."""

    today: dict[tuple[str, str], int] = field(default_factory=dict)

    def load(self, connection: sqlite3.Connection) -> None:
        rows = connection.execute("select token, day, events from usage where day >= ?", [day()])
        self.today = {(token, of_day): events for token, of_day, events in rows.fetchall()}

    def of(self, token: str) -> int:
        return self.today.get((token, day()), 0)

    def add(self, connection: sqlite3.Connection, origin: Origin, events: int) -> None:
        key = (origin.token, day())
        self.today[key] = self.today.get(key, 0) + events
        connection.execute(
            "insert into usage values (?, ?, ?) "
            "on conflict do update set events = events + excluded.events",
            [*key, events],
        )


def _weight(length: int) -> int:
    return 1 + length // 1024


def day() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d}"


def _key(origin: Origin) -> list[str | None]:
    return [origin.token, origin.table, origin.idempotency_key]
