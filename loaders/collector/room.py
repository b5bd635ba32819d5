"""How much waits, in the queue of the spool's writer and in its file, and whether more may."""

from __future__ import annotations

import threading
from collections import Counter

from loaders.collector.fairness import fits

_QUEUE_BYTES = 64 << 20


class Room:
    """Bytes of each source. What is queued is known only about."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._queued: Counter[str] = Counter()
        self._stored: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.records = self.bytes = 0  # that are stored

    @property
    def is_full(self) -> bool:
        """Whether hardly anything fits any more."""
        return self.bytes * 16 >= self._max_bytes * 15

    def queue(self, source: str, size: int) -> bool:
        """Make room in the queue; False where there is none that leaves others their share."""
        with self._lock:
            queued, in_queue = self._queued[source], self._queued.total()
            free = self._max_bytes - self.bytes - in_queue
            if self._stored.keys() | self._queued.keys() <= {source}:
                has_room = size <= min(free, _QUEUE_BYTES - in_queue)
            else:
                stored = self._stored[source] + queued
                has_room = fits(queued, size, _QUEUE_BYTES - in_queue) and fits(stored, size, free)
            if has_room:
                self._queued[source] += size
        return has_room

    def unqueue(self, source: str, size: int) -> None:
        """What was queued is stored now, or refused."""
        with self._lock:
            self._queued[source] -= size

    def store(self, source: str, records: int, size: int) -> None:
        """So much more is in the file; less, where it is negative."""
        with self._lock:
            self.records += records
            self.bytes += size
            self._stored[source] += size

    def learn(self, stored: dict[str, tuple[int, int]]) -> None:
        """What is in the file: records and bytes of every source that ever sent."""
        with self._lock:
            self._stored = Counter({source: size for source, (_, size) in stored.items()})
            self.records = sum(records for records, _ in stored.values())
            self.bytes = self._stored.total()
