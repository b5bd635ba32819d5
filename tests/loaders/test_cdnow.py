"""CDNOW, a real file of purchases, lands as deposits: every one of them, to the cent."""

from __future__ import annotations

import csv
import gzip
import itertools
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from conftest import PROJECT
from landed import batch_files, bronze_rows

from loaders.home import Home, init_home
from loaders.landing.batches import LandingResult, land_file

CDNOW = PROJECT.parent / "shared" / "data" / "cdnow_master.csv.gz"
MAPPING = PROJECT / "examples" / "cdnow" / "mapping.yml"
PURCHASES, EQUAL, CUSTOMERS = 69_659, 255, 23_570

pytestmark = pytest.mark.skipif(not CDNOW.exists(), reason=f"{CDNOW} is not there")


@pytest.fixture(scope="module")
def purchases() -> list[dict[str, str]]:
    """The file as Python reads it, every value a text."""
    with gzip.open(CDNOW, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home for the file alone."""
    return init_home(tmp_path_factory.mktemp("cdnow") / "home")[0]


@pytest.fixture(scope="module")
def landing(home: Home) -> LandingResult:
    return land_file(home, "platform_events", CDNOW, MAPPING, "cdnow")


@pytest.fixture(scope="module")
def events(home: Home, landing: LandingResult) -> list[dict[str, Any]]:
    return bronze_rows(home, "platform_events")


def test_every_purchase_lands(landing: LandingResult, purchases: list[dict[str, str]]):
    assert len(purchases) == PURCHASES
    assert (landing.received, landing.accepted, landing.rejected) == (PURCHASES, PURCHASES, 0)


def test_amounts_are_those_of_the_file_to_the_cent(
    events: list[dict[str, Any]], purchases: list[dict[str, str]]
):
    """Line by line, of which the first is the header, and in sum."""
    assert list(map(landed, events)) == list(map(bought, itertools.count(2), purchases))
    minor = sum(json.loads(event["payload"])["amount_minor"] for event in events)
    dollars = sum(Decimal(purchase["dollar_value"]) for purchase in purchases)
    assert Decimal(minor).scaleb(-2) == dollars == Decimal("2500315.63")


def landed(event: dict[str, Any]) -> tuple[object, ...]:
    """What an event, which is a deposit in dollars, says of a purchase."""
    payload = json.loads(event["payload"])
    amount = payload.pop("amount_minor")
    assert (event["event_type"], event["tenant_id"]) == ("wallet.credit", "cdnow")
    assert payload == {"currency": "USD", "reason": "deposit"}
    rest = json.loads(event["additional_data"])
    return event["line_number"], event["user_id"], event["occurred_at"], amount, rest


def bought(line: int, purchase: dict[str, str]) -> tuple[object, ...]:
    cents = Decimal(purchase["dollar_value"]).scaleb(2)
    assert cents == int(cents)
    at = datetime.fromisoformat(purchase["date"]).replace(tzinfo=UTC)
    rest = {"number_of_cds": purchase["number_of_cds"]}
    return line, purchase["customer_id"], at, int(cents), rest


def test_equal_purchases_are_all_kept(events: list[dict[str, Any]]):
    """Told apart by how many equal ones came before."""
    ids = [event["event_id"] for event in events]
    assert len(set(ids)) == PURCHASES
    assert sum(not name.endswith("-1") for name in ids) == EQUAL
    assert len({event["user_id"] for event in events}) == CUSTOMERS


def test_the_same_file_lands_once(home: Home, landing: LandingResult):
    before = written(home)
    again = land_file(home, "platform_events", CDNOW, MAPPING, "cdnow")
    assert again.already_landed
    assert again.batch_id == landing.batch_id
    assert written(home) == before


def written(home: Home) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in batch_files(home, "platform_events")}


def test_the_same_purchases_in_another_file_have_the_same_ids(
    events: list[dict[str, Any]], tmp_path: Path
):
    """The first 10,000, in another order: so silver knows each as a duplicate."""
    other = init_home(tmp_path / "other")[0]
    header, *lines = gzip.decompress(CDNOW.read_bytes()).splitlines(keepends=True)
    first = lines[:10_000]
    assert len(set(first)) < len(first)
    (tmp_path / "reversed.csv").write_bytes(b"".join([header, *reversed(first)]))
    land_file(other, "platform_events", tmp_path / "reversed.csv", MAPPING, "cdnow")
    ids = {event["event_id"] for event in bronze_rows(other, "platform_events")}
    assert ids == {event["event_id"] for event in events if event["line_number"] <= 10_001}
