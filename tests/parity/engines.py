"""The two engines side by side, for tests that run macros on tables of their own."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet
from bigquery_home import bigquery_home, run_dbt_on
from compiled import compile_inline, sandbox
from google.cloud import bigquery
from official import client_of
from standin import StandIn

DATASET = "d"


class Engines:
    """The two engines, and macros as dbt compiles them for each, all in one run of dbt."""

    def __init__(self, standin: StandIn, folder: Path, calls: list[str]) -> None:
        self.duck: duckdb.DuckDBPyConnection = sandbox()
        self.duck.execute(f"create schema {DATASET}")
        self.client: bigquery.Client = client_of(standin)
        self.client.create_dataset(DATASET)
        pieces = {f"piece{n}": f"{{{{ {call} }}}}" for n, call in enumerate(calls)}
        marked = "\n".join(f"-- {name}\n{piece}" for name, piece in pieces.items())
        home = bigquery_home(folder / "home")
        compiled = run_dbt_on(standin, home, "--quiet", "compile", "--inline", marked).stdout
        big = re.split(r"-- piece\d+\n", compiled)[1:]
        duck = compile_inline(**pieces).values()
        self._sql = dict(zip(calls, zip(duck, big, strict=True), strict=True))

    def sql(self, call: str, query: str = "select {}") -> tuple[str, str]:
        """A query with what a macro gives, for DuckDB and for BigQuery."""
        ours, theirs = self._sql[call]
        return query.format(ours), query.format(theirs)

    def rows(self, duck: str, big: str) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        """What the two engines answer."""
        ours = self.duck.execute(duck).fetchall()
        return ours, [tuple(row.values()) for row in self.client.query_and_wait(big)]

    def load(self, name: str, table: pa.Table) -> None:
        """A table of the dataset on both. Its times are naive UTC, as silver on DuckDB has them."""
        self.duck.register("loaded", table)
        self.duck.execute(f"create table {DATASET}.{name} as select * from loaded")
        zoned = [
            field.with_type(pa.timestamp("us", "UTC"))
            if pa.types.is_timestamp(field.type)
            else field
            for field in table.schema
        ]
        file = io.BytesIO()
        pa.parquet.write_table(table.cast(pa.schema(zoned)), file)
        file.seek(0)
        config = bigquery.LoadJobConfig(source_format="PARQUET")
        self.client.load_table_from_file(file, f"{DATASET}.{name}", job_config=config).result()
