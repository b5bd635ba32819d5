"""Landing on BigQuery: as on DuckDB, once, and a service that fails costs time and nothing else.

Against the stand-in, through Google's own client and the real command.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import random
import secrets
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from standin import Job, StandIn

from loaders import bronze
from loaders.cli import main
from loaders.contracts import load_contracts
from loaders.home import Home, init_home
from loaders.landing.batches import land_file
from loaders.sinks.bigquery.service import Service
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
    monkeypatch.setenv("ASSAY_BIGQUERY_RETRY_SECONDS", "1")


@pytest.fixture
def dice() -> random.Random:
    """Randomness of a printed seed. ASSAY_SEED repeats one."""
    seed = int(os.environ.get("ASSAY_SEED") or secrets.randbelow(2**32))
    print(f"ASSAY_SEED={seed}")
    return random.Random(seed)


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


# --- what is made


def test_every_table_is_made_as_its_contract_says(place: Place):
    client = bigquery_client()
    for contract in load_contracts().values():
        table = client.get_table(f"{PROJECT}.{place.dataset}_bronze.{contract.table}")
        types = {field.name: field.field_type for field in table.schema}
        assert list(types) == [*(c.name for c in contract.kept_columns), "ingest_date"]
        assert types["ingest_date"] == "DATE"
        assert table.time_partitioning.field == "ingest_date"
        assert table.time_partitioning.expiration_ms == contract.retention_days * 86_400_000
        assert tuple(table.clustering_fields or ()) == contract.cluster_by[:4]
        assert table.labels["tool"] == "assay"
        assert table.description


def test_making_it_again_changes_nothing(place: Place, sent: Path):
    """Rows, keys and tables stay as they are."""
    assay("land", "attempts", sent, home=place.home)
    client = bigquery_client()
    name = f"{PROJECT}.{place.dataset}_bronze.attempts"
    keys, table = place.home.vault.read_bytes(), client.get_table(name)
    again = make(place.service, place.home.path, "eu", place.dataset)
    assert again.seen() == WHOLE
    assert place.home.vault.read_bytes() == keys
    assert client.get_table(name).modified == table.modified


def test_the_reader_has_gold_and_nothing_else(service: StandIn, tmp_path: Path):
    """And the loader bronze, and the builder no right to change bronze or keys."""
    accounts = {"reader": "bi@x.example", "builder": "dbt@x.example", "loader": "in@x.example"}
    options = [word for role, email in accounts.items() for word in (f"--{role}", email)]
    place = make(service, tmp_path / "home", "us", None, *options)
    client = bigquery_client("us")
    granted: dict[str, dict[str, str]] = {email: {} for email in accounts.values()}
    for item in client.list_datasets():
        if not item.dataset_id.startswith(place.dataset):
            continue
        for entry in client.get_dataset(item.dataset_id).access_entries:
            assert entry.entity_id not in ("projectReaders", "projectWriters")
            if entry.entity_id in granted:
                layer = item.dataset_id.removeprefix(place.dataset) or "main"
                granted[entry.entity_id][layer] = entry.role.lower()
    assert set(granted["bi@x.example"]) == {"_gold"}
    assert "viewer" in granted["bi@x.example"]["_gold"]
    assert set(granted["in@x.example"]) == {"_bronze"}
    assert set(granted["dbt@x.example"]) == {"_bronze", "_silver", "_gold", "_vault", "main"}
    writes = {layer for layer, role in granted["dbt@x.example"].items() if "editor" in role}
    assert writes == {"_silver", "_gold", "main"}


@pytest.mark.parametrize("layer", ["_bronze", "_silver", "_gold", "_vault"])
def test_nobody_gets_in_by_seeing_the_project(place: Place, layer: str):
    """As BigQuery's own default for a dataset would have it. Who was let in by name stays."""
    client = bigquery_client()
    dataset = client.get_dataset(f"{PROJECT}.{place.dataset}{layer}")
    dataset.access_entries = [
        bigquery.AccessEntry("READER", "specialGroup", "projectReaders"),
        bigquery.AccessEntry("WRITER", "specialGroup", "projectWriters"),
        bigquery.AccessEntry("READER", "userByEmail", "auditor@x.example"),
    ]
    client.update_dataset(dataset, ["access_entries"])
    make(place.service, place.home.path, "eu", place.dataset)
    entries = client.get_dataset(dataset.reference).access_entries
    assert [entry.entity_id for entry in entries] == ["auditor@x.example"]


def test_a_copy_for_recovery_is_made_once_and_nobody_is_granted_it(
    service: StandIn, tmp_path: Path
):
    place = make(service, tmp_path / "home", "us", None, "--replica", "--reader", "bi@x.example")
    make(service, tmp_path / "home", "us", place.dataset, "--replica")
    replicas = {
        name.removeprefix(place.dataset): dataset.replicas
        for (_, name), dataset in service.warehouse.datasets.items()
    }
    copied = {name: places for name, places in replicas.items() if places}
    assert copied == {layer: {"us-west1"} for layer in ("_bronze", "_silver", "_gold")}
    grants = [e for d in bigquery_client().list_datasets() for e in _readers(d.dataset_id)]
    assert grants == [f"{place.dataset}_gold"]


def _readers(dataset: str) -> list[str]:
    entries = bigquery_client().get_dataset(f"{PROJECT}.{dataset}").access_entries
    return [dataset for entry in entries if entry.entity_id == "bi@x.example"]


def test_the_second_home_of_a_dataset_has_its_keys(place: Place, tmp_path: Path):
    """Two keys would count every person twice."""
    other = make(place.service, tmp_path / "other", "eu", place.dataset)
    listed = [assay("vault", "status", home=h)[1] for h in (place.home, other.home)]
    assert listed[0] == listed[1]
    (row,) = place.service.rows(f"{place.dataset}_vault", "salts")
    assert row["key_id"] in listed[0]

    shutil.copy(init_home(tmp_path / "stranger")[0].vault, other.home.vault)
    init = ["init", "--bigquery", PROJECT, "--dataset", place.dataset]
    assert "it holds other keys" in failed(*init, home=other.home)
    assert len(place.service.rows(f"{place.dataset}_vault", "salts")) == 1


def test_a_rotation_reaches_bigquery(place: Place):
    said = assay("vault", "rotate", home=place.home)[1]
    assert "dbt build --target bigquery_eu carries silver over" in said
    rows = place.service.rows(f"{place.dataset}_vault", "salts")
    assert {row["version"]: row["retired_at"] is None for row in rows} == {1: False, 2: True}
    [run] = place.rows("pipeline_runs")
    assert (run["stage"], run["status"]) == ("rotate", "succeeded")


# --- landing


def test_rows_are_those_of_the_parquet_sink(place: Place, sent: Path, tmp_path: Path):
    """Typed, row for row, in every table; the day is a column here and a folder there."""
    here = init_home(tmp_path / "here")[0]
    land_file(here, "attempts", sent)
    land_file(place.home, "attempts", sent)
    times = {"ingested_at", "started_at", "finished_at", "received_at"}
    for table in ("attempts", "dead_letters", "landing_ledger"):
        key = load_contracts()[table].key

        def comparable(row: dict[str, Any]) -> dict[str, Any]:
            kept = {name: value for name, value in row.items() if name not in times}
            assert isinstance(kept.pop("ingest_date"), date)
            return kept

        ours = sorted(map(comparable, place.rows(table)), key=lambda row: row[key])
        theirs = bronze.query(here, [table], f"select * from bronze.{table}").to_pylist()
        assert ours == sorted(map(comparable, theirs), key=lambda row: row[key])
        assert ours
    for row in place.rows("attempts"):
        assert row["ingest_date"] == row["ingested_at"].date()


def test_a_batch_lands_once_and_the_books_balance(place: Place, sent: Path):
    code, said = assay("land", "attempts", sent, home=place.home)
    assert code == 0
    assert said.splitlines()[-1] == (
        "sent.jsonl: received 14, accepted 12, rejected 2 (payload_malformed 1, time_violation 1)"
    )
    landed_whole(place, sent)
    letters = {row["code"]: row["raw"] for row in place.rows("dead_letters")}
    assert letters["payload_malformed"] == f"{{broken {MARK}".encode()


def test_the_ledger_says_so_when_the_home_is_gone(place: Place, sent: Path):
    """From a new home, and whatever the project remembers of its jobs."""
    assay("land", "attempts", sent, home=place.home)
    before = len(place.loads())
    shutil.rmtree(place.home.path)
    make(place.service, place.home.path, "eu", place.dataset)
    landed_whole(place, sent)
    assert len(place.loads()) == before


def test_a_home_that_dies_between_two_loads_is_finished_from_another(
    place: Place, sent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The rows are there, the ledger is not: the ids of the jobs keep them single."""
    with monkeypatch.context() as patched:
        stop_after(1, patched)
        with pytest.raises(KeyboardInterrupt):
            land_file(place.home, "attempts", sent)
    assert place.seen() == (ROWS, 0, 0)
    shutil.rmtree(place.home.path)
    other = make(place.service, tmp_path / "other", "eu", place.dataset)
    assert assay("land", "attempts", sent, home=other.home)[0] == 0
    landed_whole(other, sent)


def test_a_dataset_that_was_made_anew_gets_its_rows(place: Place, sent: Path):
    """Though the project remembers that the jobs of the old one were done."""
    assay("land", "attempts", sent, home=place.home)
    client = bigquery_client()
    client.delete_dataset(f"{PROJECT}.{place.dataset}_bronze", delete_contents=True)
    make(place.service, place.home.path, "eu", place.dataset)
    assert place.seen() == (0, 0, 0)
    assert assay("land", "attempts", sent, home=place.home)[0] == 0
    landed_whole(place, sent)


def test_two_datasets_of_a_project_do_not_share_jobs(place: Place, sent: Path, tmp_path: Path):
    other = make(place.service, tmp_path / "other")
    for each in (place, other):
        assert assay("land", "attempts", sent, home=each.home)[0] == 0
        landed_whole(each, sent)


def test_jobs_run_where_the_residency_is_and_say_whose_they_are(
    service: StandIn, sent: Path, tmp_path: Path
):
    for residency, location in LOCATIONS.items():
        place = make(service, tmp_path / residency, residency)
        known = len(service.jobs)
        assay("land", "attempts", sent, home=place.home)
        assay("status", home=place.home)
        jobs = service.jobs[known:]
        assert {job.kind for job in jobs} == {"load", "query"}
        assert {job.location for job in jobs} == {location}
        assert {job.labels["residency"] for job in jobs} == {residency}
        assert [job.labels["table"] for job in place.loads()] == [
            "attempts",
            "dead_letters",
            "landing_ledger",
        ]


def test_a_replay_lands_what_was_mended(place: Place, sent: Path, tmp_path: Path):
    sent.write_text('{"id": "e1", "when": "2026-05-01T10:00:00Z", "action": "login"}\n')
    assay("land", "attempts", sent, home=place.home)
    assert place.seen() == (0, 1, 1)
    mapping = tmp_path / "map.yml"
    mapping.write_text("rename: {when: timestamp, id: event_id}\nconstants: {status: success}\n")
    code, said = assay("replay", "--map", mapping, home=place.home)
    assert (code, said) == (0, "attempts: tried 1, accepted 1, refused again 0\n")
    assert place.seen() == (1, 2, 2)
    assert assay("replay", "--map", mapping, home=place.home)[1] == "No dead letters wait.\n"
    assert assay("ledger", home=place.home)[0] == 0


def test_gaps_are_found(place: Place, sent: Path):
    lines = sent.read_text(encoding="utf-8").splitlines()
    sent.write_text("\n".join(lines[:3] + lines[7:ROWS]), encoding="utf-8")
    assay("land", "attempts", sent, home=place.home)
    said = assay("ledger", "--gaps", home=place.home)[1]
    assert said.splitlines()[0] == "attempts  api  3 to 6, 4 missing"


def test_the_books_name_what_does_not_add_up(place: Place, sent: Path):
    """A row that somebody slipped in."""
    assay("land", "attempts", sent, home=place.home)
    table = f"`{PROJECT}`.`{place.dataset}_bronze`.attempts"
    sql = f"insert into {table} select * from {table} where event_id = 'e1'"
    bigquery_client().query(sql, location=LOCATIONS["eu"]).result()
    code, said = assay("ledger", home=place.home)
    assert code == 1
    assert "UNBALANCED: accepted is not what bronze holds" in said


def test_a_file_that_is_sent_in_pieces_lands_whole(place: Place, sent: Path, dice: random.Random):
    """Beyond 5 MiB, Google's client uploads in another way."""
    texts = [base64.b64encode(dice.randbytes(1_500_000)).decode() for _ in range(4)]
    rows = [
        {"event_id": f"e{n}", "timestamp": "2026-05-01T10:00:00Z", "action": "login"}
        | {"status": "success", "resp": text}
        for n, text in enumerate(texts)
    ]
    sent.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert assay("land", "attempts", sent, home=place.home)[0] == 0
    assert [row["resp"] for row in place.rows("attempts")] == texts


def test_two_that_finish_the_same_batch_do_it_once(
    place: Place, sent: Path, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patched:
        stop_after(0, patched)
        with pytest.raises(KeyboardInterrupt):
            land_file(place.home, "attempts", sent)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: bronze.recover(place.home), range(3)))
    assert len(place.loads()) == 3
    landed_whole(place, sent)


def test_a_batch_whose_rows_have_expired_is_neither_missed_nor_landed_again(
    place: Place, sent: Path
):
    """The ledger outlives the rows by years."""
    assay("land", "attempts", sent, home=place.home)
    client = bigquery_client()
    for table in ("attempts", "dead_letters"):
        client.query(f"delete from `{place.dataset}_bronze`.{table} where true").result()
    assert "accepted is not what bronze holds" in assay("ledger", home=place.home)[1]
    old = f"update `{place.dataset}_bronze`.landing_ledger set ingest_date = date '2020-01-01'"
    client.query(f"{old} where true").result()
    code, said = assay("ledger", "--json", home=place.home)
    assert (code, json.loads(said)["batches"]) == (0, [])
    assert "landed before" in assay("land", "attempts", sent, home=place.home)[1]


def test_the_books_go_on_in_silver(place: Place, sent: Path):
    """What dbt made and remembers is read where it is on BigQuery."""
    batch = land_file(place.home, "attempts", sent).batch_id
    kept, others = [batch] * (ROWS - 2), [batch] * 2
    silver = f"{place.dataset}_silver"
    place.service.put(silver, "stg_access__attempts", pa.table({"batch_id": kept}))
    duplicates = {"batch_id": others, "table_name": ["attempts"] * 2}
    place.service.put(silver, "int_access__duplicates", pa.table(duplicates))
    build = {
        "build_id": ["b1"],
        "started_at": pa.array([datetime(2100, 1, 1, tzinfo=UTC)], pa.timestamp("us", tz="UTC")),
        "is_green": [True],
        "failed_nodes": [0],
        "models": ["stg_access__attempts"],
    }
    place.service.put(place.dataset, "last_build", pa.table(build))
    code, said = assay("ledger", home=place.home)
    assert code == 0
    assert f"bronze {ROWS}; silver {ROWS - 2} + duplicates 2" in said
    assert "last build  2100-01-01 00:00 UTC, green" in assay("status", home=place.home)[1]
    place.service.put(silver, "stg_access__attempts", pa.table({"batch_id": kept[1:]}))
    assert "bronze is not silver + duplicates" in assay("ledger", home=place.home)[1]
    key = pa.table({"region": ["eu"], "version": [1], "key_id": ["another"]})
    place.service.put(place.dataset, "silver_key", key)
    assert "does not hold the key that silver was made with" in assay("status", home=place.home)[1]


def test_an_account_that_only_lands_makes_nothing_and_has_no_keys(
    place: Place, sent: Path, tmp_path: Path
):
    before = dict(place.service.warehouse.datasets)
    lander = make(place.service, tmp_path / "lander", "eu", place.dataset, "--land-only")
    assert place.service.warehouse.datasets == before
    assert not lander.home.vault.exists()
    assert assay("land", "attempts", sent, home=lander.home)[0] == 0
    landed_whole(lander, sent)
    assert "vault" not in assay("status", home=lander.home)[1].lower()


# --- what fails


def stop_after(loads: int, patch: pytest.MonkeyPatch) -> None:
    """End a landing as Ctrl-C does, between two loads of its batch."""
    load, done = BigQuerySink._load, itertools.count(1)

    def stopped(sink: BigQuerySink, file: Path) -> None:
        if next(done) > loads:
            raise KeyboardInterrupt
        load(sink, file)

    patch.setattr(BigQuerySink, "_load", stopped)


@pytest.mark.parametrize("loads", [0, 1, 2, 3])
def test_a_landing_that_is_stopped_between_loads_is_finished_by_the_next(
    place: Place, sent: Path, loads: int, monkeypatch: pytest.MonkeyPatch
):
    """Until the ledger has it, it is not landed; and whoever looks at the books finishes it."""
    with monkeypatch.context() as patched:
        stop_after(loads, patched)
        if loads < 3:
            with pytest.raises(KeyboardInterrupt):
                land_file(place.home, "attempts", sent)
    if loads < 3:
        assert place.seen() == tuple(
            count if loads > at else 0 for at, count in enumerate((ROWS, REFUSED, 1))
        )
        assert place.waits() == 1
    else:
        land_file(place.home, "attempts", sent)
    assert assay("status", home=place.home)[0] == 0
    landed_whole(place, sent)


def test_a_service_that_is_down_loses_nothing(
    place: Place, sent: Path, monkeypatch: pytest.MonkeyPatch
):
    """It goes down once the batch is committed; the next command of any kind completes it."""
    other = sent.with_name("other.jsonl")
    other.write_text(sent.read_text(encoding="utf-8").replace(': "e', ': "f'), encoding="utf-8")
    with monkeypatch.context() as patched:
        load = Service.load

        def down(service: Service, *arguments: Any) -> None:
            place.service.stop()
            service.client.close()  # or a connection that is open would still be answered
            load(service, *arguments)

        patched.setattr(Service, "load", down)
        said = failed("land", "attempts", sent, home=place.home)
    assert "cannot be reached" in said
    assert "Nothing is lost" in said
    assert place.waits() == 1
    assert "cannot be reached" in failed("land", "attempts", other, home=place.home)
    place.service.start()
    assert assay("ledger", home=place.home)[0] == 0
    landed_whole(place, sent)
    assert assay("land", "attempts", other, home=place.home)[0] == 0
    assert place.seen() == (2 * ROWS, 2 * REFUSED, 2)


@pytest.mark.parametrize("in_job", [False, True])
def test_a_short_trouble_is_not_even_seen(
    place: Place, sent: Path, service: StandIn, in_job: bool, monkeypatch: pytest.MonkeyPatch
):
    """A job that is not taken, or that the service itself could not finish."""
    monkeypatch.setenv("ASSAY_BIGQUERY_RETRY_SECONDS", "20")
    service.fail_next(reason="backendError", on="load", in_job=in_job)
    assert assay("land", "attempts", sent, home=place.home)[0] == 0
    landed_whole(place, sent)


@pytest.mark.parametrize("times", [1, 3])
def test_an_answer_that_is_lost_leads_to_no_second_load(
    place: Place, sent: Path, service: StandIn, times: int, monkeypatch: pytest.MonkeyPatch
):
    """The job ran, and the connection broke before the answer came: of one table, or of each."""
    monkeypatch.setenv("ASSAY_BIGQUERY_RETRY_SECONDS", "20")
    service.fail_next(reason="connectionDropped", times=times, on="load")
    assert assay("land", "attempts", sent, home=place.home)[0] == 0
    assert len(place.loads()) == 3
    landed_whole(place, sent)


@pytest.mark.parametrize("in_job", [False, True])
@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("quotaExceeded", "a quota is used up"),
        ("accessDenied", "permission denied"),
        ("backendError", "cannot be reached"),
    ],
)
def test_a_refusal_is_said_in_one_line_and_loses_nothing(
    place: Place, sent: Path, service: StandIn, reason: str, words: str, in_job: bool
):
    """Before the job runs or while it does; the next command completes the batch."""
    service.fail_next(reason=reason, times=100, on="load", in_job=in_job)
    said = failed("land", "attempts", sent, home=place.home)
    assert words in said
    assert f"table {place.dataset}_bronze.attempts" in said
    assert "Nothing is lost" in said
    if reason == "accessDenied":
        assert f"roles/bigquery.dataEditor on dataset {place.dataset}_bronze" in said
    assert place.waits() == 1
    assert place.seen() == (0, 0, 0)
    service.mend()
    assert assay("status", home=place.home)[0] == 0
    landed_whole(place, sent)


def test_the_tests_can_see_a_second_load(
    place: Place, sent: Path, service: StandIn, monkeypatch: pytest.MonkeyPatch
):
    """Planted fault: with ids that are not deterministic, a lost answer doubles the rows."""
    send = bigquery.Client.load_table_from_file

    def forgetful(client: bigquery.Client, *arguments: Any, **options: Any) -> Any:
        options["job_id"] = f"{options['job_id']}_{next(numbers)}"
        return send(client, *arguments, **options)

    monkeypatch.setenv("ASSAY_BIGQUERY_RETRY_SECONDS", "20")
    monkeypatch.setattr(bigquery.Client, "load_table_from_file", forgetful)
    service.fail_next(reason="connectionDropped", on="load")
    assay("land", "attempts", sent, home=place.home)
    assert place.seen() == (2 * ROWS, REFUSED, 1)


def test_a_dataset_elsewhere_is_refused_before_anything_is_sent(
    service: StandIn, sent: Path, tmp_path: Path
):
    """When the home is made, and when the dataset was made anew elsewhere since."""
    client = bigquery_client()
    name = f"t{next(numbers)}_eu"
    elsewhere = bigquery.Dataset(f"{PROJECT}.{name}_bronze")
    elsewhere.location = "US"
    client.create_dataset(elsewhere)
    home = tmp_path / "home"
    line = failed("init", "--bigquery", PROJECT, "--dataset", name, home=home)
    assert f"dataset {name}_bronze: it lies in US" in line
    assert "europe-west1 by seeds/residencies.csv" in line
    assert not (home / "home.json").exists()

    place = make(service, tmp_path / "other")
    client.delete_dataset(f"{PROJECT}.{place.dataset}_bronze", delete_contents=True)
    moved = bigquery.Dataset(f"{PROJECT}.{place.dataset}_bronze")
    moved.location = "US"
    client.create_dataset(moved)
    failed("land", "attempts", sent, home=place.home)
    assert place.loads() == []


def test_a_table_that_is_gone_says_how_to_make_it(place: Place, sent: Path):
    bigquery_client().delete_table(f"{PROJECT}.{place.dataset}_bronze.attempts")
    said = failed("land", "attempts", sent, home=place.home)
    assert "it is not there" in said
    assert "assay init --bigquery" in said
    make(place.service, place.home.path, "eu", place.dataset)
    landed_whole(place, sent)


def change_table(place: Place, change: Callable[[list[Any]], list[Any]]) -> None:
    """Make the table of attempts anew with other columns."""
    client = bigquery_client()
    table = client.get_table(f"{PROJECT}.{place.dataset}_bronze.attempts")
    client.delete_table(table)
    made = bigquery.Table(table.reference, schema=change(list(table.schema)))
    made.time_partitioning = bigquery.TimePartitioning(field="ingest_date")
    client.create_table(made)


def test_a_column_of_another_type_is_named(place: Place, sent: Path):
    """By landing and by init; no job is sent, and the batch waits."""
    known = len(place.loads())

    def other_type(fields: list[Any]) -> list[Any]:
        return [
            bigquery.SchemaField("duration", "STRING") if field.name == "duration" else field
            for field in fields
        ]

    change_table(place, other_type)
    for command in (
        ["land", "attempts", sent],
        ["init", "--bigquery", PROJECT, "--dataset", place.dataset],
    ):
        line = failed(*command, home=place.home)
        assert f"table {place.dataset}_bronze.attempts: schema drift, column duration" in line
        assert "STRING, and INTEGER in its contract" in line
    assert len(place.loads()) == known
    assert place.waits() == 1


def test_a_column_that_is_missing_is_added(place: Place, sent: Path):
    change_table(place, lambda fields: [f for f in fields if f.name != "referrer"])
    line = failed("land", "attempts", sent, home=place.home)
    assert "schema drift, column referrer" in line
    make(place.service, place.home.path, "eu", place.dataset)
    landed_whole(place, sent)
    assert "referrer" in place.rows("attempts")[0]


def test_what_is_about_the_warehouse_does_not_touch_bigquery(place: Place):
    known = len(place.service.jobs)
    assert "dbt build --target bigquery_eu" in failed("refresh", home=place.home)
    assert len(place.service.jobs) == known


def bigquery_client(residency: str = "eu") -> bigquery.Client:
    return bigquery.Client(PROJECT, AnonymousCredentials(), location=LOCATIONS[residency])
