"""What the tests of the client share: an HTTP server that plays the collector, as it is told."""

from __future__ import annotations

import gzip
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from loaders.client import Emitter

TOKEN = "of-the-test"
# Quick enough for tests, and nothing else.
QUICK = {"linger": 0.001, "backoff": 0.005, "max_backoff": 0.02, "spool_after": 0.05}


@dataclass
class Request:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    events: list[dict[str, Any]]
    answered: int | str
    at: float

    @property
    def key(self) -> str:
        return self.headers["x-idempotency-key"]


# What to do with a request: a status, or one of the words below; beside it headers and a body.
Answer = int | str | tuple[int, dict[str, str], bytes]


@dataclass
class Playing:
    """A collector that takes what comes, unless `script` says otherwise for the next requests."""

    script: list[Answer] = field(default_factory=list)
    always: Answer = 202
    requests: list[Request] = field(default_factory=list)
    taken: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # by idempotency key
    too_large: Callable[[list[dict[str, Any]]], bool] = lambda _: False
    connections: int = 0
    port: int = 0
    _server: ThreadingHTTPServer | None = None
    _open: set[socket.socket] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def events(self) -> list[dict[str, Any]]:
        """What was taken, once for every key, as the collector does it."""
        with self._lock:
            return [event for events in self.taken.values() for event in events]

    def start(self) -> None:
        """Listen; after a stop, at the same place as before."""
        playing = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                playing.connections += 1
                playing._open.add(self.connection)
                self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)

            def do_POST(self) -> None:
                playing.handle(self)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, *_: object) -> None:
                pass  # connections that the tests break

        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Be gone: new connections are refused."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            for connection in list(self._open):
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._open.clear()
            self._server = None

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        """Read a request, note it, and answer as told."""
        size = int(handler.headers["Content-Length"])
        body = handler.rfile.read(size)
        if len(body) < size:
            return  # the sender was killed while it sent
        assert handler.headers["Content-Encoding"] == "gzip"
        events = [json.loads(line) for line in gzip.decompress(body).splitlines()]
        with self._lock:
            answer = self.script.pop(0) if self.script else self.always
            if answer == 202 and self.too_large(events):
                answer = (413, {}, b'{"code": "size_violation"}')
            status = answer[0] if isinstance(answer, tuple) else answer
            headers = {name.lower(): value for name, value in handler.headers.items()}
            request = Request(handler.path, headers, events, status, time.monotonic())
            self.requests.append(request)
            if status in (202, "reset after taking", "slow"):
                again = request.key in self.taken
                self.taken.setdefault(request.key, events)
        if status in ("reset", "reset after taking"):
            linger = struct.pack("ii", 1, 0)  # close sends RST
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RD)
            handler.connection.close()
            return
        if status == "slow":
            time.sleep(0.5)
            status = 202
        extra, content = {}, b""
        if isinstance(answer, tuple):
            _, extra, content = answer
        elif status == 202:
            twice = len(events) if again else 0
            said = {"accepted": len(events) - twice, "duplicates": twice, "rejected": []}
            content = json.dumps(said | {"trace_id": "0" * 32}).encode()
        else:
            content = json.dumps({"code": "told_so", "message": "", "trace_id": ""}).encode()
        handler.send_response(int(status))
        for name, value in {"Content-Length": str(len(content)), **extra}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)


@contextmanager
def playing(**told: Any) -> Iterator[Playing]:
    """A collector that listens for as long as the block lasts."""
    collector = Playing(**told)
    collector.start()
    try:
        yield collector
    finally:
        collector.stop()


@contextmanager
def emitting(collector: Playing | str, **settings: Any) -> Iterator[Emitter]:
    """An emitter that is quick to try again, closed at the end of the block."""
    url = collector if isinstance(collector, str) else collector.url
    emitter = Emitter(url, TOKEN, **QUICK | settings)
    try:
        yield emitter
    finally:
        emitter.close(2.0)


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for a condition. Fails where it does not come true in a time that is ample."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def attempt(number: int = 0) -> dict[str, Any]:
    """An attempt that lands."""
    return {
        "timestamp": "2026-05-01T10:00:00Z",
        "action": "login",
        "status": "success",
        "email": f"u{number}@example.com",
    }


def numbered(events: list[dict[str, Any]]) -> dict[str, list[int]]:
    """The numbers of every producer, in order, as often as they came."""
    found: dict[str, list[int]] = {}
    for event in events:
        found.setdefault(event["producer"], []).append(event["sequence"])
    return {producer: sorted(numbers) for producer, numbers in found.items()}


def assert_whole(events: list[dict[str, Any]], count: int, producers: int = 1) -> None:
    """Exactly these many events, each number once and none left out."""
    numbers = numbered(events)
    assert len(numbers) == producers
    assert all(found == list(range(len(found))) for found in numbers.values()), "gaps or repeats"
    assert sum(map(len, numbers.values())) == count
    assert len({event["event_id"] for event in events}) == count


def files(folder: Path, pattern: str = "*.jsonl") -> list[Path]:
    return sorted(folder.rglob(pattern))


def assert_same_batch_same_key(collector: Playing) -> None:
    """One key for one batch and one batch for one key, over all requests."""
    sent = {(r.key, tuple(e["event_id"] for e in r.events)) for r in collector.requests}
    assert len({key for key, _ in sent}) == len(sent), "one key, two batches"
    assert len({batch for _, batch in sent}) == len(sent), "one batch, two keys"
