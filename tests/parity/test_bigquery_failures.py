"""A service that fails costs time and nothing else, and each failure is one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bigquery_place import (
    PROJECT,
    REFUSED,
    ROWS,
    Place,
    assay,
    bigquery_client,
    failed,
    landed_whole,
    make,
    numbers,
    place,
    reached,
    sent,
    service,
    stop_after,
)
from google.cloud import bigquery
from standin import StandIn

from loaders.landing.batches import land_file
from loaders.sinks.bigquery.service import Service

__all__ = ["place", "reached", "sent", "service"]  # fixtures


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
