"""What an outage of bronze costs the collector: how fast it catches up, and how a backlog opens.

    python benchmarks/outage.py [SECONDS [MIB]]

Events come at a steady rate for all of the time. For so many seconds nothing can land; then all
can, and the run ends when as little waits as before. After that a collector is killed over a spool
of so many MiB, and started again. The sender shares the machine with it.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx
from running import Running, body

from loaders.home import init_home

RATE, SIZE = 2_000, 100  # events per second, and of a request


def main(seconds: int = 60, mib: int = 1024) -> None:
    """Measure one after the other, each in a home of its own."""
    with tempfile.TemporaryDirectory() as folder:
        print(_catches_up(Path(folder), seconds), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        print(_opens(Path(folder), mib), flush=True)


def _catches_up(folder: Path, seconds: int) -> str:
    running = Running(init_home(folder / "home")[0])
    over = threading.Event()
    sender = threading.Thread(target=_send, args=(running, over))
    sender.start()
    in_the_way = running.home.bronze / ".staging"
    time.sleep(3)
    in_the_way.rename(in_the_way.with_name(".staging-aside"))
    in_the_way.write_text("in the way of every batch")
    time.sleep(seconds)
    backlog = _waiting(running, "records")
    in_the_way.unlink()
    began = time.monotonic()
    while _waiting(running, "records") > 2 * RATE:
        time.sleep(0.05)
    took = time.monotonic() - began
    over.set()
    sender.join()
    rate, peak = backlog / took + RATE, running.peaks()[0]
    running.end()
    return (
        f"{seconds} s without bronze at {RATE:,} events/s: {backlog:,} waited, and were gone after "
        f"{took:.1f} s; {rate:,.0f} events/s landed, {rate / RATE:.1f} times what came; "
        f"{peak:.0f} MiB"
    )


def _opens(folder: Path, mib: int) -> str:
    home = init_home(folder / "home")[0]
    (home.bronze / ".staging").write_text("in the way of every batch")
    killed = Running(home)
    with _client(killed) as client:
        number = 0
        while _waiting(killed, "bytes") < mib << 20:
            for _ in range(20):
                _post(client, number, 2_000)
                number += 1
    killed.process.kill()
    killed.process.wait()
    began = time.monotonic()
    running = Running(home)
    while running.get("/readyz").status_code != 200:
        time.sleep(0.02)
    took = time.monotonic() - began
    records, peak = _waiting(running, "records"), running.peaks()[0]
    running.end()
    return f"killed over {mib} MiB, {records:,} records: ready after {took:.1f} s; {peak:.0f} MiB"


def _send(running: Running, over: threading.Event) -> None:
    """Send at the rate."""
    begun, number = time.monotonic(), 0
    with _client(running) as client:
        while not over.is_set():
            _post(client, number, SIZE)
            number += 1
            time.sleep(max(0.0, begun + number * SIZE / RATE - time.monotonic()))


def _client(running: Running) -> httpx.Client:
    headers = {"authorization": f"Bearer {running.bearer}", "content-type": "application/json"}
    return httpx.Client(base_url=f"http://127.0.0.1:{running.port}", headers=headers, timeout=60)


def _post(client: httpx.Client, number: int, size: int) -> None:
    content = body([f"{number}-{n}" for n in range(size)])
    assert client.post("/v1/attempts:batch", content=content).status_code == 202


def _waiting(running: Running, what: str) -> int:
    """Records or bytes that have not landed."""
    return int(running.get("/readyz").json()[f"backlog_{what}"] or 0)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
