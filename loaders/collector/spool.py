"""The spool: what was received and has not landed yet, durable before it is answered.

One thread writes. Whoever submits waits for the commit that holds his records; those who wait at
the same time share one. Where the disk fails, nobody in that commit is answered, the file is closed
and opened anew: what may be half written is never written over as if it were whole.
"""

from __future__ import annotations

import contextlib
import queue
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from loaders.collector import store
from loaders.collector.frames import Event, Origin, encode
from loaders.collector.replies import Refusal, Replies, Reply, Usage
from loaders.collector.room import Room
from loaders.collector.store import DamagedError, Range, Stream

Answer = TypeVar("Answer")

MAX_BYTES = 8 << 30
_GROUP_SECONDS, _GROUP_BYTES = 0.005, 8 << 20
_REOPEN_SECONDS = 0.5
_KNOWN_EVENTS = 250_000  # some 130 bytes each
_DELETED_AT_ONCE = 2_000


class UnavailableError(Exception):
    """The spool cannot make anything durable just now. Nothing of the request was stored."""


class SpoolFullError(UnavailableError):
    """There is no more room until something was drained."""


@dataclass(slots=True)
class Submission:
    """Events of one request, with what tells the request from another of the same key."""

    origin: Origin
    events: list[Event]
    body_digest: bytes
    reply: Reply  # what is said if no event is known yet

    @property
    def size(self) -> int:
        return sum(len(event.raw or b"") + 300 for event in self.events)


@dataclass(slots=True)
class _Work:
    """Something for the writer to do within a commit."""

    act: Callable[[sqlite3.Connection], Any]
    done: Future[Any]
    source: str
    size: int


class Spool:
    """Use as a context: it writes from then on, and closes when all that was submitted is done."""

    def __init__(self, root: Path, max_bytes: int = MAX_BYTES) -> None:
        self.root, self.max_bytes = root, max_bytes
        self.arrived = threading.Event()  # something may be there to drain
        self.problem: str | None = "not opened yet"
        self._room = Room(max_bytes)
        self.usage = Usage()
        self.damaged_folders: list[Path] = []
        self._replies = Replies()
        self._folder = root
        self._connection: sqlite3.Connection | None = None
        self._streams: dict[tuple[str, str], Stream] = {}
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._queue: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._reopen_at = 0.0
        self._has_failed = False
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)

    def __enter__(self) -> Spool:
        self._thread.start()
        self.do(lambda _: None).exception()  # open, or know why not
        return self

    def __exit__(self, *_: object) -> None:
        self._queue.put(None)
        self._thread.join()

    @property
    def folder(self) -> Path:
        """Where the file in use is; its name is the spool's id."""
        return self._folder

    @property
    def spool_id(self) -> str:
        return self._folder.name

    @property
    def records(self) -> int:
        """How many records wait."""
        return self._room.records

    @property
    def bytes(self) -> int:
        """How much waits."""
        return self._room.bytes

    @property
    def is_full(self) -> bool:
        """Whether hardly anything fits any more."""
        return self._room.is_full

    def submit(self, submission: Submission) -> Future[Reply]:
        """Store events. The future has the reply once they are durable.

        It raises KeyReusedError where the key came with another body, and UnavailableError; so does
        this call where there is no room.
        """
        source, size = submission.origin.source, submission.size
        if not self._room.queue(source, size):
            raise SpoolFullError
        return self._put(partial(self._store, given=submission), source, size)

    def do(self, act: Callable[[sqlite3.Connection], Answer]) -> Future[Answer]:
        """Let the writer do something within a commit. Raises, in the future, UnavailableError."""
        return self._put(act)

    def condemn(self) -> None:
        """Give the file up: whoever found it damaged calls this."""

        def damaged(_: sqlite3.Connection) -> None:
            raise DamagedError

        self.do(damaged).exception()

    def waiting(self) -> list[Stream]:
        """Streams that have something to drain."""
        return [s for s in list(self._streams.values()) if s.next_number - 1 > s.drained_to]

    def seal(self, stream: Stream) -> tuple[Range, bool]:
        """The next range of a stream, durable before it is given, and whether it is an old one."""
        return self.do(partial(store.seal, stream=stream)).result()

    def drained(self, given: Range, damaged: list[int]) -> None:
        """Note that a range has landed, and forget its records. Repeats are harmless."""
        for first in range(given.first, given.last + 1, _DELETED_AT_ONCE):
            last = min(first + _DELETED_AT_ONCE - 1, given.last)
            keys = [store.key_of(given.stream, number) for number in (first, last)]
            self.do(partial(self._delete, source=given.source, keys=keys)).result()
        self.do(partial(self._drained, given=given, damaged=damaged)).result()

    def _put(
        self, act: Callable[[sqlite3.Connection], Any], source: str = "", size: int = 0
    ) -> Future[Any]:
        work = _Work(act, Future(), source, size)
        self._queue.put(work)
        return work.done

    def _run(self) -> None:
        while True:
            group, is_last = self._next_group()
            try:
                connection = self._opened()
            except UnavailableError as error:
                _fail(group, error)
            else:
                self._commit(connection, group)
            for work in group:
                if work.size:
                    self._room.unqueue(work.source, work.size)
            if is_last:
                break
        if self._connection is not None:
            self._connection.close()

    def _next_group(self) -> tuple[list[_Work], bool]:
        """What is there, or comes within moments. Also whether nothing comes any more."""
        try:  # without a file, look every now and then whether there is one again
            work = self._queue.get(timeout=None if self._connection else _REOPEN_SECONDS)
        except queue.Empty:
            return [], False
        group: list[_Work] = []
        size, until = 0, time.monotonic() + _GROUP_SECONDS
        while work is not None:
            if work.done.set_running_or_notify_cancel():
                group.append(work)
            size += work.size
            if size > _GROUP_BYTES or time.monotonic() > until:
                return group, False
            try:
                work = self._queue.get_nowait()
            except queue.Empty:
                return group, False
        return group, True

    def _opened(self) -> sqlite3.Connection:
        if self._connection is not None:
            return self._connection
        if time.monotonic() < self._reopen_at:
            raise UnavailableError(self.problem)
        try:
            connection = self._open()
            self._learn(connection)
        except (sqlite3.Error, OSError, DamagedError) as error:
            self.problem = type(error).__name__
            self._reopen_at = time.monotonic() + _REOPEN_SECONDS
            raise UnavailableError(self.problem) from None
        self._connection, self.problem = connection, None
        self.arrived.set()
        return connection

    def _open(self) -> sqlite3.Connection:
        self._folder = store.live_folder(self.root)
        try:
            return store.open_store(self._folder, self._has_failed)
        except DamagedError:
            store.move_aside(self._folder)
            self._folder = store.live_folder(self.root)
            return store.open_store(self._folder)

    def _learn(self, connection: sqlite3.Connection) -> None:
        """What the file says, anew: what was known may never have become durable."""
        self._streams = {(s.table, s.source): s for s in store.streams(connection)}
        self._room.learn(store.backlog(connection))
        self.usage.load(connection)
        self._replies.load(connection)
        self._known.clear()
        self.damaged_folders = sorted(self.root.glob("*.damaged"))

    def _commit(self, connection: sqlite3.Connection, group: list[_Work]) -> None:
        answers: list[tuple[Future[Any], Any, Exception | None]] = []
        try:
            connection.execute("begin immediate")
            for work in group:
                try:
                    answers.append((work.done, work.act(connection), None))
                except Refusal as error:
                    answers.append((work.done, None, error))
            self._replies.prune(connection)
            connection.execute("commit")
        except (sqlite3.Error, OSError, DamagedError) as error:
            self._give_up(connection, error)
            _fail(group, UnavailableError(type(error).__name__))
            return
        except Exception as error:  # a fault of ours must not end the only writer
            self._give_up(connection, error)
            _fail(group, error)
            return
        for done, answer, refusal in answers:
            if refusal:
                done.set_exception(refusal)
            else:
                done.set_result(answer)
        self.arrived.set()

    def _give_up(self, connection: sqlite3.Connection, error: Exception) -> None:
        """Nothing of the commit counts. The next to write opens the file anew."""
        self.problem, self._connection, self._has_failed = type(error).__name__, None, True
        self._streams = {}  # some of it was of this commit
        with contextlib.suppress(sqlite3.Error):
            connection.execute("rollback")
        with contextlib.suppress(sqlite3.Error):
            connection.close()
        if isinstance(error, DamagedError) or (
            isinstance(error, sqlite3.Error) and store.is_damage(error)
        ):
            with contextlib.suppress(OSError):
                store.move_aside(self._folder)

    def _store(self, connection: sqlite3.Connection, given: Submission) -> Reply:
        origin = given.origin
        before = self._replies.find(connection, origin, given.body_digest)
        if before is not None:
            return before
        events, duplicates = self._unknown(given.events)
        if duplicates:
            events.append(Event(None, "duplicate_exact", duplicates=duplicates))
        self._append(connection, origin, events)
        reply = replace(
            given.reply, accepted=given.reply.accepted - duplicates, duplicates=duplicates
        )
        self.usage.add(connection, origin, len(given.events))
        self._replies.keep(connection, origin, given.body_digest, reply)
        return reply

    def _unknown(self, events: list[Event]) -> tuple[list[Event], int]:
        """The events that were not seen yet, and the number of the others."""
        known, fresh = self._known, []
        for event in events:
            if event.digest is not None:
                if event.digest in known:
                    continue
                known[event.digest] = None
            fresh.append(event)
        while len(known) > _KNOWN_EVENTS:
            known.popitem(last=False)
        return fresh, len(events) - len(fresh)

    def _append(self, connection: sqlite3.Connection, origin: Origin, events: list[Event]) -> None:
        """Number events and store them. What is remembered here is learned anew after a failure."""
        stream = self._streams.get((origin.table, origin.source))
        if stream is None:
            stream = store.add_stream(connection, origin.table, origin.source)
        encoded, first = origin.encoded(), stream.next_number
        key = store.key_of(stream.number, first)
        frames = [encode(first + n, encoded, event) for n, event in enumerate(events)]
        store.add_frames(connection, ((key + n, frame) for n, frame in enumerate(frames)))
        self._streams[origin.table, origin.source] = replace(
            stream, next_number=first + len(events)
        )
        self._room.store(origin.source, len(frames), sum(map(len, frames)))

    def add_salvaged(self, spool_id: str, found: list[tuple[Origin, list[Event]]]) -> None:
        """Store what was saved from a damaged spool, once however often this is called."""

        def act(connection: sqlite3.Connection) -> None:
            is_new = connection.execute(
                "insert into salvaged values (?, ?) on conflict do nothing returning 1",
                [spool_id, sum(len(events) for _, events in found)],
            ).fetchone()
            if is_new:
                for origin, events in found:
                    self._append(connection, origin, events)

        self.do(act).result()

    def _delete(self, connection: sqlite3.Connection, source: str, keys: list[int]) -> None:
        records, size = store.forget(connection, keys)
        self._room.store(source, -records, -size)

    def _drained(self, connection: sqlite3.Connection, given: Range, damaged: list[int]) -> None:
        store.note_drained(connection, given, damaged)
        name = (given.table, given.source)
        self._streams[name] = replace(self._streams[name], drained_to=given.last)


def _fail(group: list[_Work], error: Exception) -> None:
    for work in group:
        work.done.set_exception(error)
