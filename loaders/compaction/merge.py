"""Writing one file of bronze from many, and looking whether it holds just what they held."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from loaders.contracts import Contract, read_as
from loaders.durable import durable_file
from loaders.home import connect, quote
from loaders.sinks.batch_files import BATCH, batch_spans, is_merged

# Readers of a batch read a row group, and a merge holds a few in memory: neither many rows nor many
# bytes. Bigger ones make files by a few percent smaller, and scans no faster.
_GROUP_ROWS = 16_384
_GROUP_BYTES = 32 << 20


def is_fit(file: Path, contract: Contract) -> bool:
    """Whether a file is as its contract says, so that merging it hides nothing from `assay check`.

    It may lack columns that came later. Of a file that is no merged one, all rows are of the batch
    that names it.
    """
    try:
        metadata = pq.read_metadata(file)
    except (pa.ArrowException, OSError):
        return False
    there = {field.name: field.type for field in metadata.schema.to_arrow_schema()}
    declared = {column.name: column for column in contract.kept_columns}
    if not (there.keys() <= declared.keys() and BATCH in there):
        return False
    if any(read_as(kind, declared[name].data_type) is None for name, kind in there.items()):
        return False
    if any(column.since is None for name, column in declared.items() if name not in there):
        return False
    return is_merged(file) or set(batch_spans(metadata)) == {(file.stem, file.stem)}


def write_merged(
    files: list[Path], contract: Contract, into: Path, on_file: Callable[[Path], None]
) -> None:
    """Write the rows of some files, sorted by batch, into a new one of the contract's schema.

    Needs memory for a few row groups, however many rows there are.
    """
    schema = contract.arrow_schema

    def rows_of(files: list[Path]) -> Iterator[pa.Table]:
        return _in_groups(block for file in files for block in _blocks(file, schema, on_file))

    own = sorted(file for file in files if not is_merged(file))
    streams = [rows_of(own), *(rows_of([file]) for file in files if is_merged(file))]
    with durable_file(into) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for group in _in_groups(_interleaved(streams)):
            writer.write_table(group, row_group_size=_GROUP_ROWS)


def differing_batches(files: list[Path], merged: Path) -> int:
    """How many batches the merged file does not hold just as its sources do.

    Counted by DuckDB, which had no part in the merge: the rows of every batch, and the sum of their
    hashes.
    """
    with connect() as connection:
        types = _columns(connection, _read([merged]))
        for side, read in (("sources", _read(files)), ("merged", _read([merged]))):
            there = _columns(connection, read)
            # Rows of a file that lacks a column, or has it in a narrower type, hash as today's.
            values = ", ".join(
                f'cast("{name}" as {kind})' if name in there else f"cast(null as {kind})"
                for name, kind in types.items()
            )
            connection.execute(
                f"create table {side} as "
                f"select {BATCH}, count(*) as row_total, sum(hash({values})) as hash_total "
                f"from {read} group by {BATCH}"
            )
        found = connection.execute(
            f"""
            select count(distinct {BATCH}) from (
                (from sources except from merged) union all (from merged except from sources)
            )
            """
        ).fetchone()
    return int(found[0]) if found else 0


def _columns(connection: duckdb.DuckDBPyConnection, read: str) -> dict[str, str]:
    rows = connection.execute(f"describe from {read}").fetchall()
    return {name: kind for name, kind, *_ in rows}


def _read(files: list[Path]) -> str:
    listed = ", ".join(quote(str(file)) for file in files)
    return f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"


def _blocks(file: Path, schema: pa.Schema, on_file: Callable[[Path], None]) -> Iterator[pa.Table]:
    """The rows of a file as the contract has them today: what they lack is null."""
    with pq.ParquetFile(file) as parquet:
        rows = _rows_at_once(parquet.metadata)
        for block in parquet.iter_batches(rows, use_threads=False):  # of small files they cost more
            columns = [
                block[field.name].cast(field.type)
                if field.name in block.schema.names
                else pa.nulls(block.num_rows, field.type)
                for field in schema
            ]
            yield pa.Table.from_arrays(columns, schema=schema)
    on_file(file)


def _rows_at_once(metadata: pq.FileMetaData) -> int:
    size = sum(metadata.row_group(n).total_byte_size for n in range(metadata.num_row_groups))
    return int(max(1, min(_GROUP_ROWS, _GROUP_BYTES * metadata.num_rows // max(size, 1))))


def _in_groups(blocks: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in fewer blocks, about as big as a row group."""
    held: list[pa.Table] = []
    rows = size = 0
    for block in blocks:
        held.append(block)
        rows, size = rows + block.num_rows, size + block.nbytes
        if rows >= _GROUP_ROWS or size >= _GROUP_BYTES:
            yield pa.concat_tables(held)
            held, rows, size = [], 0, 0
    if held:
        yield pa.concat_tables(held)


def _interleaved(streams: list[Iterator[pa.Table]]) -> Iterator[pa.Table]:
    """The rows of streams that are sorted by batch as one such stream."""
    heads = [(block, stream) for stream in streams if (block := next(stream, None))]
    while heads:
        # Up to the last batch of the block that ends first, no stream has anything more to come.
        last = min(block[BATCH][-1].as_py() for block, _ in heads)
        parts, left = [], []
        for block, stream in heads:
            count = pc.sum(pc.less_equal(block[BATCH], last)).as_py()
            parts.append(block.slice(0, count))
            rest = block.slice(count) if count < block.num_rows else next(stream, None)
            if rest:
                left.append((rest, stream))
        yield parts[0] if len(parts) == 1 else pa.concat_tables(parts).sort_by(BATCH)
        heads = left
