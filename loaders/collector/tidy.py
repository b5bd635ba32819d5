"""Keeping bronze in few files while a collector lands about one a second in every table.

`assay compact` does it in a process of its own: requests need not share the interpreter with it,
and it may die at any moment.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from loaders.collector import log
from loaders.compaction.plan import small_files
from loaders.home import Home

_EVERY_SECONDS = 60.0
_LONGEST_WAIT = 3600.0  # after tries that merged nothing
_NICENESS = 10


class Tidier:
    """Use as a context: merges small files whenever `many` wait."""

    def __init__(self, home: Home, many: int) -> None:
        self._home, self._many = home, many
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tidier", daemon=True)

    def __enter__(self) -> Tidier:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        seconds = _EVERY_SECONDS
        while not self._is_over.is_set():
            try:
                is_well = small_files(self._home) < self._many or self._compact()
            except OSError as error:
                is_well = False
                log.say("compact_failed", error=type(error).__name__)
            seconds = _EVERY_SECONDS if is_well else min(2 * seconds, _LONGEST_WAIT)
            self._is_over.wait(seconds)

    def _compact(self) -> bool:
        """Whether there are fewer files now."""
        began = time.monotonic()
        command = [str(Path(sys.executable).with_name("assay")), "compact", "--json"]
        with subprocess.Popen(  # noqa: S603 - our own interpreter's assay
            [*command, "--home", str(self._home.path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            os.setpriority(os.PRIO_PROCESS, process.pid, _NICENESS)
            while True:
                try:
                    said, complaint = process.communicate(timeout=0.2)
                    break
                except subprocess.TimeoutExpired:
                    if self._is_over.is_set():
                        process.terminate()
        if not said:
            if not self._is_over.is_set():
                log.say("compact_failed", error=complaint.strip().rpartition("\n")[2])
            return False
        tables = json.loads(said)["tables"]
        merged = [t for t in tables if t["files_after"] < t["files_before"]]
        log.say(
            "compacted",
            files={t["table"]: [t["files_before"], t["files_after"]] for t in merged},
            postponed=[t["table"] for t in tables if t["is_postponed"]],
            problems=[t["problem"] for t in tables if t["problem"]],
            duration_ms=round((time.monotonic() - began) * 1000, 2),
        )
        return bool(merged)
