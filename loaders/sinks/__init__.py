"""Sinks: where batches go, and where their rows are read again.

A batch is committed in the home, whatever the sink (loaders/bronze.py). From there the sink moves
it to where readers look. A sink that is to be added is one more file with the methods of `Sink`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from loaders.errors import AssayError
from loaders.home import Home
from loaders.sinks.parquet import ParquetSink
from loaders.sinks.protocol import Sink


def sink_of(home: Home) -> Sink:
    """The sink of a home. Raises AssayError where the library that it needs is not installed."""
    if home.bigquery is None:
        return ParquetSink(home)
    with google_library():
        from loaders.sinks.bigquery.sink import BigQuerySink  # noqa: PLC0415 - only who lands there
    return BigQuerySink(home)


@contextlib.contextmanager
def google_library() -> Iterator[None]:
    """Around the imports of what needs Google's library: says how to install it."""
    try:
        yield
    except ImportError:
        raise AssayError(
            "BigQuery needs a library that is not installed. "
            "Run: pip install 'assay-lakehouse[bigquery]'"
        ) from None
