"""Where in a home a person still is: every file, and what compressed files say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from loaders.contracts import load_contracts
from loaders.erasure.subject import Subject
from loaders.home import Home, connect, quote
from loaders.sinks.batch_files import files_of

_CHUNK, _OVERLAP = 16 << 20, 4096


def remaining(home: Home, subject: Subject, pseudonyms: set[str], but: Path) -> list[Path]:
    """Files of the home that hold the value or a pseudonym of it. Of `but`, a folder, none."""
    needles = [pseudonym.encode() for pseudonym in sorted(pseudonyms)]
    files = [path for path in sorted(home.path.rglob("*")) if path.is_file()]
    return [
        file
        for file in files
        if not (file.is_symlink() or but in file.parents)
        and (
            _has_short_value(home, file, subject)
            or any(
                subject.is_in(data) or any(needle in data for needle in needles)
                for data in _contents(home, file)
            )
        )
    ]


def _has_short_value(home: Home, file: Path, subject: Subject) -> bool:
    """Of a value that is too short for texts, its own column is what can be looked at."""
    if file.suffix != ".parquet" or subject.text_pattern:
        return False
    for contract in load_contracts().values():
        if contract.silver and file in files_of(home.bronze / contract.table):
            names = {column.name for column in contract.columns}
            if subject.kind in names:
                column = pq.read_table(file, columns=[subject.kind])[subject.kind]
                if pc.any(subject.matches(column, is_own=True)).as_py():
                    return True
    return False


def _contents(home: Home, file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        tail = b""
        while block := opened.read(_CHUNK):
            yield tail + block
            tail = block[-_OVERLAP:]
    if file.suffix == ".parquet":
        yield from _of_parquet(file)
    if file == home.warehouse:
        yield from _of_warehouse(home)


def _of_parquet(file: Path) -> Iterator[bytes]:
    try:
        with pq.ParquetFile(file) as parquet:
            for block in parquet.iter_batches():
                for column in block.columns:
                    yield _as_bytes(column)
    except (pa.ArrowException, OSError):
        return  # its bytes have been looked at


def _of_warehouse(home: Home) -> Iterator[bytes]:
    with connect() as connection:
        connection.execute(f"attach {quote(str(home.warehouse))} as warehouse (read_only)")
        columns = connection.execute(
            "select schema_name, table_name, column_name from duckdb_columns() "
            "join duckdb_tables() using (database_name, schema_name, table_name) "
            "where database_name = 'warehouse' and data_type in ('VARCHAR', 'BLOB', 'JSON')"
        ).fetchall()
        for schema, table, column in columns:
            yield from _of_column(connection, f'warehouse."{schema}"."{table}"', column)


def _of_column(connection: duckdb.DuckDBPyConnection, table: str, column: str) -> Iterator[bytes]:
    rows = connection.execute(f'select distinct "{column}" from {table}')
    while some := rows.fetchmany(100_000):
        yield b"\n".join(v.encode() if isinstance(v, str) else v for (v,) in some if v)


def _as_bytes(column: pa.Array) -> bytes:
    if not (pa.types.is_string(column.type) or pa.types.is_binary(column.type)):
        return b""
    values = column.drop_null().to_pylist()
    return b"\n".join(v.encode() if isinstance(v, str) else v for v in values)
