"""The collector under load, in a process of its own, on this machine.

    python benchmarks/collecting.py [SECONDS]

Prints reply times at 2,000 events/s, how many events/s it takes in requests of 1, 100 and 1,000
events, next to bare SQLite (WAL, synchronous=FULL) that commits the same events in the same sizes,
and how long an event takes until a reader of bronze sees it. The senders share the machine with it.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx
import pyarrow.parquet as pq

from loaders.collector.tokens import Token, add_token
from loaders.home import Home, init_home

RATE = 2_000  # events per second
ASSAY = Path(sys.executable).with_name("assay")


def main(seconds: int = 10) -> None:
    """Measure one after the other, each in a home of its own."""
    for size in (10, 1):
        with tempfile.TemporaryDirectory() as folder:
            replies, late, seen = asyncio.run(_steady(Path(folder), seconds, size))
        print(
            f"{RATE} events/s in requests of {size}: sent {late:.0%} of the rate; "
            f"reply {_shown(replies)}; event to bronze {_shown(seen)}",
            flush=True,
        )
    for size in (1, 100, 1_000):
        with tempfile.TemporaryDirectory() as folder:
            taken = asyncio.run(_most(Path(folder), seconds, size))
            bare = _bare(Path(folder) / "bare.sqlite", seconds, size)
        print(
            f"requests of {size}: {taken:,.0f} events/s; bare SQLite {bare:,.0f} events/s; "
            f"ratio {taken / bare:.2f}",
            flush=True,
        )


class _Running:
    """A collector on a free port."""

    def __init__(self, folder: Path) -> None:
        self.home = init_home(folder / "home")[0]
        text = add_token(self.home, Token("", "", "bench", ""))[1]
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        self.port, self.bearer = port, text
        command = [ASSAY, "collect", "--home", self.home.path, "--port", str(port)]
        command += ["--compact-at", "0"]  # the files are watched
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/healthz")
                return
            except httpx.TransportError:
                time.sleep(0.05)

    def end(self) -> None:
        self.process.terminate()
        self.process.wait()


class _Connection:
    """One connection, kept open: a client of a library would take more time than the collector."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes
    ) -> None:
        self._reader, self._writer, self._head = reader, writer, head

    @classmethod
    async def open(cls, running: _Running) -> _Connection:
        head = (
            "POST /v1/attempts:batch HTTP/1.1\r\nhost: localhost\r\n"
            f"authorization: Bearer {running.bearer}\r\n"
            "content-type: application/json\r\ncontent-length: "
        )
        return cls(*await asyncio.open_connection("127.0.0.1", running.port), head.encode())

    async def post(self, body: bytes) -> int:
        """The status of the reply."""
        self._writer.write(b"%s%d\r\n\r\n%s" % (self._head, len(body), body))
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        size = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
        await self._reader.readexactly(size)
        return int(head.split(b" ", 2)[1])


async def _steady(folder: Path, seconds: int, size: int) -> tuple[list[float], float, list[float]]:
    """At a steady rate: seconds to the reply, share of the rate sent, seconds to bronze."""
    running = _Running(folder)
    replies: list[float] = []
    sent: dict[str, float] = {}
    seen: dict[str, float] = {}
    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(running.home, seen, over))
    watcher.start()
    senders = 32
    begun = time.monotonic()

    async def keep_sending(sender: int) -> None:
        connection = await _Connection.open(running)
        for number in range(sender, seconds * RATE // size, senders):
            due = begun + number * size / RATE
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            names = [f"{number}-{n}" for n in range(size)]
            began = time.monotonic()
            sent.update(dict.fromkeys(names, began))
            assert await connection.post(_body(names)) == 202
            replies.append(time.monotonic() - began)

    await asyncio.gather(*map(keep_sending, range(senders)))
    took = time.monotonic() - begun
    until = time.monotonic() + 30
    while len(seen) < len(sent) and time.monotonic() < until:
        await asyncio.sleep(0.1)
    over.set()
    watcher.join()
    running.end()
    assert len(seen) == len(sent), f"{len(sent) - len(seen)} events are not in bronze"
    return replies, seconds / took, [seen[name] - at for name, at in sent.items()]


def _watch(home: Home, seen: dict[str, float], over: threading.Event) -> None:
    """Note when each event can be read in bronze."""
    known: set[Path] = set()
    while not over.is_set():
        for file in set((home.bronze / "attempts").glob("ingest_date=*/*.parquet")) - known:
            at = file.stat().st_ctime - time.time() + time.monotonic()  # when it was renamed
            names = pq.ParquetFile(file).read(["event_id"])["event_id"].to_pylist()
            seen.update(dict.fromkeys(names, at))
            known.add(file)
        time.sleep(0.1)


async def _most(folder: Path, seconds: int, size: int) -> float:
    """Events per second from senders that send the next request at once."""
    running, taken = _Running(folder), 0

    async def keep_sending(sender: int, until: float) -> None:
        nonlocal taken
        connection = await _Connection.open(running)
        number = 0
        while time.monotonic() < until:
            names = [f"{sender}-{number}-{n}" for n in range(size)]
            number += 1
            status = await connection.post(_body(names))
            taken += size * (status == 202)

    began = time.monotonic()
    senders = 32 if size == 1 else 8
    await asyncio.gather(*(keep_sending(n, began + seconds) for n in range(senders)))
    rate = taken / (time.monotonic() - began)
    running.end()
    return rate


def _bare(path: Path, seconds: int, size: int) -> float:
    """Events per second of SQLite alone, one commit per request."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    connection.execute("create table events (number integer primary key, body blob)")
    began, number = time.monotonic(), 0
    while time.monotonic() < began + seconds:
        rows = [(_event(f"{number}-{n}"),) for n in range(size)]
        connection.execute("begin")
        connection.executemany("insert into events (body) values (?)", rows)
        connection.execute("commit")
        number += 1
    connection.close()
    return number * size / (time.monotonic() - began)


def _event(name: str) -> bytes:
    return json.dumps(
        {
            "event_id": name,
            "timestamp": "2026-05-01T10:00:00Z",
            "action": "login",
            "status": "success",
            "ip": "192.0.2.1",
            "user_agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
            "domain": "play.example",
            "path": "/api/login",
            "duration": 12_345_678,
        }
    ).encode()


def _body(names: list[str]) -> bytes:
    return b"[" + b",".join(map(_event, names)) + b"]"


def _shown(seconds: list[float]) -> str:
    cuts = statistics.quantiles(seconds, n=100)
    named = {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98]}
    return ", ".join(f"{name} {value * 1000:.0f} ms" for name, value in named.items())


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
