"""What reporting an attempt costs an application, with the collector up, slow and down.

    python benchmarks/emitting.py [REQUESTS [PER_SECOND]]

The stand-in collector runs in a process of its own: `up` answers at once, `slow` sleeps a second
before each answer, `down` refuses connections. `emit` is timed alone; the WSGI application is timed
with the middleware and without it, in turn, request by request at the given rate, so that both see
the same machine. It parses a JSON body, derives a key from the password (scrypt) as a sign-up does,
and answers in JSON. All figures are of one run; ratios are of the same percentile.
"""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import json
import multiprocessing
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from typing import Any

from loaders.client import Emitter
from loaders.client.exchange import Exchange
from loaders.client.middleware import WsgiMiddleware
from loaders.client.recorder import Recorder

SLOW_SECONDS = 1.0
BODY = json.dumps(
    {"email": "ann@example.com", "password": "of-the-benchmark", "country": "DE", "fp": "0f1e2d"}
).encode()


def main(requests: int = 2000, per_second: int = 200) -> None:
    """Measure the three states of the collector, and print their lines."""
    print(f"{requests:,} requests each, {per_second:,} a second; microseconds")
    print(f"{'collector':<11}{'measured':<30}{'p50':>8}{'p99':>9}")
    for state, delay in (("up", 0.0), ("slow", SLOW_SECONDS), ("down", None)):
        process, port = _collector(delay)
        with tempfile.TemporaryDirectory() as folder:
            emitter = Emitter(f"http://127.0.0.1:{port}", "benchmark", spool_dir=folder)
            _measure(state, emitter, requests, per_second)
            stats = emitter.stats()
            emitter.close(1.0)
        if process is not None:
            process.terminate()
        assert stats["emitted"] == 2 * requests
        assert stats["dropped"] == stats["failed"] == 0, stats
    print("nothing was dropped")


def _measure(state: str, emitter: Emitter, requests: int, per_second: int) -> None:
    def emit() -> tuple[int, int]:
        begun = time.perf_counter_ns()
        emitter.emit(dict(EVENT))
        return time.perf_counter_ns() - begun, 0

    wrapped = WsgiMiddleware(_app, Recorder(emitter, {"/signup": "signup"}, _extract))
    (emits,) = _paced(requests, per_second, [emit])
    plain, watched = _paced(requests, per_second, [lambda: _call(_app), lambda: _call(wrapped)])
    e50, e99 = _percentiles([reply for reply, _ in emits])
    p50, p99 = _percentiles([reply for reply, _ in plain])
    w50, w99 = _percentiles([reply for reply, _ in watched])
    after50, after99 = _percentiles([after for _, after in watched])
    for name, one, two in (
        ("emit", e50, e99),
        ("reply without the middleware", p50, p99),
        ("reply with it", w50, w99),
        ("behind the reply", after50, after99),
    ):
        print(f"{state:<11}{name:<30}{one:>8.0f}{two:>9.0f}")
    print(f"{state:<11}{'added to the reply':<30}{w50 - p50:>8.0f}{w99 - p99:>9.0f}")
    print(f"{state:<11}{'ratio of replies':<30}{w50 / p50:>8.3f}{w99 / p99:>9.3f}", flush=True)


EVENT = {
    "timestamp": "2026-05-01T10:00:00Z",
    "action": "signup",
    "status": "success",
    "email": "ann@example.com",
    "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "ip": "203.0.113.9",
    "resp": '{"ok": true}',
    "duration": 12_345_678,
}


def _app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    form = json.loads(environ["wsgi.input"].read())
    key = hashlib.scrypt(form["password"].encode(), salt=b"0" * 16, n=1024, r=8, p=1)
    start("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"ok": True, "id": key.hex()[:16]}).encode()]


def _extract(exchange: Exchange) -> dict[str, Any]:
    form = exchange.json()
    return {name: form.get(name) for name in ("email", "country", "fp")}


def _call(app: Callable[..., Any]) -> tuple[int, int]:
    """A request as a server makes it: nanoseconds until all of the reply is there, and behind it.

    A server closes a reply when it was sent: the caller does not wait for what happens then.
    """
    environ = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/signup",
        "QUERY_STRING": "lang=de",
        "REMOTE_ADDR": "203.0.113.9",
        "SERVER_NAME": "localhost",
        "HTTP_HOST": "play.example.com",
        "HTTP_USER_AGENT": EVENT["user_agent"],
        "wsgi.input": io.BytesIO(BODY),
    }
    begun = time.perf_counter_ns()
    reply = app(environ, lambda *_: None)
    for _ in reply:
        pass
    replied = time.perf_counter_ns()
    if hasattr(reply, "close"):
        reply.close()
    return replied - begun, time.perf_counter_ns() - replied


def _paced(
    count: int, per_second: int, works: list[Callable[[], tuple[int, int]]]
) -> list[list[tuple[int, int]]]:
    """What each call of each work took, the works in turn, so many turns a second."""
    took: list[list[tuple[int, int]]] = [[] for _ in works]
    begun = time.perf_counter()
    for turn in range(count):
        time.sleep(max(0.0, begun + turn / per_second - time.perf_counter()))
        for place in range(len(works)):
            which = (place + turn) % len(works)  # neither always comes first, after the sleep
            took[which].append(works[which]())
    return took


def _percentiles(nanoseconds: list[int]) -> tuple[float, float]:
    """Median and 99th percentile in microseconds."""
    cuts = statistics.quantiles(nanoseconds, n=100)
    return cuts[49] / 1000, cuts[98] / 1000


def _collector(delay: float | None) -> tuple[multiprocessing.process.BaseProcess | None, int]:
    """A stand-in that sleeps so many seconds before it answers, or a port without one."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    if delay is None:
        return None, port
    process = multiprocessing.get_context("spawn").Process(
        target=_listen, args=(port, delay), daemon=True
    )
    process.start()
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return process, port
        except OSError:
            time.sleep(0.05)


def _listen(port: int, delay: float) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_POST(self) -> None:
            body = gzip.decompress(self.rfile.read(int(self.headers["Content-Length"])))
            time.sleep(delay)
            said = {"accepted": body.count(b"\n"), "duplicates": 0, "rejected": []}
            content = json.dumps(said).encode()
            self.send_response(202)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
