"""A real collector in a process of its own, and what is in a home seen without Assay's code."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq

from loaders.books import read_books
from loaders.collector.tokens import Token, add_token
from loaders.home import Home

ASSAY = Path(sys.executable).with_name("assay")
LONG = os.environ.get("ASSAY_LONG") == "1"
PATIENCE = 180.0  # seconds, for what is only a question of time

Event = dict[str, Any]


def event(event_id: str, **more: Any) -> Event:
    return {
        "event_id": event_id,
        "timestamp": "2026-05-01T10:00:00Z",
        "action": "login",
        "status": "success",
        **more,
    }


def token(home: Home, source: str = "web", **more: Any) -> str:
    """The text of a new token."""
    return add_token(home, Token("", "", source, "2026-05-01T00:00:00Z", **more))[1]


def free_port() -> int:
    """A port that nobody has, and that the system gives to nobody while a collector is away."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)  # below those that connections begin at
        with socket.socket() as found, suppress(OSError):
            found.bind(("127.0.0.1", port))
            return port


class Collector:
    """`assay collect` on a free port. `command` is what runs it, if not the real command.

    `tls` is how to speak to it, where its options ask for that.
    """

    def __init__(
        self,
        home: Home,
        *options: str,
        command: list[str] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.home, self.options = home, options
        self.command = command or [str(ASSAY), "collect"]
        self.log = home.path / "collector.log"
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.scheme = "https" if tls else "http"
        self.client = httpx.Client(timeout=30, verify=tls or True)

    def start(self, **environment: str) -> None:
        """Start, and return when it answers, ready or not."""
        self.begin(**environment)
        self.answers()

    def begin(self, **environment: str) -> None:
        """Start, and do not wait."""
        self.port = self.port or free_port()  # the same after a restart
        where = ["--home", str(self.home.path), "--port", str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.command, *where, *self.options],
                stderr=log,
                env={**os.environ, **environment},
            )

    def answers(self) -> None:
        """Return when it answers, ready or not."""
        assert self.process
        until = time.monotonic() + PATIENCE
        while not self.is_answering():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < until, self.said()
            time.sleep(0.02)

    def is_answering(self) -> bool:
        try:
            self.client.get(self.url("/healthz"))
        except httpx.TransportError:
            return False
        return True

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End it, and return its exit code."""
        assert self.process
        self.process.send_signal(how)
        code = self.process.wait(PATIENCE)
        self.process = None
        return code

    def url(self, path: str) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}{path}"

    def post(
        self, body: Any, bearer: str, table: str = "attempts", **headers: str
    ) -> httpx.Response:
        """Send events, or a body as it is."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(
            self.url(f"/v1/{table}:batch"),
            content=content,
            headers={
                "authorization": f"Bearer {bearer}",
                "content-type": "application/json",
                **named,
            },
        )

    def drained(self, patience: float = PATIENCE) -> None:
        """Return when nothing waits any more."""
        until = time.monotonic() + patience
        while True:
            facts = self.client.get(self.url("/readyz")).json()
            aside = list((self.home.path / "spool").glob("*.damaged"))
            if facts["problem"] is None and facts["backlog_records"] == 0 and not aside:
                return
            assert time.monotonic() < until, f"{facts} {self.said()[-2000:]}"
            time.sleep(0.02)

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8")


@contextmanager
def collecting(
    home: Home,
    *options: str,
    command: list[str] | None = None,
    tls: ssl.SSLContext | None = None,
    **environment: str,
) -> Iterator[Collector]:
    """A collector that runs, and ends with the block."""
    collector = Collector(home, *options, command=command, tls=tls)
    collector.start(**environment)
    try:
        yield collector
    finally:
        if collector.process:
            collector.process.kill()
            collector.process.wait()
        collector.client.close()


def rows(home: Home, table: str) -> list[dict[str, Any]]:
    """The rows of a bronze table."""
    files = (home.bronze / table).glob("ingest_date=*/*.parquet")
    return [
        row
        for file in files
        if file.name != "schema.parquet"
        for row in pq.ParquetFile(file).read().to_pylist()
    ]


def landed_ids(home: Home, table: str = "attempts") -> Counter[str]:
    return Counter(row["event_id"] for row in rows(home, table))


def assert_balanced(home: Home) -> None:
    """Every batch adds up, and no line of one is there twice."""
    assert [b.problem for b in read_books(home)[0] if b.problem] == []
    lines = Counter((row["batch_id"], row["line_number"]) for row in rows(home, "dead_letters"))
    assert [line for line, number in lines.items() if number > 1] == []


def sums(home: Home) -> dict[str, int]:
    """What the ledger says in all."""
    ledger = rows(home, "landing_ledger")
    names = ("received", "accepted", "rejected", "duplicates")
    return {name: sum(line[name] for line in ledger) for name in names}
