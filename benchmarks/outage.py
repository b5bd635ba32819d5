"""What an outage of bronze costs the collector: how fast it catches up, and how a backlog opens.

    python benchmarks/outage.py [SECONDS [MIB]]

Events come at a steady rate for all of the time. For so many seconds nothing can land; then all
can, and the run ends when as little waits as before. After that a collector is killed over a spool
of so many MiB, and started again. The sender shares the machine with it.
"""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from loaders.collector.tokens import Token, add_token
from loaders.home import Home, init_home

RATE, SIZE = 2_000, 100  # events per second, and of a request
ASSAY = Path(sys.executable).with_name("assay")


def main(seconds: int = 60, mib: int = 1024) -> None:
    """Measure one after the other, each in a home of its own."""
    with tempfile.TemporaryDirectory() as folder:
        print(_catches_up(Path(folder), seconds), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        print(_opens(Path(folder), mib), flush=True)


class _Running:
    """A collector on a free port."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.bearer = add_token(home, Token("", "", "bench", ""))[1]
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self._port = found.getsockname()[1]

    def start(self) -> float:
        """Seconds until it was ready."""
        command = [ASSAY, "collect", "--home", self.home.path, "--port", str(self._port)]
        began = time.monotonic()
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        while True:
            try:
                if self.ready()["problem"] is None:
                    return time.monotonic() - began
            except OSError:
                assert self.process.poll() is None, "it ended"
            time.sleep(0.02)

    def ready(self) -> dict[str, int | str | None]:
        connection = self.connection()
        connection.request("GET", "/readyz")
        facts: dict[str, int | str | None] = json.load(connection.getresponse())
        connection.close()
        return facts

    def waiting(self) -> int:
        """Records that have not landed."""
        return int(self.ready()["backlog_records"] or 0)

    def post(self, connection: http.client.HTTPConnection, body: bytes) -> None:
        headers = {"authorization": f"Bearer {self.bearer}", "content-type": "application/json"}
        connection.request("POST", "/v1/attempts:batch", body, headers)
        reply = connection.getresponse()
        reply.read()
        assert reply.status == 202, reply.status

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._port)

    def peak(self) -> int:
        """MiB of memory that it ever held."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+)", status)
        assert found
        return int(found[1]) >> 10


def _catches_up(folder: Path, seconds: int) -> str:
    running = _Running(init_home(folder / "home")[0])
    running.start()
    over = threading.Event()
    sender = threading.Thread(target=_send, args=(running, over))
    sender.start()
    in_the_way = running.home.bronze / ".staging"
    time.sleep(3)
    in_the_way.rename(in_the_way.with_name(".staging-aside"))
    in_the_way.write_text("in the way of every batch")
    time.sleep(seconds)
    backlog = running.waiting()
    in_the_way.unlink()
    began = time.monotonic()
    while running.waiting() > 2 * RATE:
        time.sleep(0.05)
    took = time.monotonic() - began
    over.set()
    sender.join()
    rate, peak = backlog / took + RATE, running.peak()
    running.process.terminate()
    running.process.wait()
    return (
        f"{seconds} s without bronze at {RATE:,} events/s: {backlog:,} waited, and were gone after "
        f"{took:.1f} s; {rate:,.0f} events/s landed, {rate / RATE:.1f} times what came; {peak} MiB"
    )


def _send(running: _Running, over: threading.Event) -> None:
    """Send at the rate."""
    connection, begun, number = running.connection(), time.monotonic(), 0
    while not over.is_set():
        running.post(connection, _body(number, SIZE))
        number += 1
        time.sleep(max(0.0, begun + number * SIZE / RATE - time.monotonic()))


def _opens(folder: Path, mib: int) -> str:
    running = _Running(init_home(folder / "home")[0])
    (running.home.bronze / ".staging").write_text("in the way of every batch")
    running.start()
    connection, number = running.connection(), 0
    while int(running.ready()["backlog_bytes"] or 0) < mib << 20:
        for _ in range(20):
            running.post(connection, _body(number, 2_000))
            number += 1
    running.process.send_signal(signal.SIGKILL)
    running.process.wait()
    took = running.start()
    records, peak = running.waiting(), running.peak()
    running.process.terminate()
    running.process.wait()
    return f"killed over {mib} MiB, {records:,} records: ready after {took:.1f} s; {peak} MiB"


def _body(number: int, size: int) -> bytes:
    events = [
        {
            "event_id": f"{number}-{n}",
            "timestamp": "2026-05-01T10:00:00Z",
            "action": "login",
            "status": "success",
            "user_agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
            "domain": "play.example",
            "path": "/api/login",
            "duration": 12_345_678,
        }
        for n in range(size)
    ]
    return json.dumps(events).encode()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
