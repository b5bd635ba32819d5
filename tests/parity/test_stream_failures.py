"""Streams that fail cost time and nothing else, and what does not pass by itself is one line."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
from bigquery_place import (
    MARK,
    PROJECT,
    Place,
    bigquery_client,
    make,
    place,
    reached,
    sent,
    service,
)
from google.cloud.bigquery_storage_v1 import types
from streaming import ROWS, TABLES, batch, there, waiting, whole

from loaders import bronze
from loaders.errors import AssayError
from loaders.sinks.bigquery import appends, writer

__all__ = ["place", "reached", "sent", "service"]  # fixtures

PASSING = ("UNAVAILABLE", "ABORTED", "INTERNAL", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED")


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_BIGQUERY_RETRY_SECONDS", "30")


@pytest.fixture
def divided(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request for each row of events."""
    monkeypatch.setattr(appends, "_WANTED_BYTES", 300)


def refused(place: Place, name: str, rows: int = ROWS) -> str:
    """The line that a batch fails with. It is kept."""
    with pytest.raises(AssayError) as error:
        batch(place.home, name, rows)
    line = str(error.value)
    assert "\n" not in line
    assert MARK not in line
    assert "Nothing is lost" in line
    assert f"{name}.streamed" in [folder.name for folder in waiting(place.home)]
    return line


def streams(place: Place) -> int:
    """How many streams were begun for events."""
    return sum(s.table.table == "attempts" for s in place.service.writes.streams.values())


@pytest.mark.parametrize("code", PASSING)
def test_what_passes_is_not_even_seen(place: Place, patient: None, code: str):
    """Before the rows are there or after, as an answer or as the end of the connection."""
    names = []
    for after in (False, True):
        for in_answer in (False, True):
            for skip in range(len(TABLES)):
                faults = {"after": after, "in_answer": in_answer, "skip": skip}
                place.service.writes.fail_next(code, **faults)
                names.append(f"{code}{len(names)}")
                batch(place.home, names[-1])
    assert there(place) == whole(*names)
    assert streams(place) == 1


@pytest.mark.parametrize("method", ["CreateWriteStream", "AppendRows"])
def test_answers_that_are_lost_again_and_again_change_nothing(
    place: Place, patient: None, divided: None, method: str
):
    place.service.writes.fail_next("UNAVAILABLE", on=method, after=True, times=3)
    batch(place.home, "a", rows=6)
    assert there(place) == whole("a", rows=6)


def test_a_service_that_is_silent_is_given_up_in_time(
    place: Place, patient: None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(writer, "_LIFE_SECONDS", 0.2)
    monkeypatch.setattr(writer, "_REQUEST_SECONDS", 0.3)
    place.service.writes.fail_next("SILENCE")
    batch(place.home, "a")
    assert there(place) == whole("a")


def test_offsets_that_nobody_fills_end_the_stream(place: Place):
    """A batch has its place and is not taken: those behind it go on, and so does it, later."""
    writes = place.service.writes
    batch(place.home, "a")
    writes.fail_next("INVALID_ARGUMENT")
    refused(place, "b")
    batch(place.home, "c")
    assert there(place) == whole("a", "c")
    assert streams(place) == 2
    assert bronze.recover(place.home) == 1
    batch(place.home, "d")
    assert there(place) == whole("a", "b", "c", "d")
    assert streams(place) == 2
    book = json.loads((place.home.bronze / ".streams.json").read_text())
    assert set(book["places"]) == {"d"}


def test_one_answer_that_is_out_of_range_leads_back_and_no_further(place: Place):
    place.service.writes.fail_next("OUT_OF_RANGE", in_answer=True)
    batch(place.home, "a")
    assert there(place) == whole("a")
    assert streams(place) == 1


@pytest.mark.parametrize("end", ["expire", "finalize", "lost", "precondition"])
@pytest.mark.parametrize("requests", [0, 1, 3])
def test_a_stream_that_ends_in_the_middle_of_a_file(
    place: Place, divided: None, end: str, requests: int
):
    """It is gone; or finalized by another; or by us, and the answer is lost; or says so."""
    writes = place.service.writes
    batch(place.home, "a")
    writes.fail_next("PERMISSION_DENIED", skip=requests)
    refused(place, "b", rows=6)
    assert there(place) == whole("a") + whole("b", rows=requests, letters=0) - whole("b", rows=0)
    if end == "lost":
        writes.finalize("attempts")
    elif end == "precondition":
        writes.fail_next("FAILED_PRECONDITION")
        writes.fail_next("INTERNAL", on="FinalizeWriteStream", after=True)
    else:
        getattr(writes, end)("attempts")
    assert bronze.recover(place.home) == 1
    assert there(place) == whole("a") + whole("b", rows=6)
    assert streams(place) == 2
    batch(place.home, "c")
    assert there(place) == whole("a", "c") + whole("b", rows=6)


def test_streams_that_end_as_soon_as_they_are_begun_are_not_begun_for_ever(place: Place):
    place.service.writes.fail_next("NOT_FOUND", times=100)
    refused(place, "a")
    assert streams(place) == 3
    place.service.writes.mend()
    assert bronze.recover(place.home) == 1
    assert there(place) == whole("a")


def test_a_service_that_is_down_and_comes_and_goes(place: Place, monkeypatch: pytest.MonkeyPatch):
    """Nothing is lost while it is away, and what was half there is completed."""
    monkeypatch.setenv("ASSAY_BIGQUERY_RETRY_SECONDS", "0.2")
    names = [f"b{number}" for number in range(8)]
    batch(place.home, names[0])
    for number, name in enumerate(names[1:]):
        place.service.stop()
        assert "cannot be reached" in refused(place, name)
        if number % 2:
            place.service.start()
            place.service.writes.fail_next("UNAVAILABLE", after=True, skip=number % 3, times=9)
            until_whole(place)
    place.service.start()
    until_whole(place)
    assert there(place) == whole(*names)


def until_whole(place: Place) -> None:
    """Try until nothing waits: a channel takes a moment to be connected again."""
    give_up = time.monotonic() + 60
    while waiting(place.home):
        assert time.monotonic() < give_up
        try:
            bronze.recover(place.home)
        except AssayError:
            time.sleep(0.05)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("PERMISSION_DENIED", ["permission denied", "roles/bigquery.dataEditor on dataset"]),
        ("UNAUTHENTICATED", ["credentials are not accepted"]),
        ("RESOURCE_EXHAUSTED", ["a quota is used up"]),
        ("UNAVAILABLE", ["cannot be reached"]),
        ("INVALID_ARGUMENT", ["refused (InvalidArgument"]),
    ],
)
@pytest.mark.parametrize("method", ["CreateWriteStream", "AppendRows"])
def test_what_does_not_pass_is_one_line(place: Place, code: str, words: list[str], method: str):
    place.service.writes.fail_next(code, on=method, times=1000)
    line = refused(place, "a")
    assert f"table {place.dataset}_bronze.attempts" in line
    for word in words:
        assert word in line
    assert there(place) == whole()
    place.service.writes.mend()
    assert bronze.recover(place.home) == 1
    assert there(place) == whole("a")


def test_a_table_that_is_gone_says_how_to_make_it(place: Place):
    batch(place.home, "a")
    bigquery_client().delete_table(f"{PROJECT}.{place.dataset}_bronze.attempts")
    line = refused(place, "b")
    assert "it is not there" in line
    assert "assay init --bigquery" in line
    make(place.service, place.home.path, "eu", place.dataset)
    assert [row["batch_id"] for row in place.rows("attempts")] == ["b"] * 3


def changed(place: Place, change: Any) -> None:
    """Change the columns of the table of events behind the back of its streams."""
    table = place.service.warehouse.datasets[PROJECT, f"{place.dataset}_bronze"].tables["attempts"]
    table.replace_fields(change(table.fields))


def test_a_column_that_the_table_lacks_is_named(place: Place):
    batch(place.home, "a")
    changed(place, lambda fields: [f for f in fields if f["name"] != "referrer"])
    assert "schema drift, column referrer" in refused(place, "b")
    make(place.service, place.home.path, "eu", place.dataset)
    assert there(place) == whole("a", "b")


def test_rows_that_the_table_does_not_take_are_counted_and_not_shown(place: Place):
    batch(place.home, "a")
    extra = {"name": "extra", "type": "STRING", "mode": "REQUIRED"}
    changed(place, lambda fields: [*fields, extra])
    assert "3 rows are not what the table takes" in refused(place, "b")
    changed(place, lambda fields: [f for f in fields if f != extra])
    assert bronze.recover(place.home) == 1
    assert there(place) == whole("a", "b")


def test_half_an_emulator_is_named(place: Place, monkeypatch: pytest.MonkeyPatch):
    """Else what belongs to an emulator would be sent to Google."""
    monkeypatch.delenv("BIGQUERY_EMULATOR_HOST_GRPC")
    assert "BIGQUERY_EMULATOR_HOST_GRPC" in refused(place, "a")


def test_no_thread_is_left_behind(place: Place, patient: None):
    """Of connections that broke, however many."""
    batch(place.home, "first")
    before = threading.active_count()
    for number in range(30):
        place.service.writes.fail_next("UNAVAILABLE", after=bool(number % 2), skip=number % 3)
        batch(place.home, f"b{number}")
    give_up = time.monotonic() + 30
    while threading.active_count() > before + 3:  # those of the stand-in come and go
        assert time.monotonic() < give_up, threading.enumerate()
        time.sleep(0.05)


def test_an_idle_connection_is_closed_and_opened_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(writer, "_IDLE_SECONDS", 0.1)
    batch(place.home, "a")
    assert place.service.writes.open_calls
    give_up = time.monotonic() + 60
    while place.service.writes.open_calls:
        assert time.monotonic() < give_up
        time.sleep(0.01)
    batch(place.home, "b")
    assert there(place) == whole("a", "b")
    assert streams(place) == 1


class Slow:
    """A client, and a call of it, whose answers come when they are asked for."""

    asked = 0

    def append_rows(self, requests: Any, **_: Any) -> Slow:
        return self

    def __next__(self) -> types.AppendRowsResponse:
        self.asked += 1
        return types.AppendRowsResponse()

    def cancel(self) -> None:
        pass


def test_several_requests_are_on_their_way_and_never_more_than_memory_has_room_for():
    size, made, client = 3 << 20, 0, Slow()

    def requests() -> Any:
        nonlocal made
        for _ in range(40):
            made += 1
            assert (made - client.asked) * size < 20 << 20
            yield types.AppendRowsRequest(
                arrow_rows={"rows": {"serialized_record_batch": b"x" * size}}
            )

    most = 0
    connection = writer._Connection(client, "a stream")
    for done, _ in enumerate(connection.exchange(requests())):
        most = max(most, made - done)
    connection.close()
    assert made == client.asked == 40
    assert most >= 4
