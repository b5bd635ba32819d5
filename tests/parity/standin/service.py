"""The REST protocol: which request asks for what, and how the answer looks."""

from __future__ import annotations

import email
import gzip
import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from . import rules
from .errors import ServiceError, already_exists, not_found
from .googlesql import Rows
from .jobs import ConnectionDropped, Job, Jobs
from .loads import json_row
from .values import decode_cells, encode_rows, to_cell, to_field
from .warehouse import DATASET_PROPERTIES, TABLE_PROPERTIES, Dataset, Table, TableName

_PAGE = 10_000
_RESUME_INCOMPLETE = 308


@dataclass(frozen=True)
class Request:
    """A request, taken apart. The path's own parameters are passed beside it."""

    query: dict[str, str]
    body: dict[str, Any]
    raw: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    endpoint: str = ""


@dataclass(frozen=True)
class Answer:
    """What goes back."""

    body: dict[str, Any] | None = None
    status: int = HTTPStatus.OK
    headers: dict[str, str] = field(default_factory=dict)


class Service:
    """BigQuery's methods over the jobs and the warehouse."""

    def __init__(self, jobs: Jobs, location: str) -> None:
        self.jobs = jobs
        self.warehouse = jobs.warehouse
        self.location = location
        self._uploads: dict[str, tuple[dict[str, Any], bytearray]] = {}

    def answer(self, method: str, path: str, request: Request) -> Answer:
        """Find the method that a request asks for, and call it."""
        for wanted, pattern, handler in _ROUTES:
            match = pattern.fullmatch(path)
            if wanted == method and match:
                parameters = {name: unquote(value) for name, value in match.groupdict().items()}
                with self.jobs.lock:  # a job may change what a request lists
                    return handler(self, request, **parameters)
        raise ServiceError("notImplemented", f"The stand-in does not answer {method} {path}")

    # Jobs

    def insert_job(self, request: Request, project: str) -> Answer:
        return Answer(self.jobs.insert(project, request.body).describe())

    def get_job(self, _: Request, project: str, job: str) -> Answer:
        return Answer(self.jobs.get(project, job).describe())

    def list_jobs(self, request: Request, project: str) -> Answer:
        if "parentJobId" in request.query:  # statements of a script have no jobs of their own
            return Answer({"kind": "bigquery#jobList", "jobs": []})
        first = int(request.query.get("minCreationTime", 0))
        last = int(request.query.get("maxCreationTime", 2**63))
        jobs = [
            job.describe()
            for job in reversed(self.jobs.log)
            if job.project == project and first <= job.created <= last
        ]
        listed = [{**job, "state": job["status"]["state"]} for job in jobs]
        return Answer({"kind": "bigquery#jobList", "jobs": listed})

    def cancel_job(self, _: Request, project: str, job: str) -> Answer:
        found = self.jobs.get(project, job).describe()
        return Answer({"kind": "bigquery#jobCancelResponse", "job": found})

    def query(self, request: Request, project: str) -> Answer:
        body = request.body
        outer = ("labels", "dryRun")
        configuration = {key: body[key] for key in outer if key in body}
        configuration["query"] = {key: value for key, value in body.items() if key not in outer}
        reference = {"location": body["location"]} if "location" in body else {}
        if body.get("requestId") and not body.get("dryRun"):
            reference["jobId"] = f"request_{body['requestId']}"
        inserted = {"configuration": configuration, "jobReference": reference}
        job = self.jobs.insert(project, inserted)
        limit = body.get("maxResults")
        return Answer(_results(job, {} if limit is None else {"maxResults": str(limit)}))

    def get_query_results(self, request: Request, project: str, job: str) -> Answer:
        return Answer(_results(self.jobs.get(project, job), request.query))

    # Uploads

    def upload(self, request: Request, project: str) -> Answer:
        if request.query.get("uploadType") == "multipart":
            head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
            about, data = email.message_from_bytes(head + request.raw).get_payload()
            body = json.loads(about.get_payload(decode=True))
            job = self.jobs.insert(project, body, data.get_payload(decode=True))
            return Answer(job.describe())
        number = uuid.uuid4().hex
        self._uploads[number] = (request.body, bytearray())
        path = f"/upload/bigquery/v2/projects/{project}/jobs"
        location = f"{request.endpoint}{path}?uploadType=resumable&upload_id={number}"
        return Answer({}, headers={"Location": location})

    def continue_upload(self, request: Request, project: str) -> Answer:
        """Take a chunk: `bytes 0-9/*`, `bytes 10-19/20`, or `bytes */20` where none is left."""
        number = request.query["upload_id"]
        if number not in self._uploads:
            raise not_found("Upload", number)
        body, received = self._uploads[number]
        sent = re.fullmatch(
            r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)",
            request.headers.get("content-range", f"bytes 0-0/{len(request.raw)}"),
        )
        if sent[1] is not None:
            del received[int(sent[1]) :]
            received += request.raw
        if sent[2] == "*" or len(received) < int(sent[2]):
            held = {"Range": f"bytes=0-{len(received) - 1}"} if received else {}
            return Answer(None, _RESUME_INCOMPLETE, held)
        del self._uploads[number]
        return Answer(self.jobs.insert(project, body, bytes(received)).describe())

    # Datasets

    def list_datasets(self, request: Request, project: str) -> Answer:
        """All of them, or those with the labels of a filter: `labels.name:value`, with blanks."""
        wanted = [word.removeprefix("labels.") for word in request.query.get("filter", "").split()]
        pairs = {tuple(word.split(":", 1)) for word in wanted}
        found = [
            dataset.describe(project, name)
            for (owner, name), dataset in self.warehouse.datasets.items()
            if owner == project and pairs <= dataset.properties.get("labels", {}).items()
        ]
        return Answer({"kind": "bigquery#datasetList", "datasets": found})

    def insert_dataset(self, request: Request, project: str) -> Answer:
        name = request.body["datasetReference"]["datasetId"]
        made = Dataset(request.body.get("location", self.location))
        _update(made.properties, request.body, DATASET_PROPERTIES)
        self.warehouse.create_dataset(project, name, made)
        return Answer(made.describe(project, name))

    def get_dataset(self, _: Request, project: str, dataset: str) -> Answer:
        return Answer(self.warehouse.dataset(project, dataset).describe(project, dataset))

    def patch_dataset(self, request: Request, project: str, dataset: str) -> Answer:
        found = self.warehouse.dataset(project, dataset)
        _update(found.properties, request.body, DATASET_PROPERTIES)
        return Answer(found.describe(project, dataset))

    def delete_dataset(self, request: Request, project: str, dataset: str) -> Answer:
        with_tables = request.query.get("deleteContents") == "true"
        self.warehouse.drop_dataset(project, dataset, with_tables)
        return Answer(status=HTTPStatus.NO_CONTENT)

    def list_routines(self, _: Request, project: str, dataset: str) -> Answer:
        self.warehouse.dataset(project, dataset)
        return Answer({"routines": []})

    def get_routine(self, _: Request, project: str, dataset: str, routine: str) -> Answer:
        raise not_found("Routine", f"{project}:{dataset}.{routine}")

    # Tables

    def list_tables(self, request: Request, project: str, dataset: str) -> Answer:
        found = self.warehouse.dataset(project, dataset)
        listed = [
            table.describe(TableName(project, dataset, name), found.location)
            for name, table in found.tables.items()
        ]
        start, end, token = _page(request.query, len(listed))
        page = {"tables": listed[start:end], "totalItems": len(listed)}
        return Answer({"kind": "bigquery#tableList", **page, **token})

    def insert_table(self, request: Request, project: str, dataset: str) -> Answer:
        body = request.body
        name = TableName(project, dataset, body["tableReference"]["tableId"])
        found = self.warehouse.dataset(project, dataset)
        if self.warehouse.has(name):
            raise already_exists("Table", str(name))
        if "view" in body:
            raise ServiceError("notImplemented", "The stand-in makes views by CREATE VIEW only")
        made = Table.empty(body.get("schema", {}).get("fields", []))
        _update(made.properties, body, TABLE_PROPERTIES)
        rules.check_partitioning(made.fields, made.properties)
        rules.check_clustering(made.fields, made.properties)
        self.warehouse.put(name, made)
        return Answer(made.describe(name, found.location))

    def get_table(self, _: Request, project: str, dataset: str, table: str) -> Answer:
        name = TableName(project, dataset, table)
        found = self.jobs.result_table(name)
        held = self.warehouse.datasets.get((project, dataset))
        return Answer(found.describe(name, held.location if held else self.location))

    def patch_table(self, request: Request, project: str, dataset: str, table: str) -> Answer:
        name = TableName(project, dataset, table)
        found = self.warehouse.table(name)
        if fields := request.body.get("schema", {}).get("fields"):
            rules.check_schema_update(str(name), found.fields, fields)
            found.replace_fields(fields)
        _update(found.properties, request.body, TABLE_PROPERTIES)
        location = self.warehouse.dataset(project, dataset).location
        return Answer(found.describe(name, location))

    def delete_table(self, _: Request, project: str, dataset: str, table: str) -> Answer:
        self.warehouse.drop(TableName(project, dataset, table))
        return Answer(status=HTTPStatus.NO_CONTENT)

    def list_rows(self, request: Request, project: str, dataset: str, table: str) -> Answer:
        found = self.jobs.result_table(TableName(project, dataset, table))
        page = _page_of_rows(found.rows, request.query)
        return Answer({"kind": "bigquery#tableDataList", **page})

    def insert_rows(self, request: Request, project: str, dataset: str, table: str) -> Answer:
        found = self.warehouse.table(TableName(project, dataset, table))
        unknown_ignored = bool(request.body.get("ignoreUnknownValues"))
        rows, errors = [], []
        for place, row in enumerate(request.body["rows"]):
            try:
                rows.append(json_row(row["json"], found.fields, unknown_ignored))
            except ServiceError as error:
                errors.append({"index": place, "errors": [error.detail()]})
        if errors:
            return Answer({"insertErrors": errors})
        added = encode_rows(found.rows.columns, rows)
        found.replace_rows(Rows.of(found.rows.columns, [*found.rows.rows, *added.rows]))
        return Answer({"kind": "bigquery#tableDataInsertAllResponse"})


def _update(properties: dict[str, Any], body: dict[str, Any], names: list[str]) -> None:
    """Take the properties that a request sets, and drop those it sets to null."""
    for name in names:
        if name in body and body[name] is None:
            properties.pop(name, None)
        elif name in body:
            properties[name] = body[name]


def _page(query: dict[str, str], total: int) -> tuple[int, int, dict[str, str]]:
    """First and last place of the page that a request wants, and the token of the next one."""
    start = int(query.get("pageToken") or query.get("startIndex") or 0)
    end = start + int(query.get("maxResults", _PAGE))
    return start, end, {"pageToken": str(end)} if start < end < total else {}


def _page_of_rows(rows: Rows, query: dict[str, str]) -> dict[str, Any]:
    start, end, token = _page(query, len(rows))
    page = {"totalRows": str(len(rows)), **token}
    if start == end:  # a client that asks for no rows takes an empty list for an empty result
        return page
    kinds = [column.type for column in rows.columns]
    cells = decode_cells(Rows.of(rows.columns, rows.rows[start:end]))
    page["rows"] = [
        {"f": [{"v": to_cell(v, kind)} for v, kind in zip(row, kinds, strict=True)]}
        for row in cells
    ]
    return page


def _results(job: Job, query: dict[str, str]) -> dict[str, Any]:
    if job.error:
        raise job.error
    answer: dict[str, Any] = {
        "kind": "bigquery#queryResults",
        "jobReference": job.reference(),
        "jobComplete": True,
        "cacheHit": False,
        "totalBytesProcessed": "0",
        "totalRows": "0",
    }
    if job.outcome.affected is not None:
        answer["numDmlAffectedRows"] = str(job.outcome.affected)
    if job.outcome.rows is not None:
        answer["schema"] = {"fields": [to_field(column) for column in job.outcome.rows.columns]}
        answer.update(_page_of_rows(job.outcome.rows, query))
    return answer


_METHODS: list[tuple[str, str, Callable[..., Answer]]] = [
    ("POST", "jobs", Service.insert_job),
    ("GET", "jobs", Service.list_jobs),
    ("GET", "jobs/{job}", Service.get_job),
    ("POST", "jobs/{job}/cancel", Service.cancel_job),
    ("POST", "queries", Service.query),
    ("GET", "queries/{job}", Service.get_query_results),
    ("GET", "datasets", Service.list_datasets),
    ("POST", "datasets", Service.insert_dataset),
    ("GET", "datasets/{dataset}", Service.get_dataset),
    ("PATCH", "datasets/{dataset}", Service.patch_dataset),
    ("PUT", "datasets/{dataset}", Service.patch_dataset),
    ("DELETE", "datasets/{dataset}", Service.delete_dataset),
    ("GET", "datasets/{dataset}/routines", Service.list_routines),
    ("GET", "datasets/{dataset}/routines/{routine}", Service.get_routine),
    ("GET", "datasets/{dataset}/tables", Service.list_tables),
    ("POST", "datasets/{dataset}/tables", Service.insert_table),
    ("GET", "datasets/{dataset}/tables/{table}", Service.get_table),
    ("PATCH", "datasets/{dataset}/tables/{table}", Service.patch_table),
    ("PUT", "datasets/{dataset}/tables/{table}", Service.patch_table),
    ("DELETE", "datasets/{dataset}/tables/{table}", Service.delete_table),
    ("GET", "datasets/{dataset}/tables/{table}/data", Service.list_rows),
    ("POST", "datasets/{dataset}/tables/{table}/insertAll", Service.insert_rows),
]
_PROJECT = r"/bigquery/v2/projects/(?P<project>[^/]+)/"
_ROUTES = [
    (method, re.compile(_PROJECT + re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path)), handler)
    for method, path, handler in _METHODS
] + [
    ("POST", re.compile("(?:/resumable)?/upload" + _PROJECT + "jobs"), Service.upload),
    ("PUT", re.compile("(?:/resumable)?/upload" + _PROJECT + "jobs"), Service.continue_upload),
]


class _Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # an answer in two packets would wait 40 ms for the second
    server: HttpServer

    def _handle(self) -> None:
        url = urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding") == "gzip":
            raw = gzip.decompress(raw)
        is_json = "json" in self.headers.get("Content-Type", "") and self.command != "PUT"
        is_json = is_json or (self.command == "PUT" and "/upload/" not in url.path)
        request = Request(
            query={name: values[0] for name, values in parse_qs(url.query).items()},
            body=json.loads(raw) if raw and is_json else {},
            raw=raw,
            headers={name.lower(): value for name, value in self.headers.items()},
            endpoint=f"http://{self.headers['Host']}",
        )
        try:
            answer = self.server.service.answer(self.command, url.path, request)
        except ServiceError as error:
            answer = Answer(error.body(), error.code)
        except ConnectionDropped:
            self.close_connection = True
            return
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        data = b"" if answer.body is None else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the jobs are the log."""


class HttpServer(ThreadingHTTPServer):
    """The endpoint on this machine."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int, service: Service) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.service = service
