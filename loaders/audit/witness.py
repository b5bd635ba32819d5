"""The witness: number and hash of every entry, kept outside the home.

Whoever can write all of the home can write another log with another head. The witness is a file
where they cannot: each entry adds a line to it and none is ever changed, so it may lie where files
can only grow. Its path comes from the environment and not from the home, which they write.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from loaders.audit.chain import Entry, Head
from loaders.durable import explained
from loaders.errors import AssayError
from loaders.home import Home

VARIABLE = "ASSAY_AUDIT_WITNESS"
_AGAIN = "run the command again: nothing was given out."


def witness_of(home: Home) -> Path | None:
    """The file that is the witness, None where none is set. Raises AssayError for one inside."""
    given = os.environ.get(VARIABLE)
    if not given:
        return None
    path = Path(given)
    if path.resolve().is_relative_to(home.path.resolve()):
        raise AssayError(
            f"{VARIABLE} names a file inside the home, where it witnesses nothing. "
            "Name one that is outside, where users of the home can add to it and no more."
        )
    return path


def testify(home: Home, entries: Iterable[Entry]) -> None:
    """Add entries to the witness, if there is one. They are durable when this returns."""
    path = witness_of(home)
    if path is None:
        return
    lines = b"".join(_line(entry) for entry in entries)
    with explained(path, _AGAIN), path.open("ab") as file:
        if _is_torn(path):
            file.write(b"\n")  # ends a line that an earlier process was killed within
        file.write(lines)
        file.flush()
        os.fsync(file.fileno())


def testimony(home: Home) -> tuple[list[Head], list[str]]:
    """What the witness has, in its order, and what is wrong with the file itself."""
    path = witness_of(home)
    if path is None:
        return [], []
    try:
        lines = [line for line in path.read_bytes().split(b"\n") if line]
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else type(error).__name__
        return [], [f"the witness {path} cannot be read: {why}"]
    heads, found = [], []
    for number, line in enumerate(lines, 1):
        try:
            told = json.loads(line)
            heads.append(Head(str(told["producer"]), int(told["sequence"]), str(told["hash"])))
        except (ValueError, KeyError, TypeError):
            # The beginning of a line that comes whole later: its process was killed or had no room.
            if not any(other.startswith(line) for other in lines[number:]):
                found.append(f"line {number} of the witness {path} cannot be read")
    return heads, found


def _line(entry: Entry) -> bytes:
    told = {name: entry[name] for name in ("producer", "sequence", "hash")}
    return json.dumps(told | {"timestamp": entry["timestamp"].isoformat()}).encode() + b"\n"


def _is_torn(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 1))
            return file.read() not in (b"", b"\n")
    except PermissionError:  # who may only add to it need not be able to read it
        return False
