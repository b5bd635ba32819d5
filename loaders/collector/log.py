"""What the collector says of its work: one JSON object per line, and never a value."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime


def say(event: str, **facts: object) -> None:
    """Write one line to standard error: ids, tables, counts, codes and durations only."""
    line = {"at": f"{datetime.now(UTC):%FT%T.%fZ}", "event": event, **facts}
    sys.stderr.write(json.dumps(line, separators=(",", ":"), default=str) + "\n")
    sys.stderr.flush()


def take_over() -> None:
    """Let what libraries log be lines of ours, without their words: these may quote anything."""
    logging.basicConfig(handlers=[_Lines(logging.WARNING)], force=True)


class _Lines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        kind = record.exc_info[0] if record.exc_info else None
        error = kind.__name__ if kind else None
        say("warned", by=record.name, level=record.levelname, line=record.lineno, error=error)
