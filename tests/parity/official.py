"""The stand-in for BigQuery through the official client: what its tests share."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from google.api_core import exceptions
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from google.cloud.bigquery import QueryJobConfig
from standin import StandIn

Run = Callable[..., list[tuple[Any, ...]]]


def client_of(standin: StandIn, location: str | None = None) -> bigquery.Client:
    """The official client, pointed at a stand-in."""
    return bigquery.Client(
        project=standin.project,
        credentials=AnonymousCredentials(),
        client_options=ClientOptions(api_endpoint=standin.endpoint),
        location=location,
    )


@pytest.fixture
def standin() -> Iterator[StandIn]:
    """A stand-in with an empty dataset `d`."""
    with StandIn() as made:
        client_of(made).create_dataset("d")
        yield made


@pytest.fixture
def client(standin: StandIn) -> bigquery.Client:
    """A client of the stand-in."""
    return client_of(standin)


@pytest.fixture
def run(client: bigquery.Client) -> Run:
    """Run a text and give the rows of its last query."""

    def run(text: str, *parameters: Any) -> list[tuple[Any, ...]]:
        config = QueryJobConfig(query_parameters=parameters)
        return [row.values() for row in client.query(text, config, job_retry=None).result()]

    return run


def refusal(run: Run, text: str) -> str:
    """What is said against a text."""
    with pytest.raises(exceptions.GoogleAPICallError) as refused:
        run(text)
    return refused.value.errors[0]["message"]


def parquet(*fields: pa.Field, rows: list[dict[str, Any]]) -> io.BytesIO:
    """Rows as a Parquet file."""
    file = io.BytesIO()
    pa.parquet.write_table(pa.Table.from_pylist(rows, pa.schema(list(fields))), file)
    file.seek(0)
    return file


ID = pa.field("id", pa.int64(), nullable=False)


def load_parquet(
    client: bigquery.Client, file: io.BytesIO, lists: bool = True, **options: Any
) -> bigquery.LoadJob:
    """Append a Parquet file to `d.t`."""
    format_options = bigquery.ParquetOptions()
    format_options.enable_list_inference = lists
    config = bigquery.LoadJobConfig(
        source_format="PARQUET", parquet_options=format_options, **options
    )
    job = client.load_table_from_file(file, "d.t", job_config=config)
    job.result()
    return job
