"""What the benchmarks of the collector share: a real one, its senders, and how figures look."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
from figures import percentile
from measuring import ASSAY

from loaders.collector.tokens import Token, add_token
from loaders.home import Home

_TICKS = os.sysconf("SC_CLK_TCK")


class Running:
    """`assay collect` in a home, on a free port."""

    def __init__(self, home: Home, *options: str) -> None:
        self.home = home
        self.bearer = self.token("bench")
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = found.getsockname()[1]
        command = [ASSAY, "collect", "--home", home.path, "--port", str(self.port), *options]
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while True:
            try:
                self.get("/healthz")
                break
            except httpx.TransportError:
                assert self.process.poll() is None, "the collector ended"
                time.sleep(0.02)
        self._cpu_at_first = self._cpu()

    def token(self, source: str, **more: Any) -> str:
        """The text of a new token; a collector that runs knows it within a second."""
        return add_token(self.home, Token("", "", source, "", **more))[1]

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=60)

    def drained(self) -> None:
        """Wait until nothing waits to be landed."""
        while self.get("/readyz").json()["backlog_records"]:
            time.sleep(0.1)

    def end(self) -> None:
        """End it in order."""
        self.process.terminate()
        self.process.wait()

    def cpu(self) -> list[float]:
        """Processor seconds since it answered first: of the collector, and of what it started."""
        first = self._cpu_at_first + [0.0] * 9
        return [now - then for now, then in zip(self._cpu(), first, strict=False)]

    def memory(self) -> list[float]:
        """Resident MiB: of the collector, and of what it started."""
        return [_status(pid, "VmRSS") for pid in self._pids()]

    def peaks(self) -> list[float]:
        """The most resident MiB that each ever had."""
        return [_status(pid, "VmHWM") for pid in self._pids()]

    def _cpu(self) -> list[float]:
        fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2] for pid in self._pids()]
        return [sum(map(int, field.split()[11:13])) / _TICKS for field in fields]

    def _pids(self) -> list[int]:
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        started = [int(pid) for file in tasks for pid in file.read_text().split()]
        return [self.process.pid, *started]


def _status(pid: int, name: str) -> float:
    found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


class Connection:
    """One connection, kept open: a client of a library would take more time than the collector."""

    def __init__(self, port: int, bearer: str) -> None:
        self._port = port
        self._head = (
            "POST /v1/attempts:batch HTTP/1.1\r\nhost: localhost\r\n"
            f"authorization: Bearer {bearer}\r\n"
            "content-type: application/json\r\ncontent-length: "
        ).encode()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.has_to_wait = False  # the last reply had a Retry-After

    async def post(self, body: bytes) -> int:
        """The status of the reply; 0 where the connection ended before it."""
        try:
            return await self._post(body)
        except (OSError, asyncio.IncompleteReadError):
            self._streams = None
            return 0

    async def _post(self, body: bytes) -> int:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(b"%s%d\r\n\r\n%s" % (self._head, len(body), body))
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        size = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
        await reader.readexactly(size)
        self.has_to_wait = b"\r\nretry-after: " in head
        if b"connection: close" in head:
            writer.close()
            self._streams = None
        return int(head.split(b" ", 2)[1])


async def most(running: Running, bearer: str, seconds: int, size: int) -> int:
    """Events taken from senders that send the next request of so many events at once."""
    taken = 0

    async def keep_sending(sender: int, until: float) -> None:
        nonlocal taken
        connection, number = Connection(running.port, bearer), 0
        while time.monotonic() < until:
            names = [f"{sender}-{number}-{n}" for n in range(size)]
            number += 1
            status = await connection.post(body(names))  # first: others add meanwhile
            taken += size * (status == 202)

    until = time.monotonic() + seconds
    senders = 32 if size == 1 else 8
    await asyncio.gather(*(keep_sending(n, until) for n in range(senders)))
    return taken


_EVENT = json.dumps(
    {
        "event_id": "%s",
        "timestamp": "2026-05-01T10:00:00Z",
        "action": "login",
        "status": "success",
        "ip": "192.0.2.1",
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
        "domain": "play.example",
        "path": "/api/login",
        "duration": 12_345_678,
    }
)


def event(name: str) -> bytes:
    """An event that lands, of some 260 bytes."""
    return (_EVENT % name).encode()


def body(names: list[str]) -> bytes:
    """A request of the events of these names."""
    return b"[" + b",".join(map(event, names)) + b"]"


def events_in(home: Home) -> int:
    """How many events bronze has."""
    files = (home.bronze / "attempts").glob("ingest_date=*/*.parquet")
    return sum(pq.ParquetFile(file).metadata.num_rows for file in files)


def shown(seconds: list[float]) -> str:
    """Percentiles in milliseconds."""
    return ", ".join(f"p{p} {percentile(seconds, p) * 1000:.1f} ms" for p in (50, 95, 99))
