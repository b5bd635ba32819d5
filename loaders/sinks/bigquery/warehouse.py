"""What dbt made on BigQuery, to read."""

from __future__ import annotations

import pyarrow as pa

from loaders.home import Home
from loaders.sinks.bigquery.sink import service_of


class BigQueryWarehouse:
    """The silver dataset, and the one of what dbt remembers."""

    def __init__(self, home: Home) -> None:
        self._service = service_of(home)

    def tables(self) -> set[str]:
        target = self._service.target
        datasets = {"silver": target.layer("silver"), "main": target.dataset}
        return {
            f"{word}.{table}"
            for word, dataset in datasets.items()
            for table in self._service.tables(dataset)
        }

    def query(self, sql: str) -> pa.Table:
        return self._service.query(sql)
