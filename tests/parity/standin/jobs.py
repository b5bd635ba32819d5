"""Jobs: what clients ask the service to do, each kept with how it ended."""

from __future__ import annotations

import logging
import threading
import uuid
from dataclasses import dataclass, field
from typing import Any, Literal

from . import rules
from .errors import ServiceError, already_exists, not_found
from .googlesql import GoogleSql, Rows
from .loads import check_schema, read_file
from .outcome import Outcome
from .statements import Count, Script, Settings
from .values import from_parameter, to_field
from .warehouse import Table, TableName, Warehouse, now_ms

_ANONYMOUS = "_anonymous"
_KINDS = ("query", "load", "copy")


class ConnectionDropped(Exception):
    """The job runs, and its answer never arrives."""


@dataclass
class Job:
    """One job, as the service keeps it and as tests read it."""

    id: str
    project: str
    location: str
    configuration: dict[str, Any]
    outcome: Outcome | None = None
    error: ServiceError | None = None
    referenced: set[TableName] = field(default_factory=set)
    loaded_rows: int = 0
    created: int = field(default_factory=now_ms)

    @property
    def kind(self) -> str:
        """What the job does: query, load or copy."""
        return next(kind for kind in _KINDS if kind in self.configuration)

    @property
    def work(self) -> dict[str, Any]:
        """The part of the configuration that belongs to the kind."""
        return self.configuration[self.kind]

    @property
    def statement(self) -> str | None:
        """The text of a query."""
        return self.work["query"] if self.kind == "query" else None

    @property
    def target(self) -> TableName | None:
        """The table that the job makes or changes."""
        if self.kind == "query" and self.outcome:
            return self.outcome.target
        reference = self.work.get("destinationTable")
        return TableName.of(reference) if reference else None

    @property
    def labels(self) -> dict[str, str]:
        """The labels that the client gave the job."""
        return self.configuration.get("labels", {})

    @property
    def priority(self) -> str | None:
        """INTERACTIVE or BATCH, if the client said so."""
        return self.work.get("priority")

    @property
    def maximum_bytes_billed(self) -> int | None:
        """The client's limit on the bytes a query may cost."""
        limit = self.work.get("maximumBytesBilled")
        return None if limit is None else int(limit)

    @property
    def datasets(self) -> set[tuple[str, str]]:
        """The datasets that the job read or wrote."""
        names = self.referenced | ({self.target} if self.target else set())
        return {(name.project, name.dataset) for name in names}

    def describe(self) -> dict[str, Any]:
        """The job as a REST resource."""
        status: dict[str, Any] = {"state": "DONE"}
        if self.error:
            status.update(errorResult=self.error.detail(), errors=[self.error.detail()])
        statistics: dict[str, Any] = {
            "creationTime": str(self.created),
            "startTime": str(self.created),
            "endTime": str(now_ms()),
            "totalBytesProcessed": "0",
        }
        if self.kind == "query":
            statistics["query"] = self._query_statistics()
        if self.kind == "load" and not self.error:
            statistics["load"] = {"outputRows": str(self.loaded_rows)}
        return {
            "kind": "bigquery#job",
            "id": f"{self.project}:{self.location}.{self.id}",
            "jobReference": self.reference(),
            "configuration": {**self.configuration, "jobType": self.kind.upper()},
            "status": status,
            "statistics": statistics,
            "user_email": "stand-in@example.com",
        }

    def reference(self) -> dict[str, str]:
        """The job's name as REST carries it."""
        return {"projectId": self.project, "jobId": self.id, "location": self.location}

    def _query_statistics(self) -> dict[str, Any]:
        statistics: dict[str, Any] = {
            "totalBytesProcessed": "0",
            "totalBytesBilled": "0",
            "totalSlotMs": "0",
            "cacheHit": False,
            "referencedTables": [name.reference() for name in sorted(self.referenced)],
        }
        if self.outcome:
            statistics["statementType"] = self.outcome.statement_type
            if self.outcome.affected is not None:
                statistics["numDmlAffectedRows"] = str(self.outcome.affected)
            if self.outcome.operation:
                statistics["ddlOperationPerformed"] = self.outcome.operation
                if self.outcome.target:
                    statistics["ddlTargetTable"] = self.outcome.target.reference()
            if self.outcome.rows is not None:
                statistics["schema"] = {"fields": _fields(self.outcome.rows)}
        return statistics


@dataclass
class _Fault:
    reason: str
    left: int
    on: str
    in_job: bool


class Jobs:
    """All jobs of the service, and the running of new ones, one at a time."""

    def __init__(self, warehouse: Warehouse, engine: GoogleSql, stores_rows: bool) -> None:
        self.warehouse = warehouse
        self.count = Count()
        self.log: list[Job] = []
        self.lock = threading.RLock()
        self._engine = engine
        self.stores_rows = stores_rows
        self._faults: list[_Fault] = []

    def fail_next(
        self,
        reason: str,
        times: int = 1,
        on: Literal["load", "query", "any"] = "any",
        in_job: bool = False,
    ) -> None:
        """Let the next jobs of a kind fail, when they are inserted or while they run."""
        self._faults.append(_Fault(reason, times, on, in_job))

    def mend(self) -> None:
        """Let no more jobs fail."""
        self._faults.clear()

    def get(self, project: str, job_id: str) -> Job:
        """A job that is there."""
        for job in self.log:
            if (job.project, job.id) == (project, job_id):
                return job
        raise not_found("Job", f"{project}:{job_id}")

    def insert(self, project: str, body: dict[str, Any], media: bytes | None = None) -> Job:
        """Run a job to its end and keep it. A dry run is not kept."""
        configuration = body["configuration"]
        reference = body.get("jobReference", {})
        job_id = reference.get("jobId") or uuid.uuid4().hex
        location = reference.get("location")
        job = Job(job_id, project, location or "", configuration)
        with self.lock:
            fault = self._fault(job.kind)
            if fault and not fault.in_job and fault.reason != "connectionDropped":
                raise ServiceError(fault.reason, f"The stand-in was told to fail: {fault.reason}")
            if any((known.project, known.id) == (project, job_id) for known in self.log):
                raise already_exists("Job", f"{project}:{location or 'US'}.{job_id}")
            job.location = location or self._location_of(job)
            dry_run = bool(configuration.get("dryRun"))
            if not dry_run:
                self.log.append(job)
            try:
                if fault and fault.in_job:
                    message = f"The stand-in was told to fail: {fault.reason}"
                    raise ServiceError(fault.reason, message)
                self._run(job, media, location, dry_run)
            except ServiceError as error:
                if dry_run:
                    raise
                job.error = error
            except Exception as error:
                logging.exception("The stand-in failed at job %s", job.id)
                job.error = ServiceError("notImplemented", f"The stand-in failed: {error!r}")
        if fault and fault.reason == "connectionDropped":
            raise ConnectionDropped
        return job

    def result_table(self, name: TableName) -> Table:
        """The table that holds a query's result, made for the job alone."""
        if name.dataset != _ANONYMOUS:
            return self.warehouse.table(name)
        outcome = self.get(name.project, name.table).outcome
        if outcome is None or outcome.rows is None:
            raise not_found("Table", str(name))
        return Table(_fields(outcome.rows), outcome.rows)

    def _fault(self, kind: str) -> _Fault | None:
        for fault in self._faults:
            if fault.left and fault.on in (kind, "any"):
                fault.left -= 1
                return fault
        return None

    def _location_of(self, job: Job) -> str:
        """Where a job runs that names no location: where its dataset is."""
        references = [job.work.get(key) for key in ("destinationTable", "defaultDataset")]
        for reference in filter(None, references):
            found = self.warehouse.datasets.get((reference["projectId"], reference["datasetId"]))
            if found:
                return found.location
        return "US"

    def _run(self, job: Job, media: bytes | None, location: str | None, dry_run: bool) -> None:
        if job.kind == "query":
            self._query(job, location, dry_run)
        elif job.kind == "load":
            self._load(job, media, location)
        else:
            self._copy(job, location)

    def _query(self, job: Job, location: str | None, dry_run: bool) -> None:
        work = job.work
        default = work.get("defaultDataset")
        parameters = [(p.get("name"), from_parameter(p)) for p in work.get("queryParameters", [])]
        settings = Settings(
            project=job.project,
            location=location,
            default_dataset=(
                (default.get("projectId", job.project), default["datasetId"]) if default else None
            ),
            named={name.lower(): value for name, value in parameters if name},
            positional=[value for name, value in parameters if not name],
            stores_rows=self.stores_rows,
        )
        script = Script(work["query"], self.warehouse, self._engine, settings, self.count)
        try:
            job.outcome = script.run(dry_run)
        finally:
            job.referenced = script.referenced
        if not location and job.referenced:
            first = min(job.referenced)
            job.location = self.warehouse.dataset(first.project, first.dataset).location
        if dry_run:
            return
        outcome = job.outcome
        if "destinationTable" in work and outcome.rows is not None:
            result = Table(_fields(outcome.rows), outcome.rows)
            self._write(TableName.of(work["destinationTable"]), result, work, "WRITE_EMPTY")
        elif outcome.rows is not None:
            anonymous = TableName(job.project, _ANONYMOUS, job.id)
            work["destinationTable"] = anonymous.reference()
        elif outcome.target:
            work["destinationTable"] = outcome.target.reference()

    def _load(self, job: Job, media: bytes | None, location: str | None) -> None:
        load = job.work
        name = TableName.of(load["destinationTable"])
        self.warehouse.dataset(name.project, name.dataset, location)
        if media is None:
            raise ServiceError("notImplemented", "The stand-in loads uploaded files only")
        known = self.warehouse.table(name) if self.warehouse.has(name) else None
        read = read_file(media, load, known, name)
        for key in ("timePartitioning", "clustering"):
            if key in load:
                read.properties[key] = load[key]
        read.properties.update(load.get("destinationTableProperties", {}))
        rules.check_partitioning(read.fields, read.properties)
        rules.check_clustering(read.fields, read.properties)
        self._write(name, read, load, "WRITE_APPEND")
        job.loaded_rows = len(read.rows)

    def _copy(self, job: Job, location: str | None) -> None:
        copy = job.work
        sources = copy.get("sourceTables") or [copy["sourceTable"]]
        for reference in sources:
            source = self.warehouse.table(TableName.of(reference), location)
            copied = Table(source.fields, source.rows, properties=dict(source.properties))
            self._write(TableName.of(copy["destinationTable"]), copied, copy, "WRITE_EMPTY")

    def _write(self, name: TableName, given: Table, work: dict[str, Any], default: str) -> None:
        """Put rows into a table as the dispositions of a job say."""
        disposition = work.get("writeDisposition", default)
        if not self.stores_rows:
            given.rows = Rows(given.rows.columns)
        if not self.warehouse.has(name):
            if work.get("createDisposition") == "CREATE_NEVER":
                raise not_found("Table", str(name))
            self.warehouse.put(name, given)
            return
        table = self.warehouse.table(name)
        if disposition == "WRITE_TRUNCATE":
            given.properties = {**table.properties, **given.properties}
            given.access, given.created = table.access, table.created
            self.warehouse.put(name, given)
            return
        if disposition == "WRITE_EMPTY" and len(table.rows):
            raise already_exists("Table", str(name))
        check_schema(given, table, name, work)
        known = {f["name"].lower() for f in table.fields}
        added = [f for f in given.fields if f["name"].lower() not in known]
        given.replace_fields(
            [*({**f, "mode": f.get("mode", "NULLABLE")} for f in table.fields), *added]
        )
        if added:
            table.replace_fields([*table.fields, *added])
        table.replace_rows(Rows.of(table.rows.columns, [*table.rows.rows, *given.rows.rows]))


def _fields(rows: Rows) -> list[dict[str, Any]]:
    return [to_field(column) for column in rows.columns]
