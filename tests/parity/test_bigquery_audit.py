"""The audit log of homes that land on BigQuery: a chain each, whatever BigQuery does meanwhile."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from bigquery_place import Place, assay, make, place, reached, service

from loaders import audit
from loaders.contracts import contract_of
from loaders.sinks.bigquery.service import Service

__all__ = ["place", "reached", "service"]  # fixtures


def test_a_rotation_is_in_the_log(place: Place):
    assert assay("vault", "rotate", home=place.home)[0] == 0
    (row,) = place.rows("audit_log")
    assert (row["action"], row["sequence"]) == ("key_rotation", 1)
    assert assay("audit", "verify", home=place.home)[1].startswith("1 entries, 0 problems")


def test_what_is_written_while_bigquery_is_away_is_kept_and_loaded_later(
    place: Place, monkeypatch: pytest.MonkeyPatch
):
    """The entry is durable in the home, so its action may go on; the chain is whole afterwards."""
    audit.append(place.home, "query")
    with monkeypatch.context() as patched:

        def down(service: Service, *arguments: object) -> None:
            place.service.stop()
            service.client.close()
            load(service, *arguments)

        load = Service.load
        patched.setattr(Service, "load", down)
        audit.append(place.home, "query")
        audit.append(place.home, "query")
    assert place.waits() == 2
    place.service.start()
    assert audit.verify(place.home).problems == []
    assert sorted(row["sequence"] for row in place.rows("audit_log")) == [1, 2, 3]


def test_two_homes_have_a_chain_each_in_one_table(place: Place, tmp_path: Path):
    """Each verifies both chains, and keeps the head of its own."""
    other = make(place.service, tmp_path / "other", "eu", place.dataset)
    for home in (place.home, other.home, place.home):
        audit.append(home, "query")
    assert len(place.rows("audit_log")) == 3
    for home in (place.home, other.home):
        assert audit.verify(home).problems == []


def test_an_edited_row_is_seen(place: Place):
    entry = audit.append(place.home, "query")
    edited = {**entry, "user_id": "another", "ingest_date": entry["ingested_at"].date()}
    schema = contract_of("audit_log").arrow_schema.append(pa.field("ingest_date", pa.date32()))
    rows = pa.Table.from_pylist([edited], schema=schema)
    place.service.put(f"{place.dataset}_bronze", "audit_log", rows)
    assert "entry 1 was changed" in assay("audit", "verify", home=place.home)[1]
