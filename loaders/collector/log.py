"""What the collector says of its work: one JSON object per line, and never a value."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime


def say(event: str, **facts: object) -> None:
    """Write one line to standard error: ids, tables, counts, codes and durations only."""
    line = {"at": f"{datetime.now(UTC):%FT%T.%fZ}", "event": event, **facts}
    sys.stderr.write(json.dumps(line, separators=(",", ":"), default=str) + "\n")
    sys.stderr.flush()
