"""Batches by stream: the rows that a load job makes, once, and readable when they are there."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from bigquery_place import Place, assay, make, place, reached, sent, service
from standin import StandIn
from streaming import TABLES, any_value, batch, plain, there, waiting, whole

from loaders import bronze
from loaders.contracts import Contract, contract_of, load_contracts
from loaders.home import Home, init_home

__all__ = ["place", "reached", "sent", "service"]  # fixtures

ASSAY = Path(sys.executable).with_name("assay")


def test_rows_and_types_are_those_of_a_load_job(
    service: StandIn, tmp_path: Path, dice: random.Random
):
    """Of every table, with all types, nulls and the ends of their ranges."""
    loaded, streamed = (make(service, tmp_path / name) for name in ("loaded", "streamed"))
    now = datetime.now(UTC)
    for table, contract in load_contracts().items():
        rows = [{c.name: any_value(c, dice) for c in contract.kept_columns} for _ in range(40)]
        data = pa.Table.from_pylist(rows, schema=contract.arrow_schema)
        for where, prompt in ((loaded, False), (streamed, True)):
            made = bronze.Batch(where.home, f"batch-{table}", now, prompt)
            made.append(table, data)
            made.commit()
        ours, theirs = streamed.rows(table), loaded.rows(table)
        assert len(theirs) == len(rows)
        assert ours == theirs
        assert [[type(value) for value in row.values()] for row in ours] == [
            [type(value) for value in row.values()] for row in theirs
        ]
        assert {row["ingest_date"] for row in ours} == {now.date()}
    assert streamed.loads() == []
    assert {append.table.table for append in service.writes.appends} == set(load_contracts())


def test_data_come_first_and_the_ledger_last_and_what_is_there_can_be_read(place: Place):
    batch(place.home, "a")
    order = [append.table.table for append in place.service.writes.appends]
    assert order == list(TABLES)
    assert there(place) == whole("a")
    assert bronze.is_landed(place.home, "a")
    assert [row["event_id"] for row in bronze.read_rows(place.home, "attempts", "a")] == [
        "a-0",
        "a-1",
        "a-2",
    ]
    assert waiting(place.home) == []
    assert place.loads() == []


def test_one_connection_and_one_stream_serve_many_batches(place: Place):
    for number in range(10):
        batch(place.home, f"b{number}")
    assert there(place) == whole(*(f"b{number}" for number in range(10)))
    assert place.service.writes.calls == len(TABLES)
    assert len(place.service.writes.streams) == len(TABLES)


def test_a_repeat_changes_nothing(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What was removed from the home comes back, as it may after a loss of power."""
    kept = tmp_path / "kept"
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", lambda folder, **_: None)
        patched.setattr(Path, "unlink", lambda *_, **__: None)
        batch(place.home, "a")
    [folder] = waiting(place.home)
    shutil.copytree(folder, kept)
    for _ in range(2):
        bronze.recover(place.home)
        assert there(place) == whole("a")
        assert waiting(place.home) == []
        shutil.copytree(kept, folder)


def test_files_go_by_job_and_say_so_for_whoever_finishes_them(
    place: Place, sent: Path, monkeypatch: pytest.MonkeyPatch
):
    """The way is the name of the folder, so that nobody takes another one later."""
    seen: list[str] = []
    with monkeypatch.context() as patched:
        patched.setattr(
            "loaders.sinks.bigquery.sink.BigQuerySink.publish",
            lambda _, committed: seen.append(committed.name),
        )
        assay("land", "attempts", sent, home=place.home)
        batch(place.home, "b")
    assert seen[1] == "b.streamed"
    assert len(seen[0]) == 32
    assert bronze.recover(place.home) == 2
    assert len(place.loads()) == len(TABLES)
    assert {append.rows for append in place.service.writes.appends} == {1, 3}
    assert waiting(place.home) == []


def test_without_a_stream_the_prompt_are_like_all_others(tmp_path: Path):
    home = init_home(tmp_path / "here")[0]
    batch(home, "a")
    assert [row["batch_id"] for row in bronze.read_rows(home, "landing_ledger", "a")] == ["a"]


def rows_of(contract: Contract, name: str, sizes: list[int]) -> pa.Table:
    """Rows whose replies have so many bytes."""
    filled: dict[str, Any] = {c.name: plain(c) for c in contract.kept_columns if c.required}
    rows = [
        filled | {"batch_id": name, "event_id": f"{name}-{n}", "resp": "x" * size}
        for n, size in enumerate(sizes)
    ]
    return pa.Table.from_pylist(rows, schema=contract.arrow_schema)


def test_many_rows_are_several_requests_below_ten_megabytes(place: Place):
    """In the order of the file, however uneven they are."""
    sizes = [10] * 500 + [8_900_000] + [200_000] * 40 + [0] * 500
    made = bronze.Batch(place.home, "a", datetime.now(UTC), prompt=True)
    made.append("attempts", rows_of(contract_of("attempts"), "a", sizes))
    made.commit()
    assert [(r["event_id"], len(r["resp"])) for r in place.rows("attempts")] == [
        (f"a-{n}", size) for n, size in enumerate(sizes)
    ]
    appended = place.service.writes.appends
    assert len(appended) > 5
    assert max(append.size for append in appended) < 10_000_000
    assert sum(append.rows for append in appended) == len(sizes)


def test_a_batch_with_a_row_that_fits_into_no_request_goes_by_job_as_a_whole(place: Place):
    contract = contract_of("attempts")
    made = bronze.Batch(place.home, "a", datetime.now(UTC), prompt=True)
    made.append("attempts", rows_of(contract, "a", [10]))
    made.append("attempts", rows_of(contract, "b", [10, 10_100_000, 10]))
    made.append("attempts", rows_of(contract, "c", [10]))
    made.commit()
    assert len(place.rows("attempts")) == 5
    assert len(place.loads()) == 1
    assert place.service.writes.appends == []


def test_several_processes_of_one_home_finish_its_batches_once(
    place: Place, monkeypatch: pytest.MonkeyPatch
):
    names = [f"b{number}" for number in range(6)]
    with monkeypatch.context() as patched:
        patched.setattr("loaders.sinks.bigquery.stream.Streams.publish", lambda *_: None)
        for name in names:
            batch(place.home, name)
    assert len(waiting(place.home)) == len(names)
    place.service.writes.delay = 0.05
    other = subprocess.Popen([ASSAY, "status", "--home", place.home.path])
    while not place.service.writes.appends:
        assert other.poll() is None
        time.sleep(0.001)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: bronze.recover(place.home), range(2)))
    batch(place.home, "another")
    assert other.wait(120) == 0
    assert there(place) == whole(*names, "another")


def test_a_home_that_was_put_back_from_an_old_copy_neither_loses_nor_doubles(
    place: Place, tmp_path: Path
):
    """Its book gives offsets away that have rows of others by now."""
    batch(place.home, "a")
    old = tmp_path / "old"
    shutil.copytree(place.home.path, old)
    batch(place.home, "b", rows=20)
    batch(Home(old), "c")
    batch(Home(old), "d")
    batch(place.home, "e")
    expected = whole("a", "c", "d", "e") + whole("b", rows=20)
    assert there(place) == expected


def test_a_table_that_was_made_anew_has_streams_of_its_own(place: Place, sent: Path):
    batch(place.home, "a")
    from_scratch = place.service.warehouse
    from_scratch.drop_dataset("a-project", f"{place.dataset}_bronze", with_tables=True)
    make(place.service, place.home.path, "eu", place.dataset)
    batch(place.home, "b")
    assert there(place) == whole("b")
