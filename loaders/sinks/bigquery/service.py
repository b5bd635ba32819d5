"""A BigQuery project as Assay speaks to it: one place for client, location, labels and retries."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from functools import cache, cached_property
from itertools import count
from typing import IO, Any, cast

import pyarrow as pa
from google.api_core import exceptions
from google.api_core.retry import Retry
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from loaders.errors import AssayError
from loaders.home import Target
from loaders.sinks.bigquery.errors import FAILURES, Call, answered, explained, is_transient

EMULATOR = "BIGQUERY_EMULATOR_HOST"  # Google's client reads it too
_REQUEST_SECONDS = 60.0
_UPLOAD_SECONDS = 300.0
_JOB_SECONDS = 600.0

_UNCHANGED = "Nothing was changed: run the same command again."
_PARAMETER = re.compile(r"\$(\w+)")
_TYPES: dict[type, str] = {str: "STRING", int: "INT64", float: "FLOAT64", bool: "BOOL"}


class Service:
    """Requests to the datasets of one residency. Each raises `errors.Refused` where it fails."""

    def __init__(self, target: Target, residency: str) -> None:
        self.target = target
        self.labels = {"tool": "assay", "residency": residency}

    @cached_property
    def client(self) -> bigquery.Client:
        call = Call(f"project {self.target.project}", "", _UNCHANGED)
        with answered(call):
            return _client(self.target.project, self.target.location, os.environ.get(EMULATOR, ""))

    @property
    def retry(self) -> Retry:
        """Google's own rules of what to repeat, for so long and no longer."""
        return bigquery.DEFAULT_RETRY.with_timeout(retry_seconds())

    def options(self) -> dict[str, Any]:
        """How every request repeats and ends."""
        return {"retry": self.retry, "timeout": _REQUEST_SECONDS}

    def query(self, sql: str, outcome: str = _UNCHANGED, **parameters: Any) -> pa.Table:
        """Run a query. The names of layers in it, and `main`, are the target's datasets.

        A parameter is written `$name`. `main` is what dbt remembers of its builds.
        """
        reader = "roles/bigquery.dataViewer on the datasets that the command reads"
        call = Call(f"project {self.target.project}", reader, outcome)
        return self._answer(self._begun(sql, parameters, call), call)

    def scripts(self, scripts: Sequence[tuple[str, dict[str, Any]]], call: Call) -> list[pa.Table]:
        """Run scripts with their parameters beside each other: what the last query of each gives.

        All have ended when this does. Raises what the first one failed with, once the others ended.
        """
        begun = [self._begun(sql, parameters, call) for sql, parameters in scripts]
        given: list[pa.Table] = []
        failures: list[AssayError] = []
        for job in begun:
            try:
                given.append(self._answer(job, call))
            except AssayError as failure:
                failures.append(failure)
        if failures:
            raise failures[0]
        return given

    def statement(self, sql: str, call: Call) -> None:
        """Run a statement that answers nothing."""
        with answered(call):
            job_config = bigquery.QueryJobConfig(labels=self.labels)
            location = self.target.location
            job = self.client.query(
                sql, job_config=job_config, location=location, job_retry=None, **self.options()
            )
            job.result(retry=self.retry, job_retry=None, timeout=_JOB_SECONDS)

    def dataset(self, name: str, call: Call) -> bigquery.Dataset | None:
        """A dataset, None where there is none. Raises AssayError if it lies elsewhere."""
        with answered(call):
            try:
                found = self.client.get_dataset(self._reference(name), **self.options())
            except exceptions.NotFound:
                return None
        self._refuse_elsewhere(call, found.location)
        return found

    def table(self, dataset: str, name: str, call: Call) -> bigquery.Table | None:
        """A table, None where there is none. Raises AssayError if it lies elsewhere."""
        with answered(call):
            try:
                found = self.client.get_table(
                    self._reference(dataset).table(name), **self.options()
                )
            except exceptions.NotFound:
                return None
        self._refuse_elsewhere(call, found.location)
        return found

    def tables(self, dataset: str, outcome: str = _UNCHANGED) -> set[str]:
        """The names of the tables in a dataset."""
        call = Call(f"dataset {dataset}", f"roles/bigquery.dataViewer on {dataset}", outcome)
        with answered(call):
            listed = self.client.list_tables(self._reference(dataset), **self.options())
            return {str(item.table_id) for item in listed}

    def load(
        self,
        opened: Callable[[], IO[bytes]],
        table: bigquery.Table,
        name: str,
        job_config: bigquery.LoadJobConfig,
        call: Call,
    ) -> None:
        """Load a Parquet file into a table, once for a name, however often this is called.

        The id of the job is the name and the number of the attempt: BigQuery runs an id once. The
        number grows only past an attempt that is known to have failed, so that an answer that was
        lost on the way never leads to a second load. `opened` opens the file if it is to be sent.
        """
        job_config.source_format = bigquery.SourceFormat.PARQUET
        job_config.create_disposition = bigquery.CreateDisposition.CREATE_NEVER
        job_config.labels = self.labels | {"table": table.table_id}
        give_up = time.monotonic() + retry_seconds()
        for attempt in count(1):
            job_id = f"{name}_{attempt}"
            with answered(call):
                job, is_new = self._job(job_id, opened, table, job_config)
                failure = self._failure(job)
            if failure is None:
                return
            if is_new:  # else it is what an earlier run came to
                if not is_transient(failure) or time.monotonic() > give_up:
                    raise explained(call, failure)
                time.sleep(min(2.0 ** min(attempt, 5), max(0.0, give_up - time.monotonic())))

    def _begun(self, sql: str, parameters: dict[str, Any], call: Call) -> bigquery.QueryJob:
        job_config = bigquery.QueryJobConfig(
            labels=self.labels,
            query_parameters=[
                bigquery.ScalarQueryParameter(name, _TYPES[type(value)], value)
                for name, value in parameters.items()
            ],
        )
        with answered(call):
            return self.client.query(
                self._placed(sql),
                job_config=job_config,
                location=self.target.location,
                job_retry=None,
                **self.options(),
            )

    def _answer(self, job: bigquery.QueryJob, call: Call) -> pa.Table:
        with answered(call):
            rows = job.result(retry=self.retry, job_retry=None, timeout=_JOB_SECONDS)
            return rows.to_arrow(create_bqstorage_client=False)

    def _job(
        self,
        job_id: str,
        opened: Callable[[], IO[bytes]],
        table: bigquery.Table,
        job_config: bigquery.LoadJobConfig,
    ) -> tuple[bigquery.LoadJob, bool]:
        """The job of an id, and whether it was started here."""
        location = self.target.location

        def known(retry: Retry) -> bigquery.LoadJob:
            found = self.client.get_job(
                job_id, location=location, retry=retry, timeout=_REQUEST_SECONDS
            )
            return cast(bigquery.LoadJob, found)

        def started() -> bigquery.LoadJob:
            with opened() as file:
                return self.client.load_table_from_file(
                    file,
                    table.reference,
                    rewind=True,
                    size=file.seek(0, os.SEEK_END),
                    num_retries=0,  # the whole is repeated, and the id keeps it single
                    job_id=job_id,
                    location=location,
                    job_config=job_config,
                    timeout=_UPLOAD_SECONDS,
                )

        try:
            return known(self.retry), False
        except exceptions.NotFound:
            pass
        try:
            return self.retry(started)(), True
        except exceptions.Conflict:  # sent before, and the answer was lost; or sent by another
            return known(self.retry.with_predicate(_may_appear)), False

    def _failure(self, job: bigquery.LoadJob) -> Exception | None:
        """Wait for a job. What it failed with, for sure, or None; raises where that is unknown."""
        try:
            job.result(retry=self.retry, timeout=_JOB_SECONDS)
        except FAILURES as error:
            if job.state == "DONE" and job.error_result:
                return error
            raise
        return None

    def _reference(self, dataset: str) -> bigquery.DatasetReference:
        return bigquery.DatasetReference(self.target.project, dataset)

    def _refuse_elsewhere(self, call: Call, location: str | None) -> None:
        wanted = self.target.location
        if location and location.lower() != wanted.lower():
            raise AssayError(
                f"BigQuery, {call.place}: it lies in {location}, and residency "
                f"{self.labels['residency']} is {wanted} by seeds/residencies.csv. Name another "
                f"dataset, or make it anew there. {call.outcome}"
            )

    def _placed(self, sql: str) -> str:
        """SQL with the target's datasets and BigQuery's spelling of parameters."""
        places = {layer: self.target.layer(layer) for layer in ("bronze", "silver", "gold")}
        for word, dataset in (places | {"main": self.target.dataset}).items():
            sql = re.sub(rf"\b{word}\.(?=\w)", f"`{self.target.project}`.`{dataset}`.", sql)
        return _PARAMETER.sub(r"@\1", sql)


def _may_appear(error: BaseException) -> bool:
    """A job that there is for sure may take a moment to be found."""
    return isinstance(error, exceptions.NotFound) or is_transient(error)


@cache
def _client(project: str, location: str, emulator: str) -> bigquery.Client:
    """A client, one per process: it finds credentials and keeps connections."""
    credentials = AnonymousCredentials() if emulator else None
    return bigquery.Client(project=project, location=location, credentials=credentials)


def retry_seconds() -> float:
    """For how long what may pass is tried again."""
    return float(os.environ.get("ASSAY_BIGQUERY_RETRY_SECONDS", "60"))
