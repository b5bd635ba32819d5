"""Requests for erasure that are not done yet, each a note in the home, for its owner alone.

It has to hold the value: a run that was killed is completed from it, by the next one. It goes when
nothing of the person is found any more.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from loaders import bronze
from loaders.contracts import load_contracts
from loaders.durable import durable_rename, explained, fsync_folder
from loaders.erasure.subject import Subject
from loaders.home import Home
from loaders.landing.batches import PIPELINE_VERSION

_BOOK = "data_subject_requests"


@dataclass(frozen=True)
class Request:
    """Who is to be erased, and the salt that tokens are made with, which goes with the note."""

    request_id: str
    kind: str
    values: tuple[str, ...]
    salt: str

    @property
    def subject(self) -> Subject:
        return Subject.of(self.kind, self.values)


def opened(home: Home, subject: Subject, request_id: str | None) -> Request:
    """A new request, noted."""
    name = request_id or secrets.token_hex(8)
    request = Request(name, subject.kind, subject.values, secrets.token_hex(32))
    path = note_of(home, request)
    with explained(path.parent, "erase again."):
        path.parent.mkdir(mode=0o700, exist_ok=True)
        aside = path.with_suffix(".new")
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(request), file)
            file.flush()
            os.fsync(file.fileno())
        durable_rename(aside, path)
    return request


def unfinished(home: Home) -> list[Request]:
    """Requests of which something is left to do."""
    notes = sorted((home.path / "erasures").glob("*.json"))
    said = [json.loads(path.read_text(encoding="utf-8")) for path in notes]
    return [Request(**{**one, "values": tuple(one["values"])}) for one in said]


def close(home: Home, request: Request) -> None:
    path = note_of(home, request)
    path.unlink()
    for left in path.parent.glob("*.new"):
        left.unlink()
    fsync_folder(path.parent)


def note_of(home: Home, request: Request) -> Path:
    """Where a request is noted. One person may have several notes under one id."""
    return home.path / "erasures" / f"{request.salt[:16]}.json"


def book(home: Home, request: Request, status: str) -> None:
    """Write the state of a request to bronze, where there is a table of such requests."""
    if _BOOK in load_contracts():
        now = datetime.now(UTC)
        state = {
            "request_id": request.request_id,
            "kind": "erasure",
            "status": status,
            "updated_at": now,
            "completed_at": now if status == "completed" else None,
            "ingested_at": now,
            "source_system": "assay",
            "pipeline_version": PIPELINE_VERSION,
        }
        batch_id = secrets.token_hex(16)
        bronze.write_rows(home, _BOOK, batch_id, [state | {"batch_id": batch_id}])
