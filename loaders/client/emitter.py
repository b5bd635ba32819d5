"""Report events to the collector and forget about them: `Emitter(url, token).emit(event)`."""

from __future__ import annotations

import atexit
import json
import os
import threading
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from loaders.client.ids import uuid7
from loaders.client.outbox import Outbox, Settings

# No record that is larger lands.
MAX_EVENT_BYTES = 1 << 20
_EXIT_SECONDS = 2.0
_PATIENCE = 1.0  # for another thread to start the outbox
_OURS = ("producer", "sequence")


class Emitter:
    """Sends events in the background, each numbered, so that none is missed unnoticed.

    `spool_dir` is a folder of this host for events that wait; several processes may share it, and
    without it events wait in memory only. The other settings are those of `Settings`, sizes in
    bytes and times in seconds. Raises ValueError for a url or a token that cannot be one.
    """

    def __init__(
        self,
        url: str,
        token: str,
        table: str = "attempts",
        *,
        producer: str = "app",
        spool_dir: str | os.PathLike[str] | None = None,
        **settings: Any,
    ) -> None:
        folder = Path(spool_dir) if spool_dir is not None else None
        self._settings = Settings(url, token, table, producer, folder, **settings)
        self._settings.collector()  # says what is wrong with them
        self._outbox: Outbox | None = None
        self._starting = threading.Lock()
        self._is_closed = False
        self._failed = 0
        _EMITTERS.add(self)
        self.start()

    def emit(self, event: dict[str, Any]) -> None:
        """Queue an event. Returns at once and never raises, whatever becomes of the event.

        What cannot be sent is counted (`stats`) and its number left out, so that the books show a
        gap. `producer` and `sequence` are set here; `event_id` is kept where there is one.
        """
        try:
            self._add(*_as_json(event))
        except Exception:
            self._failed += 1

    def miss(self, code: str) -> None:
        """Count an event that could not be made, and leave its number out. Never raises."""
        try:
            self._add(None, code)
        except Exception:
            self._failed += 1

    def start(self) -> Outbox:
        """Open the spool and start the threads of this process, if that was not done yet.

        `emit` does it as well: in a forked process the first call takes some milliseconds longer,
        unless the server's hook for new workers has called this.
        """
        if not self._starting.acquire(timeout=_PATIENCE):
            raise TimeoutError("the emitter is being started")
        try:
            if self._outbox is None:
                self._outbox = Outbox(self._settings)
            return self._outbox
        finally:
            self._starting.release()

    def close(self, timeout: float = 5.0) -> None:
        """Send for so many seconds at most; what is left then is kept in the spool.

        Later events are dropped. The end of the process does the same within two seconds.
        """
        outbox = self._outbox
        if outbox is not None and not self._is_closed:
            self._is_closed = True
            outbox.close(timeout)
            _EMITTERS.discard(self)

    def stats(self) -> dict[str, int]:
        """Counters of this process, and what waits; see docs/client.md."""
        return {**(self._outbox.stats() if self._outbox else {}), "failed": self._failed}

    @property
    def producer(self) -> str:
        """Who numbers the events of this process."""
        return self.start().producer

    def _add(self, text: str | None, code: str) -> None:
        outbox = self._outbox or self.start()
        outbox.memory.add(text, code)

    def _forked(self) -> None:
        """In a child: what waits is the parent's to send, and so are its numbers."""
        parents, self._outbox = self._outbox, None
        self._starting = threading.Lock()  # another thread may have held it
        self._failed = 0
        if parents is not None:
            parents.abandon()


def _as_json(event: object) -> tuple[str | None, str]:
    """The event as a JSON object, or None and the code of what is wrong with it."""
    if not isinstance(event, dict):
        return None, "envelope_violation"
    try:
        fields = {key: value for key, value in event.items() if key not in _OURS}
        if not fields.get("event_id"):
            fields["event_id"] = uuid7()
        text = json.dumps(fields, default=_plain, allow_nan=False, separators=(",", ":"))
    except Exception:
        return None, "payload_malformed"
    return (text, "") if len(text) <= MAX_EVENT_BYTES else (None, "size_violation")


def _plain(value: object) -> str:
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, (UUID, Decimal)):
        return str(value)
    raise TypeError


_EMITTERS: set[Emitter] = set()  # that are open


def _after_fork() -> None:
    for emitter in list(_EMITTERS):
        emitter._forked()


def _at_exit() -> None:
    for emitter in list(_EMITTERS):
        emitter.close(_EXIT_SECONDS)


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
