"""A stand-in for BigQuery: its protocols over Google's own SQL engine, for tests.

The stock dbt adapter and the official clients talk to it unchanged, by REST and, to append to
streams, by gRPC. Statements are analyzed and evaluated by GoogleSQL, the reference implementation
of the language that BigQuery runs; what GoogleSQL leaves to the service (partitioning, clustering,
options, locations, streams) is checked by rules of our own.

What it does not show: cost, quotas, slots, the pruning of partitions and
`require_partition_filter`, the enforcement of IAM and of row access policies, the query cache, the
delay of the streaming buffer, performance. And the evaluator is Google's reference implementation,
not BigQuery's engine: a query that passes here is valid and gives what the language says it gives;
how BigQuery carries it out is not known here.
"""

from __future__ import annotations

import threading
from typing import Any, Literal, Self

import pyarrow as pa

from .googlesql import engine
from .jobs import Job, Jobs
from .loads import arrow_table
from .service import HttpServer, Service
from .statements import Count
from .values import decode_rows
from .warehouse import Dataset, TableName, Warehouse
from .writes import Append, GrpcServer, Writes

__all__ = ["Append", "Job", "StandIn"]


class StandIn:
    """A BigQuery of its own, for as long as a `with` block lasts.

    With `analyze_only`, statements and loads that change rows keep schemas and store nothing:
    a whole project passes quickly with every statement analyzed. What `put` stored stays, and what
    was stored before `analyze_only` was set.
    """

    def __init__(
        self, project: str = "stand-in", location: str = "US", analyze_only: bool = False
    ) -> None:
        self.project = project
        self.location = location
        self.warehouse = Warehouse()
        self._jobs = Jobs(self.warehouse, engine(), stores_rows=not analyze_only)
        self._service = Service(self._jobs, location)
        self.writes = Writes(self._jobs)
        self._server: HttpServer | None = None
        self._grpc: GrpcServer | None = None
        self._port = self._grpc_port = 0  # any free ones, and the same again after a stop

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Answer requests."""
        self._server = HttpServer(self._port, self._service)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self._grpc = GrpcServer(self._grpc_port, self.writes)
        self._grpc_port = self._grpc.port

    def stop(self) -> None:
        """Answer no more. What is stored stays, for another start."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        if self._grpc:
            self._grpc.stop()
            self._grpc = None

    @property
    def endpoint(self) -> str:
        """Where clients find it."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def grpc_endpoint(self) -> str:
        """Where clients of the Storage Write API find it."""
        return f"127.0.0.1:{self._grpc_port}"

    @property
    def analyze_only(self) -> bool:
        """Whether changes of rows are analyzed and not made."""
        return not self._jobs.stores_rows

    @analyze_only.setter
    def analyze_only(self, value: bool) -> None:
        self._jobs.stores_rows = not value

    @property
    def jobs(self) -> list[Job]:
        """Every job so far, in the order in which they came."""
        return self._jobs.log

    @property
    def statements(self) -> Count:
        """How many statements GoogleSQL analyzed, and how many it refused."""
        return self._jobs.count

    def rows(self, dataset: str, table: str) -> list[dict[str, Any]]:
        """The rows of a table, as Python values."""
        return decode_rows(self.warehouse.table(TableName(self.project, dataset, table)).rows)

    def put(self, dataset: str, table: str, data: pa.Table) -> None:
        """Store a table, and its dataset where there is none."""
        if (self.project, dataset) not in self.warehouse.datasets:
            self.warehouse.create_dataset(self.project, dataset, Dataset(self.location))
        self.warehouse.put(TableName(self.project, dataset, table), arrow_table(data))

    def fail_next(
        self,
        reason: str,
        times: int = 1,
        on: Literal["load", "query", "any"] = "any",
        in_job: bool = False,
    ) -> None:
        """Let the next jobs of a kind fail.

        The reason is one of BigQuery's (`backendError`, `quotaExceeded`, `rateLimitExceeded`,
        `accessDenied`), or `connectionDropped`: the job runs and the client gets no answer.
        A job fails when it is inserted, or, `in_job`, while it runs.
        """
        self._jobs.fail_next(reason, times, on, in_job)

    def mend(self) -> None:
        """Let no more jobs fail."""
        self._jobs.mend()
