"""Clients that keep to no rules, on sockets of their own: everybody else goes on being served."""

from __future__ import annotations

import json
import secrets
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from collecting import PATIENCE, Collector, assert_balanced, collecting, event, landed_ids, token

from loaders.home import Home, init_home

HURRIED = [sys.executable, str(Path(__file__).with_name("hurried_collect.py"))]
MOST = 12  # connections that it takes
ONE = json.dumps([event("hostile")]).encode()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return init_home(tmp_path_factory.mktemp("hostile") / "home")[0]


@pytest.fixture(scope="module")
def bearer(home: Home) -> str:
    return token(home)


@pytest.fixture(scope="module")
def running(home: Home, bearer: str) -> Iterator[Collector]:
    with collecting(home, command=HURRIED) as collector:
        yield collector


class GoodClient:
    """Posts as long as the block lasts, one request after the other; all are to be answered."""

    def __init__(self, collector: Collector, bearer: str) -> None:
        self._collector, self._bearer = collector, bearer
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._name = secrets.token_hex(4)
        self.sent: set[str] = set()
        self.answers: list[int] = []

    def __enter__(self) -> GoodClient:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        wanted = len(self.answers) + 2  # some come when all of it has happened
        while len(self.answers) < wanted and self._thread.is_alive():
            time.sleep(0.01)
        self._over.set()
        self._thread.join(PATIENCE)
        assert set(self.answers) == {202}
        self._collector.drained()
        assert self.sent <= set(landed_ids(self._collector.home))
        said = [json.loads(line) for line in self._collector.said().splitlines()]
        assert not [line for line in said if line["event"] == "failed"]
        assert_balanced(self._collector.home)

    def _run(self) -> None:
        with httpx.Client(timeout=PATIENCE) as client:
            while not self._over.is_set():
                name = f"{self._name}-{len(self.answers)}"
                answer = client.post(
                    self._collector.url("/v1/attempts:batch"),
                    json=[event(name)],
                    headers={"authorization": f"Bearer {self._bearer}"},
                )
                self.sent.add(name)
                self.answers.append(answer.status_code)
                time.sleep(0.01)


def connect(collector: Collector) -> socket.socket:
    return socket.create_connection(("127.0.0.1", collector.port), PATIENCE)


def said_to(collector: Collector, sent: bytes) -> bytes:
    """All that comes back until the collector ends the connection."""
    with connect(collector) as speaker:
        with suppress(ConnectionError):
            speaker.sendall(sent)
        return rest_of(speaker)


def rest_of(speaker: socket.socket) -> bytes:
    heard = b""
    with suppress(ConnectionError):
        while part := speaker.recv(1 << 16):
            heard += part
    return heard


def statuses(heard: bytes) -> list[int]:
    return [int(part[:3]) for part in heard.split(b"HTTP/1.1 ")[1:]]


def request(bearer: str, *headers: str, body: bytes = ONE, length: bool = True) -> bytes:
    given = [f"Content-Length: {len(body)}"] if length else []
    lines = ["POST /v1/attempts:batch HTTP/1.1", "Host: x", f"Authorization: Bearer {bearer}"]
    return "\r\n".join([*lines, *given, *headers, "", ""]).encode() + body


def chunked(bearer: str, body: bytes) -> bytes:
    return request(bearer, "Transfer-Encoding: chunked", body=body, length=False)


def rudeness(bearer: str) -> dict[str, tuple[bytes, list[set[int]]]]:
    """What is said, and which statuses may answer it, one after the other."""
    good = request(bearer)
    one_by_one = b"".join(b"1\r\n%c\r\n" % byte for byte in ONE)
    far_too_long = request(bearer, "Content-Length: 99999999999", body=b"[", length=False)
    return {
        "nothing": (b"", []),
        "half a line": (b"POST /v1/att", []),
        "garbage": (b"\x00\xff\r\n\r\n", [{400}]),
        "another protocol": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 400, [{400}]),
        "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [{400, 404}, {400}]),
        "HTTP/0.9": (b"GET /healthz\r\n\r\n", [{400}]),
        "endless headers": (b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 100_000, [{400}]),
        "one endless header": (b"GET / HTTP/1.1\r\nx: " + b"y" * 1_000_000, [{400}]),
        "two at once": (good + good, [{202}, {202}]),
        "garbage behind": (good + b"\x00garbage\r\n\r\n", [{202, 400}, {400}]),
        "no length": (request(bearer, length=False), [{400, 411}]),
        "a length too short": (request(bearer, "Content-Length: 5", length=False), [{400}, {400}]),
        "a length too long": (request(bearer, "Content-Length: 999", length=False), [{408}]),
        "a length beyond all": (far_too_long, [{413}]),
        "a negative length": (request(bearer, "Content-Length: -1", length=False), [{400}]),
        "a length in words": (request(bearer, "Content-Length: ten", length=False), [{400}]),
        "two lengths": (request(bearer, "Content-Length: 1"), [{400}]),
        "the same length twice": (request(bearer, f"Content-Length: {len(ONE)}"), [{202, 400}]),
        "length and chunks": (request(bearer, "Transfer-Encoding: chunked"), [{400, 408}]),
        "two tokens": (request(bearer, "Authorization: Bearer other"), [{202, 400, 401}]),
        "a folded header": (request(bearer, "X: a\r\n b"), [{202, 400}]),
        "a header without a name": (request(bearer, ": x"), [{400}]),
        "a zero in a header": (request(bearer, "X: a\0b"), [{400}]),
        "byte by byte": (chunked(bearer, one_by_one + b"0\r\n\r\n"), [{202}]),
        "a chunk with more": (chunked(bearer, b"2;a=b\r\n[]\r\n0\r\nX: y\r\n\r\n"), [{202}]),
        "a chunk beyond all": (chunked(bearer, b"FFFFFFFFFFFFFFFFF\r\n[]"), [{400, 408}]),
        "a large chunk": (chunked(bearer, b"FFFFFFFF\r\n[]"), [{408}]),
        "a chunk of less than nothing": (chunked(bearer, b"-2\r\n[]\r\n0\r\n\r\n"), [{400, 408}]),
        "chunks without an end": (chunked(bearer, b"2\r\n[]\r\n"), [{408}]),
        "an unknown coding": (request(bearer, "Transfer-Encoding: lzw"), [{400, 501}]),
        "an upgrade": (request(bearer, "Connection: Upgrade", "Upgrade: websocket"), [{202}]),
    }


def test_no_rules_at_all(running: Collector, bearer: str):
    cases = rudeness(bearer)
    with GoodClient(running, bearer), ThreadPoolExecutor(6) as pool:
        heard = list(pool.map(lambda case: said_to(running, case[0]), cases.values()))
    for (name, (_, allowed)), answer in zip(cases.items(), heard, strict=True):
        told = statuses(answer)
        assert len(told) <= len(allowed), (name, told)
        assert bool(told) == bool(allowed), (name, answer[:200])
        for status, expected in zip(told, allowed, strict=False):
            assert status in expected, (name, told)
        for head, body in [part.split(b"\r\n\r\n", 1) for part in answer.split(b"HTTP/1.1 ")[1:]]:
            assert b"application/json" in head.lower(), name
            assert {"trace_id"} <= set(json.loads(body)), name


def test_resets_and_cut_bodies(running: Collector, bearer: str):
    """A connection that is reset with or without its body costs nobody else anything."""
    whole = request(bearer)
    with GoodClient(running, bearer):
        for number in range(40):
            speaker = connect(running)
            speaker.sendall(whole[: len(whole) - number * 5])
            speaker.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            speaker.close()


def test_who_does_not_read_is_let_go(running: Collector, bearer: str):
    asking = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 1000
    with GoodClient(running, bearer), connect(running) as deaf, pytest.raises(ConnectionError):
        while True:
            deaf.sendall(asking)


def dawdle(collector: Collector) -> list[socket.socket]:
    """As many connections as there may be, each in the middle of its first line."""
    dawdlers = [connect(collector) for _ in range(MOST)]
    for dawdler in dawdlers:
        dawdler.sendall(b"POST /v1/attempts:batch HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    return dawdlers


def keep_dawdling(dawdlers: list[socket.socket], over: threading.Event) -> None:
    while not over.wait(0.1):
        for dawdler in dawdlers:
            with suppress(OSError):
                dawdler.send(b"z")


def served_within(collector: Collector, bearer: str, seconds: float) -> bool:
    """Whether a request is answered with 202 in this time; until then it is told to come again."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        heard = said_to(collector, request(bearer, "Connection: close"))
        if statuses(heard) == [202]:
            return True
        if heard:
            assert statuses(heard) == [503]
            assert b"retry-after: 1" in heard.lower()
            assert json.loads(heard.split(b"\r\n\r\n")[1])["code"] == "EVENT_CAPTURE_FAILED"
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("has_patience", [False, True])
def test_slow_headers(tmp_path: Path, has_patience: bool):
    """Who never ends his headers is let go. Without that, he would keep all others out."""
    home, over = init_home(tmp_path / "home")[0], threading.Event()
    bearer = token(home)
    with collecting(
        home, command=HURRIED, HEADER_SECONDS="1000" if has_patience else "1"
    ) as collector:
        collector.client.close()
        dawdlers = dawdle(collector)
        thread = threading.Thread(target=keep_dawdling, args=(dawdlers, over), daemon=True)
        thread.start()
        assert served_within(collector, bearer, 4 if has_patience else PATIENCE) is not has_patience
        over.set()
        thread.join()
        for dawdler in dawdlers:
            dawdler.close()
        assert served_within(collector, bearer, PATIENCE)
        assert collector.process
        collector.client = httpx.Client(timeout=30)
        collector.drained()
    assert_balanced(home)
