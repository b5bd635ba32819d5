"""Every run of a stage leaves a row in bronze `pipeline_runs` that says how it ended.

While a run lives there is a note of it in the home. Only who has the turn runs a stage, so a note
that the next one finds is that of a killed run, and is recorded as such.
"""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loaders import bronze
from loaders.durable import durable_file, durable_rename, explained, fsync_folder
from loaders.home import Home
from loaders.landing.batches import PIPELINE_VERSION

# Codes of the error-code seed. Of a stage that failed it is `<stage>_failed`.
KILLED, STOPPED, TURN_TAKEN = "run_killed", "run_stopped", "turn_taken"

_TABLE = "pipeline_runs"

Pipeline = tuple[str, str]  # id and name


@contextlib.contextmanager
def recorded(
    home: Home, stage: str, pipeline: Pipeline, **details: Any
) -> Iterator[dict[str, Any]]:
    """Write the run of a stage to bronze, whether it succeeds, fails or is told to stop.

    For who has the turn. What is put into the yielded dictionary is recorded too, its `details`
    beside the ones given.
    """
    begun = _begun(stage, pipeline, details)
    note = _note(home, begun)
    run: dict[str, Any] = {"status": "succeeded", "error_code": None, "details": {}}
    try:
        yield run
    except BaseException as error:
        was_told = isinstance(error, (KeyboardInterrupt, SystemExit))
        run |= {"status": "failed", "error_code": STOPPED if was_told else f"{stage}_failed"}
        raise
    finally:
        run |= {"details": details | run["details"], "finished_at": datetime.now(UTC)}
        _write(home, begun | run)
        note.unlink()
        fsync_folder(note.parent)


def record_refused(home: Home, stage: str, pipeline: Pipeline, code: str, **details: Any) -> None:
    """Write the run of a stage that was not let begin."""
    ended = {"status": "failed", "error_code": code, "finished_at": datetime.now(UTC)}
    _write(home, _begun(stage, pipeline, details) | ended)


def record_killed(home: Home) -> None:
    """Write the runs that were killed. For who has the turn."""
    for path in sorted(_notes(home).glob("*.json")):
        begun = json.loads(path.read_bytes())
        # It may have been killed between its row and the end of its note.
        if not bronze.read_rows(home, _TABLE, begun["run_id"], ["run_id"]):
            _write(home, begun | {"status": "failed", "error_code": KILLED})
        path.unlink()
    for path in _notes(home).glob("*.new"):
        path.unlink()


def _begun(stage: str, pipeline: Pipeline, details: dict[str, Any]) -> dict[str, Any]:
    return {
        "run_id": uuid.uuid4().hex,
        "pipeline_id": pipeline[0],
        "pipeline_name": pipeline[1],
        "stage": stage,
        "started_at": datetime.now(UTC).isoformat(),
        "details": details,
    }


def _note(home: Home, begun: dict[str, Any]) -> Path:
    path = _notes(home) / f"{begun['run_id']}.json"
    aside = path.with_suffix(".new")
    with explained(path.parent, "run the command again."):
        path.parent.mkdir(exist_ok=True)
        with durable_file(aside) as file:
            file.write(json.dumps(begun).encode())
        durable_rename(aside, path)
    return path


def _notes(home: Home) -> Path:
    return home.path / "runs"


def _write(home: Home, run: dict[str, Any]) -> None:
    row = {
        **run,
        "started_at": datetime.fromisoformat(run["started_at"]),
        "details": json.dumps(run["details"]) if run["details"] else None,
        "ingested_at": datetime.now(UTC),
        "batch_id": run["run_id"],
        "source_system": "assay",
        "pipeline_version": PIPELINE_VERSION,
    }
    bronze.write_rows(home, _TABLE, run["run_id"], [row])
