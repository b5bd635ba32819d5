"""A home that lands on the stand-in, and what is there seen without the help of Assay."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from standin import Job, StandIn

from loaders.cli import main
from loaders.home import Home
from loaders.sinks.bigquery.sink import BigQuerySink

PROJECT = "a-project"


LOCATIONS = {"eu": "europe-west1", "us": "us-east1"}


ROWS, REFUSED = 12, 2


MARK = "Zq7731-secret"  # stands in values that no message may show


numbers = itertools.count(1)


@pytest.fixture
def service() -> Iterator[StandIn]:
    with StandIn(PROJECT) as started:
        yield started


@pytest.fixture(autouse=True)
def reached(service: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", service.endpoint)
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST_GRPC", service.grpc_endpoint)
    monkeypatch.setenv("ASSAY_BIGQUERY_RETRY_SECONDS", "1")


@dataclass(frozen=True)
class Place:
    """A home that lands on BigQuery, and how to look at what is there without Assay's help."""

    home: Home
    dataset: str
    service: StandIn

    def rows(self, table: str) -> list[dict[str, Any]]:
        return list(self.service.rows(f"{self.dataset}_bronze", table))

    def seen(self) -> tuple[int, int, int]:
        """Rows, dead letters and ledger lines."""
        attempts, letters, lines = (
            len(self.rows(table)) for table in ("attempts", "dead_letters", "landing_ledger")
        )
        return attempts, letters, lines

    def loads(self) -> list[Job]:
        """The jobs that loaded, or tried to load, something into bronze."""
        bronze_of = f"{self.dataset}_bronze"
        return [
            job
            for job in self.service.jobs
            if job.kind == "load" and job.target and job.target.dataset == bronze_of
        ]

    def waits(self) -> int:
        """Batches that are committed in the home, and not there yet."""
        return len(list(self.home.bronze.glob(".committed/*")))


WHOLE = (ROWS, REFUSED, 1)


def assay(*arguments: object, home: Home | Path | None = None) -> tuple[int, str]:
    """The command: exit code and all that it said, which is one line where it failed."""
    where = ["--home", str(home.path if isinstance(home, Home) else home)] if home else []
    result = CliRunner().invoke(main, [*map(str, arguments), *where])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert MARK not in result.output
    return result.exit_code, result.output


def failed(*arguments: object, home: Home | Path) -> str:
    code, said = assay(*arguments, home=home)
    assert code == 1, said
    assert said.count("\n") == 1, said
    return said


def make(
    service: StandIn, folder: Path, residency: str = "eu", dataset: str | None = None, *more: str
) -> Place:
    name = dataset or f"t{next(numbers)}_{residency}"
    named = ["--bigquery", PROJECT, "--dataset", name, "--residency", residency]
    code, said = assay("init", *named, *more, home=folder)
    assert code == 0, said
    return Place(Home(folder), name, service)


@pytest.fixture
def place(service: StandIn, tmp_path: Path) -> Place:
    return make(service, tmp_path / "home")


@pytest.fixture
def sent(tmp_path: Path) -> Path:
    """A file of good records, awkward ones among them, and two that are refused."""
    rows = [
        {
            "event_id": f"e{n}",
            "timestamp": f"2026-05-0{1 + n % 9}T23:59:59.{n:06}Z",
            "action": ("login", "signup")[n % 2],
            "status": "success",
            "email": f"{MARK}{n}@mail.example" if n % 3 else None,
            "resp": ("plain", 'a "quote", a\nbreak', "Jürgen 東京 🎲", None)[n % 4],
            "duration": 10**15 + n if n % 5 else None,
            "producer": "api",
            "sequence": n,
        }
        for n in range(ROWS)
    ]
    lines = [json.dumps(row) for row in rows]
    refused = [f"{{broken {MARK}", json.dumps(rows[0] | {"timestamp": MARK})]
    file = tmp_path / "sent.jsonl"
    file.write_text("\n".join([*lines, *refused]), encoding="utf-8")
    return file


def landed_whole(place: Place, sent: Path) -> None:
    """All of the batch is there, once; the books balance; the next landing finds nothing to do."""
    assert place.seen() == WHOLE
    names = Counter(row["event_id"] for row in place.rows("attempts"))
    assert names == Counter(f"e{n}" for n in range(ROWS))
    code, said = assay("ledger", "--json", home=place.home)
    assert code == 0, said
    [batch] = json.loads(said)["batches"]
    assert (batch["received"], batch["accepted"], batch["bronze"]) == (ROWS + REFUSED, ROWS, ROWS)
    assert (batch["rejected"], batch["dead_letters"]) == (REFUSED, REFUSED)
    assert "landed before" in assay("land", "attempts", sent, home=place.home)[1]
    assert place.seen() == WHOLE
    assert place.waits() == 0


def bigquery_client(residency: str = "eu") -> bigquery.Client:
    return bigquery.Client(PROJECT, AnonymousCredentials(), location=LOCATIONS[residency])


def stop_after(loads: int, patch: pytest.MonkeyPatch) -> None:
    """End a landing as Ctrl-C does, between two loads of its batch."""
    load, done = BigQuerySink._load, itertools.count(1)

    def stopped(sink: BigQuerySink, file: Path) -> None:
        if next(done) > loads:
            raise KeyboardInterrupt
        load(sink, file)

    patch.setattr(BigQuerySink, "_load", stopped)
