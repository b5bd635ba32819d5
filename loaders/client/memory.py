"""Events in memory: numbered and queued in one step, never more than so many bytes."""

from __future__ import annotations

import json
import threading
from collections import Counter, deque

from loaders.client.numbering import Numbers

# What a line costs beside its bytes.
_OVERHEAD = 64
# The lock is held for microseconds. Who does not get it in this time was interrupted while holding
# it, by a signal or by the collection of garbage, and would wait for itself.
_PATIENCE = 0.05


class Memory:
    """A queue of JSON lines. Those that were taken weigh on it until they are released."""

    def __init__(self, numbers: Numbers, max_bytes: int) -> None:
        self._numbers, self._max_bytes = numbers, max_bytes
        self._prefix = f'{{"producer":{json.dumps(numbers.producer)},"sequence":'
        self._lines: deque[bytes] = deque()
        self._lock = threading.Lock()
        self._closed = False
        self.bytes = 0
        self.added = self.taken = 0
        self.counts: Counter[str] = Counter()  # change it by `count`, read it by `counted`
        self.filling = threading.Event()  # half full: time for the spool
        self.waiting = threading.Event()  # something to send

    def add(self, text: str | None, code: str = "") -> None:
        """Number an event, a JSON object as text with at least one field, and queue it.

        What cannot be queued has used up its number, so that it is missed: an event that is None
        for a reason of its own (`code`), and one for which there is no room.
        """
        if not self._lock.acquire(timeout=_PATIENCE):
            self.counts.update(("emitted", "dropped"))
            return
        try:
            self.counts["emitted"] += 1
            if self._closed:
                self.counts["dropped"] += 1
                return
            number = self._numbers.take()
            if text is None:
                self.counts[f"unfit:{code}"] += 1
                return
            line = f"{self._prefix}{number},{text[1:]}\n".encode("ascii")
            weight = len(line) + _OVERHEAD
            if self.bytes + weight > self._max_bytes:
                self.counts["dropped"] += 1
                return
            self.bytes += weight
            self.added += 1
            self._lines.append(line)
            if self.bytes * 2 > self._max_bytes and not self.filling.is_set():
                self.filling.set()
            if not self.waiting.is_set():
                self.waiting.set()
        finally:
            self._lock.release()

    def take(self, max_events: int, max_bytes: int) -> tuple[list[bytes], int]:
        """The oldest lines, at least one if there is any, and what they weigh."""
        with self._lock:
            lines: list[bytes] = []
            size = 0
            while self._lines and len(lines) < max_events:
                if lines and size + len(self._lines[0]) > max_bytes:
                    break
                size += len(self._lines[0])
                lines.append(self._lines.popleft())
            self.taken += len(lines)
            return lines, size + _OVERHEAD * len(lines)

    def put_back(self, lines: list[bytes]) -> None:
        """What was taken last is first again."""
        with self._lock:
            self._lines.extendleft(reversed(lines))
            self.taken -= len(lines)

    def release(self, weight: int) -> None:
        """What was taken is elsewhere now."""
        with self._lock:
            self.bytes -= weight

    def count(self, name: str, number: int = 1) -> None:
        """Count so many more."""
        with self._lock:
            self.counts[name] += number

    def counted(self) -> dict[str, int]:
        """The counters as they are now."""
        with self._lock:
            return dict(self.counts)

    def __len__(self) -> int:
        return len(self._lines)

    def close(self) -> None:
        """Take nothing more, and keep the numbers."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._numbers.close()
