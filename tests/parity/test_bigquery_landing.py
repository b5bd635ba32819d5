"""Landing on BigQuery: as on DuckDB, and once. Through Google's own client and the real command."""

from __future__ import annotations

import base64
import json
import random
import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from bigquery_place import (
    LOCATIONS,
    MARK,
    PROJECT,
    ROWS,
    Place,
    assay,
    bigquery_client,
    failed,
    landed_whole,
    make,
    place,
    reached,
    sent,
    service,
    stop_after,
)
from standin import StandIn

from loaders import bronze
from loaders.contracts import load_contracts
from loaders.home import init_home
from loaders.landing.batches import land_file

__all__ = ["place", "reached", "sent", "service"]  # fixtures


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
    lines = pa.table({"batch_id": [batch] * ROWS, "line_number": range(1, ROWS + 1)})
    silver = f"{place.dataset}_silver"
    place.service.put(silver, "stg_access__attempts", lines[2:])
    others = lines[:2].append_column("table_name", [["attempts"] * 2])
    place.service.put(silver, "int_access__duplicates", others)
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
    place.service.put(silver, "stg_access__attempts", lines[3:])
    assert "bronze is not silver + duplicates" in assay("ledger", home=place.home)[1]
    key = pa.table({"region": ["eu"], "version": [1], "key_id": ["another"]})
    place.service.put(place.dataset, "silver_key", key)
    assert "does not hold the key that silver was made with" in assay("status", home=place.home)[1]


def test_what_is_about_the_warehouse_does_not_touch_bigquery(place: Place):
    known = len(place.service.jobs)
    assert "dbt build --target bigquery_eu" in failed("refresh", home=place.home)
    assert len(place.service.jobs) == known
