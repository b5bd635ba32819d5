"""BigQuery's log: the jobs of a project, as its REST API lists them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from google.cloud import bigquery

from loaders.audit.imports import Record
from loaders.home import Home
from loaders.sinks.bigquery.errors import Call, answered
from loaders.sinks.bigquery.sink import service_of

SOURCE = "bigquery"
_FORMATS = {"CSV": "csv", "NEWLINE_DELIMITED_JSON": "json", "PARQUET": "parquet"}
_ROLE = "roles/bigquery.resourceViewer on the project, to list the jobs of everybody"


def records_of(home: Home, first: datetime, last: datetime) -> Iterator[Record]:
    """Queries and extracts of the project that began in a window, and have ended. All users'.

    A job that still runs comes with a later import, whose window begins before it. Raises
    AssayError.
    """
    service = service_of(home)
    call = Call(f"project {service.target.project}", _ROLE, "Nothing was imported: run it again.")
    with answered(call):
        listed = service.client.list_jobs(
            all_users=True,
            min_creation_time=first,
            max_creation_time=last,
            state_filter="done",
            **service.options(),
        )
        for job in listed:
            if isinstance(job, bigquery.QueryJob):
                yield _query(job)
            elif isinstance(job, bigquery.ExtractJob):
                yield _extract(job)


def _query(job: bigquery.QueryJob) -> Record:
    return Record(
        record_id=f"{job.location}.{job.job_id}",
        user_id=str(job.user_email),
        happened_at=job.created,
        text=job.query,
        duration_ms=_milliseconds(job.started, job.ended),
        has_failed=job.error_result is not None,
    )


def _extract(job: bigquery.ExtractJob) -> Record:
    """What left BigQuery as files, of one table."""
    return Record(
        record_id=f"{job.location}.{job.job_id}",
        user_id=str(job.user_email),
        happened_at=job.created,
        text=None,
        export_format=_FORMATS.get(str(job.destination_format), "csv"),
        duration_ms=_milliseconds(job.started, job.ended),
        has_failed=job.error_result is not None,
    )


def _milliseconds(first: datetime | None, last: datetime | None) -> int | None:
    return round(1000 * (last - first).total_seconds()) if first and last else None
