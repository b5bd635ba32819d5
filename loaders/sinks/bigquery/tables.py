"""The tables of bronze as a batch finds them: there or not, and as their contracts say or not."""

from __future__ import annotations

from google.cloud import bigquery

from loaders.contracts import contract_of
from loaders.errors import AssayError
from loaders.home import Home
from loaders.sinks.bigquery import schemas
from loaders.sinks.bigquery.errors import Call
from loaders.sinks.bigquery.service import Service


class Tables:
    """The bronze dataset of a home."""

    def __init__(self, service: Service, home: Home) -> None:
        self.service = service
        self.dataset = service.target.layer("bronze")
        self._home = home

    def call(self, table: str, batch_id: str) -> Call:
        """The words for a failure to move a batch's rows into a table."""
        return Call(
            f"table {self.dataset}.{table}",
            f"roles/bigquery.dataEditor on dataset {self.dataset}",
            f"Nothing is lost: batch {batch_id} is kept in {self._home.path}, and the next assay "
            "land, ledger or status completes it.",
        )

    def fitting(self, table: str, call: Call) -> bigquery.Table:
        """The table, if it is as its contract says. Raises AssayError otherwise."""
        there = self.service.table(self.dataset, table, call)
        how = f"Run: assay init --bigquery {self.service.target.project}. {call.outcome}"
        if there is None:
            raise AssayError(f"BigQuery, {call.place}: it is not there. {how}")
        column = schemas.behind(there, schemas.fields(contract_of(table)))
        if column is not None:
            raise AssayError(
                f"BigQuery, {call.place}: schema drift, column {column} is not as its contract in "
                f"models/bronze says. {how}"
            )
        return there
