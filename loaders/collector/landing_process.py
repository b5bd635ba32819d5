"""Landing in a process of its own: a reply never waits for the interpreter that lands.

    python -m loaders.collector.landing_process HOME PARENT

The collector writes down a range and asks for it, one line of JSON each way. Where either of the
two dies, the other notices: the child ends with its input, the collector starts another child.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from loaders.collector.ranges import Landed, LandingError, Ranges
from loaders.collector.store import DamagedError, Range
from loaders.home import Home
from loaders.landing.batches import LandingResult

_PATIENCE = 10.0  # seconds for a child that is told to end


class LandingProcess:
    """Use as a context. Not for several threads at once."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> LandingProcess:
        self._begin()
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    @property
    def pid(self) -> int | None:
        """The child's, or None where there is none at the moment."""
        return self._process.pid if self._process else None

    def land(self, folder: Path, given: Range, is_again: bool) -> Landed:
        """Let the child land a range; see `Landing`. Raises LandingError, also where it ended."""
        if self._process and self._process.poll() is not None:
            self._end()
        process = self._process or self._begin()
        assert process.stdin and process.stdout
        wanted = {"folder": str(folder), "given": asdict(given), "is_again": is_again}
        try:
            process.stdin.write(json.dumps(wanted).encode() + b"\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        except BrokenPipeError:
            answer = b""
        if not answer:
            self._end()
            raise LandingError("LandingProcessEnded")
        said = json.loads(answer)
        if said.get("error") == DamagedError.__name__:
            raise DamagedError
        if "error" in said:
            raise LandingError(said["error"], said["message"])
        return Landed(LandingResult(**said["result"]), said["damaged"])

    def _begin(self) -> subprocess.Popen[bytes]:
        # -P: modules come from where this process has its own, not from the current folder.
        command = [sys.executable, "-P", "-m", __name__, str(self._home.path), str(os.getpid())]
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter's
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin and process.stdout
        try:
            process.stdin.close()
            process.wait(_PATIENCE)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            process.kill()
            process.wait()
        process.stdout.close()


def main(home: Home, parent: int) -> None:
    """Land what the parent asks for, until its end.

    Without a parent this process ends at once: the end of an interpreter amid its work is told on
    standard error, which is the collector's log.
    """
    for told in (signal.SIGINT, signal.SIGTERM):  # who tells the parent to end may tell all
        signal.signal(told, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else is printed is no answer

    def check() -> None:
        # Without its parent a child may land a range that a new collector has landed and forgotten.
        if os.getppid() != parent:
            os._exit(1)

    ranges = Ranges(home, check)
    for line in sys.stdin.buffer:
        try:
            answers.write(json.dumps(_answer(ranges, json.loads(line))).encode() + b"\n")
            answers.flush()
        except BrokenPipeError:
            os._exit(1)
        pa.default_memory_pool().release_unused()  # or it keeps as much as a range once took


def _answer(ranges: Ranges, wanted: dict[str, Any]) -> dict[str, Any]:
    try:
        landed = ranges.land(
            Path(wanted["folder"]), Range(**wanted["given"]), bool(wanted["is_again"])
        )
    except Exception as error:  # the parent tells it, and asks again later
        told = LandingError.of(error)
        return {"error": told.kind, "message": told.message}
    return asdict(landed)


if __name__ == "__main__":
    main(Home(Path(sys.argv[1])), int(sys.argv[2]))
