"""What one process has to send: memory, spool, and the two threads that empty them.

The sender takes a batch from memory or from the spool, sends it once, and either forgets it, sets
it aside or lets it wait. The keeper writes to the spool what has waited in memory for too long or
fills it, because the sender may be busy with a slow collector.
"""

from __future__ import annotations

import logging
import random
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from loaders.client.batch import Batch
from loaders.client.collector import Answer, Collector, Verdict
from loaders.client.memory import Memory
from loaders.client.numbering import KeptNumbers, Numbers
from loaders.client.spool import Place, Spool
from loaders.redaction.cutting import Cutter

# One plain value each, in which digits are no card.
PLAIN = frozenset(
    ("event_id", "timestamp", "producer", "sequence", "ip", "fp", "email", "phone", "duration")
)
_LOG = logging.getLogger("assay.client")
_IDLE = 60.0
_RECOVERY = 1.0
_MAX_RETRY_AFTER = 3600.0  # what is asked beyond it is a mistake


@dataclass(frozen=True, slots=True)
class Settings:
    """How an emitter works. Sizes are in bytes, times in seconds.

    `ssl_context` is for certificates that are not the system's, or to show one of one's own.
    """

    url: str
    token: str
    table: str = "attempts"
    producer: str = "app"
    spool_dir: Path | None = None
    max_memory: int = 16 << 20
    max_spool: int = 256 << 20
    batch_events: int = 500
    batch_bytes: int = 512 << 10
    linger: float = 0.01
    spool_after: float = 1.0
    timeout: float = 10.0
    backoff: float = 0.1
    max_backoff: float = 30.0
    ssl_context: ssl.SSLContext | None = None

    def collector(self) -> Collector:
        """The collector that they name. Raises ValueError for a url or a token of no use."""
        return Collector(self.url, self.token, self.table, self.timeout, self.ssl_context)


class Outbox:
    """The sending side of a process, at work until it is closed."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._collector = settings.collector()
        self._place, self._spool, numbers = self._open_spool()
        self.producer = numbers.producer
        self._numbers = numbers
        self.memory = Memory(numbers, settings.max_memory)
        self._held: deque[Batch] = deque()  # waiting in memory, where there is no spool for them
        # What the collector takes at once, as far as it has refused more.
        self._fitting_events, self._fitting_bytes = settings.batch_events, settings.batch_bytes
        self._failures = 0
        self._next_try = 0.0
        self._backlog_turn = True
        self._deadline: float | None = None
        self._stop = threading.Event()
        self._sending: Batch | None = None
        self._picking = threading.Lock()  # while a batch changes hands
        self._is_gone = False
        self._seen = 0
        steps = [self._send_next] if self._spool is None else [self._send_next, self._keep_old]
        self._threads = [
            threading.Thread(target=self._repeat, args=(step,), name="assay-client", daemon=True)
            for step in steps
        ]
        for thread in self._threads:
            thread.start()

    def close(self, timeout: float) -> None:
        """Send what can be sent in so many seconds, and keep the rest in the spool."""
        self._failures, self._next_try = 0, 0.0  # one more try, now
        self._deadline = time.monotonic() + timeout
        self.memory.close()
        self._stop.set()
        self.memory.waiting.set()
        self.memory.filling.set()
        for thread in self._threads:
            thread.join(max(0.0, self._deadline - time.monotonic()))
        self._keep_rest()
        if self._place is not None:
            self._place.release()

    def abandon(self) -> None:
        """Forget all of it, in a child that was forked: it is the parent's."""
        self._numbers.abandon()
        if self._place is not None:
            self._place.release()

    def stats(self) -> dict[str, int]:
        """Counters since the process began, and what waits now."""
        spool = self._spool
        return {
            **dict.fromkeys(("emitted", "sent", "duplicates", "dropped", "spooled", "retries"), 0),
            **self.memory.counted(),
            "waiting_bytes": self.memory.bytes,
            "spool_bytes": spool.bytes if spool else 0,
            "torn": spool.torn if spool else 0,
        }

    def _open_spool(self) -> tuple[Place | None, Spool | None, Numbers]:
        folder, producer = self.settings.spool_dir, self.settings.producer
        if folder is not None:
            place = None
            try:
                place = Place(folder / self.settings.table)
                place.adopt()
                spool = Spool(
                    place.path,
                    self.settings.max_spool,
                    self.settings.batch_bytes,
                    self.settings.batch_events,
                )
                return place, spool, KeptNumbers(producer, place.path)
            except OSError as error:
                if place is not None:
                    place.release()
                _LOG.warning("no spool at %s: %s; events wait in memory only", folder, error)
        return None, None, Numbers(producer)

    def _repeat(self, step: Callable[[], bool]) -> None:
        """Do a step until it says no. Nothing that goes wrong ends the thread."""
        is_on = True
        while is_on:
            try:
                is_on = step()
            except Exception:
                _LOG.exception("an error in the background; it goes on")
                is_on = not self._stop.wait(_RECOVERY)
        if step == self._send_next:
            self._collector.close()

    # The sender

    def _send_next(self) -> bool:
        """Send a batch, or wait for one. False when there is no more to do."""
        pause = self._next_try - time.monotonic()
        if self._deadline is not None:
            left = self._deadline - time.monotonic()
            if left <= 0 or (self._failures and self._spool is not None):
                return False
            time.sleep(max(0.0, min(pause, left)))
        elif pause > 0:
            self._stop.wait(pause)
            return True
        with self._picking:
            batch = self._sending = None if self._is_gone else self._pick()
        if batch is None:
            if self._stop.is_set():
                return False
            self.memory.waiting.wait(_IDLE)
            self.memory.waiting.clear()
            self._stop.wait(self.settings.linger)
            return True
        answer = self._collector.send(batch)
        with self._picking:
            if self._is_gone:  # the batch was kept in the spool meanwhile
                return False
            self._settle(batch, answer)
            self._sending = None
        return True

    def _pick(self) -> Batch | None:
        """From memory and from what waits in turn; only what waits while nothing gets through."""
        sources = [self._from_backlog, self._from_memory]
        if not (self._backlog_turn or self._failures):
            sources.reverse()
        self._backlog_turn = not self._backlog_turn
        return sources[0]() or sources[1]()

    def _from_backlog(self) -> Batch | None:
        if self._held:
            return self._held.popleft()
        return self._spool.first() if self._spool else None

    def _from_memory(self) -> Batch | None:
        lines, weight = self.memory.take(self._fitting_events, self._fitting_bytes)
        cut = self._cut(lines)
        if not cut:
            self.memory.release(weight)
            return None
        return Batch(b"".join(cut), len(cut), weight)

    def _settle(self, batch: Batch, answer: Answer) -> None:
        count = self.memory.count
        if answer.verdict is Verdict.LATER:
            self._failures += 1
            count("retries")
            count(f"retry:{answer.code}")
            self._next_try = time.monotonic() + max(
                min(answer.retry_after, _MAX_RETRY_AFTER), self._jittered()
            )
            self._wait_again(batch)
            return
        self._failures = 0
        if answer.verdict is Verdict.TOO_LARGE and batch.events > 1:
            self._split(batch)
            return
        if answer.verdict is Verdict.TAKEN:
            refused = sum(answer.refused.values())
            count("sent", batch.events - answer.duplicates - refused)
            count("duplicates", answer.duplicates)
            for code, number in answer.refused.items():
                count(f"refused:{code}", number)
        else:
            kept = self._spool is not None and self._spool.set_aside(answer.code, batch)
            count(f"rejected:{answer.code}" if kept else "dropped", batch.events)
            _LOG.warning("the collector refused %d events: %s", batch.events, answer.code)
        self._forget(batch)

    def _split(self, batch: Batch) -> None:
        """Let the halves wait in the place of a batch that is too large for the collector."""
        halves = batch.halves()
        self.memory.count("split")
        self._fitting_events = min(self._fitting_events, halves[1].events)
        self._fitting_bytes = min(self._fitting_bytes, max(len(half.body) for half in halves))
        if batch.path is None or self._spool is None:
            for half in halves:
                self._wait_again(half)
            return
        try:
            self._spool.replace(batch.path, halves)
        except OSError:
            self.memory.count("spool_errors")
            self._spool.postpone(batch.path)
            self._next_try = time.monotonic() + self.settings.max_backoff

    def _jittered(self) -> float:
        """Seconds: anything from 0 to a bound that doubles with every failure."""
        bound = self.settings.backoff * 2 ** min(self._failures, 30)
        return random.uniform(0, min(self.settings.max_backoff, bound))  # noqa: S311 - no secret

    def _wait_again(self, batch: Batch) -> None:
        if batch.path is not None and self._spool is not None:
            self._spool.postpone(batch.path)
        elif not self._kept(batch):
            self._held.append(batch)

    def _kept(self, batch: Batch) -> bool:
        """Whether a batch from memory is in the spool now."""
        try:
            if self._spool is None:
                return False
            self._spool.keep(batch)
        except OSError:
            self.memory.count("spool_errors")
            return False
        self.memory.count("spooled", batch.events)
        self.memory.release(batch.weight)
        return True

    def _forget(self, batch: Batch) -> None:
        if batch.path is not None and self._spool is not None:
            self._spool.remove(batch.path)
        self.memory.release(batch.weight)

    # The keeper

    def _keep_old(self) -> bool:
        """Wait until something is to be kept, and keep it. False when the outbox closes."""
        self.memory.filling.wait(self.settings.spool_after)
        is_full = self.memory.filling.is_set()
        self.memory.filling.clear()
        # What was there a turn ago and still is has waited long enough.
        old = len(self.memory) if is_full else self._seen - self.memory.taken
        self._seen = self.memory.added
        while old > 0 and not self._stop.is_set():
            kept = self._keep(min(old, self.settings.batch_events))
            if kept == 0:
                self._stop.wait(self.settings.spool_after)
                break
            old -= kept
            self.memory.waiting.set()
        return not self._stop.is_set()

    def _keep(self, events: int) -> int:
        """Move so many events at most from memory to the spool. How many were moved."""
        if self._spool is None:
            return 0
        lines, weight = self.memory.take(events, self.settings.batch_bytes)
        if not lines:
            return 0
        cut = self._cut(lines)
        try:
            self._spool.append(cut)
        except OSError:
            self.memory.put_back(lines)
            self.memory.count("spool_errors")
            return 0
        self.memory.count("spooled", len(cut))
        self.memory.release(weight)
        return len(lines)

    def _keep_rest(self) -> None:
        """When time is up: what is still in memory goes to the spool, or is lost and counted."""
        with self._picking:
            self._is_gone = True
            last = self._sending
        # The answer to the last is still to come. Under the same key it does no harm to resend it.
        left = [*self._held, *([last] if last is not None and last.path is None else [])]
        while self._keep(self.settings.batch_events):
            pass
        lost = sum(batch.events for batch in left if not self._kept(batch))
        self.memory.count("dropped", lost + len(self.memory))

    def _cut(self, lines: list[bytes]) -> list[bytes]:
        """The lines without secrets. What cannot be read through is left out, and counted."""
        out = []
        for line in lines:
            try:
                out.append(Cutter().record(line.decode("ascii"), PLAIN).encode())
            except Exception:
                self.memory.count("unfit:payload_malformed")
        return out
