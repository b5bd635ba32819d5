"""What a file of a batch is as requests to append rows: Arrow, as the file has them."""

from __future__ import annotations

from itertools import pairwise

import pyarrow as pa
from google.cloud.bigquery_storage_v1 import types

# A request must be smaller than 10 MB, with its schema. More than one row is divided long before,
# so that several requests are on their way at a time.
MOST_BYTES = 9_000_000
_WANTED_BYTES = 2_000_000


def edges(rows: pa.Table) -> tuple[int, ...]:
    """The rows at which requests begin, and where the last one ends."""
    return _edges(rows, _WANTED_BYTES)


def fit(rows: pa.Table) -> bool:
    """Whether each row fits into a request."""
    cuts = _edges(rows, MOST_BYTES)
    return all(rows.slice(a, b - a).nbytes <= MOST_BYTES for a, b in pairwise(cuts))


def request(stream: str, offset: int, rows: pa.Table) -> types.AppendRowsRequest:
    """The request that appends rows at an offset of a stream."""
    [batch] = rows.combine_chunks().to_batches()
    return types.AppendRowsRequest(
        write_stream=stream,
        offset=offset,
        arrow_rows=types.AppendRowsRequest.ArrowData(
            writer_schema={"serialized_schema": batch.schema.serialize().to_pybytes()},
            rows={"serialized_record_batch": batch.serialize().to_pybytes()},
        ),
    )


def _edges(rows: pa.Table, most: int) -> tuple[int, ...]:
    """Halved until each piece is small enough, or a single row."""
    cuts = [0]

    def cut(first: int, last: int) -> None:
        if last - first > 1 and rows.slice(first, last - first).nbytes > most:
            middle = (first + last) // 2
            cut(first, middle)
            cut(middle, last)
        else:
            cuts.append(last)

    if rows.num_rows:
        cut(0, rows.num_rows)
    return tuple(cuts)
