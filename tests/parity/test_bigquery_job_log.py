"""BigQuery's own log in the audit log: the job resources of its REST API, through the stand-in."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from bigquery_place import PROJECT, Place, assay, bigquery_client, place, reached, service

from loaders import audit

__all__ = ["place", "reached", "service"]  # fixtures

MARK = "Zq7731-secret"  # in the text of a query


def test_each_query_is_an_entry_once_and_without_its_text(place: Place):
    """Of everybody, also one that failed; twice the same is twice an entry, once for each job."""
    client = bigquery_client()
    jobs = [client.query(f"select '{MARK}' as a") for _ in range(2)]
    jobs.append(client.query("select 1 / 0 as b"))
    for job in jobs:
        job.exception()
    today = datetime.now(UTC).date()
    since = f"{today - timedelta(days=1)}"
    for _ in range(2):
        code, text = assay("audit", "import", "bigquery", "--from", since, home=place.home)[:2]
        assert code == 0, text
    rows = place.rows("audit_log")
    asked = [json.loads(row["query_params"]) for row in rows if row["action"] == "query"]
    names = [each["record"] for each in asked]
    assert len(names) == len(set(names))
    by_record = {json.loads(r["query_params"])["record"]: r for r in rows if r["action"] == "query"}
    ours = [by_record[f"{job.location}.{job.job_id}"] for job in jobs]
    prints = [json.loads(row["query_params"])["fingerprint"] for row in ours]
    assert prints[0] == prints[1] != prints[2]
    assert [("failed" in row["result_summary"]) for row in ours] == [False, False, True]
    assert {row["user_id"] for row in ours} == {"stand-in@example.com"}
    assert [row["happened_at"] for row in ours] == [job.created for job in jobs]
    assert MARK not in str(rows)
    assert sum(row["action"] == "import" for row in rows) == 2
    assert audit.verify(place.home).problems == []


def test_only_the_window_is_asked_for(place: Place):
    """And a home on DuckDB has no such log."""
    client = bigquery_client()
    client.query(f"select 1 from unnest([1]) -- {PROJECT}").result()
    code, text = assay(
        *("audit", "import", "bigquery", "--from", "2026-01-01", "--to", "2026-01-02"),
        home=place.home,
    )[:2]
    assert (code, "0 records, 0 of them new" in text) == (0, True), text
    (row,) = place.rows("audit_log")
    assert row["action"] == "import"
