"""A person in bronze: of each row an empty line is left, of each dead letter no bytes.

The line keeps its batch, its number, who sent it under which number and when it landed. So the
books add up as before and no number is missing; nothing of the event is left. A row without a
payload hash is such a line: landing gives every row one.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from loaders.compaction.replace import alone, fitted, rewrite
from loaders.contracts import Contract, contract_of, load_contracts
from loaders.erasure.subject import Subject
from loaders.home import Home
from loaders.sinks.batch_files import files_of

ERASED = "erased-"  # begins the key of an empty line
_WAIT_SECONDS = 30.0
_NUMBERING = ("producer", "sequence")
_OF_A_LETTER = ("raw", "header", "event_id", "pointer")


def erase(home: Home, subject: Subject, salt: str) -> dict[str, int]:
    """Empty the lines of a person. Returns how many, by table; some are of an earlier try."""
    emptied: dict[str, int] = {}
    keys: dict[str, set[str]] = {}
    events = [contract for contract in load_contracts().values() if contract.silver]
    with alone(home, _WAIT_SECONDS) as aside:
        # What explains others goes first: they lead to it.
        for contract in sorted(events, key=lambda one: one.explains is None):
            table = contract.table
            keys[table] = set()
            explained = _keys_of(home, contract.explains, subject)

            def empty(
                rows: pa.Table, contract: Contract = contract, explained: pa.Array = explained
            ) -> pa.Table | None:
                mask = _of_subject(rows, contract, subject)
                of_explained = pc.is_in(rows[contract.key], value_set=explained)
                mask = pc.or_(mask, pc.and_(of_explained, pc.is_valid(rows["payload_hash"])))
                keys[contract.table] |= set(rows[contract.key].filter(mask).to_pylist())
                return _emptied(rows, contract, mask, salt)

            emptied[table] = _rewritten(home, aside, contract, empty)
        letters = contract_of("dead_letters")
        emptied[letters.table] = _rewritten(
            home, aside, letters, lambda rows: _without_bytes(rows, subject, keys)
        )
    return {table: count for table, count in emptied.items() if count}


def _keys_of(home: Home, table: str | None, subject: Subject) -> pa.Array:
    """Keys of a person's rows in a table; of no table, none."""
    found: list[str] = []
    if table:
        contract = contract_of(table)
        for file in sorted(files_of(home.bronze / table)):
            with pq.ParquetFile(file) as parquet:
                rows = fitted(parquet.read(), contract)
            mask = _of_subject(rows, contract, subject)
            found += rows[contract.key].filter(mask).to_pylist()
    return pa.array(found, pa.string())


def erased_key(salt: str, key: str) -> str:
    """The key of an empty line; silver makes the same of the event's."""
    return ERASED + hashlib.sha256(f"{salt}{key}".encode()).hexdigest()[:24]


def _rewritten(
    home: Home,
    aside: Path,
    contract: Contract,
    change: Callable[[pa.Table], pa.Table | None],
) -> int:
    changed = 0
    for file in sorted(files_of(home.bronze / contract.table)):
        with pq.ParquetFile(file) as parquet:
            before = fitted(parquet.read(), contract)
        after = change(before)
        if after is not None:
            rewrite(home.bronze, aside, file, after, contract, _WAIT_SECONDS)
            name = "raw" if contract.table == "dead_letters" else "payload_hash"
            changed += after[name].null_count - before[name].null_count
    return changed


def _of_subject(rows: pa.Table, contract: Contract, subject: Subject) -> pa.ChunkedArray:
    """Rows in which the value stands anywhere: in its own column, or in a text."""
    mask = pa.chunked_array([pa.array([False] * rows.num_rows, pa.bool_())])
    for column in contract.kept_columns:
        if column.data_type == "string" and column.set_by is None:
            found = subject.matches(rows[column.name], column.name == subject.kind)
            mask = pc.or_(mask, found)
    return pc.and_(mask, pc.is_valid(rows["payload_hash"]))


def _emptied(
    rows: pa.Table, contract: Contract, mask: pa.ChunkedArray, salt: str
) -> pa.Table | None:
    if not pc.any(mask).as_py():
        return None
    columns = []
    for column in contract.kept_columns:
        values = rows[column.name]
        if column.name == contract.key:
            own = [
                erased_key(salt, key) if is_erased else key
                for key, is_erased in zip(values.to_pylist(), mask.to_pylist(), strict=True)
            ]
            values = pa.chunked_array([pa.array(own, values.type)])
        elif column.name == "payload_hash" or not (column.set_by or column.name in _NUMBERING):
            values = pc.if_else(mask, pa.scalar(None, values.type), values)
        columns.append(values)
    return pa.Table.from_arrays(columns, schema=contract.arrow_schema)


def _without_bytes(rows: pa.Table, subject: Subject, keys: dict[str, set[str]]) -> pa.Table | None:
    """Letters whose bytes, or whose event, are the person's. All tries of a record go together."""
    letters = rows.select(["dead_letter_id", "table_name", *_OF_A_LETTER]).to_pylist()
    holds = [subject.in_bytes(rows[name].cast(pa.large_binary())) for name in _OF_A_LETTER]
    is_told = functools.reduce(pc.or_, holds).to_pylist()
    ids = {
        letter["dead_letter_id"]
        for letter, told in zip(letters, is_told, strict=True)
        if told or letter["event_id"] in keys.get(letter["table_name"], ())
    }
    mine = [
        letter["dead_letter_id"] in ids and any(letter[name] for name in _OF_A_LETTER)
        for letter in letters
    ]
    if not any(mine):
        return None
    mask = pa.chunked_array([pa.array(mine, pa.bool_())])
    for name in _OF_A_LETTER:
        place = rows.schema.get_field_index(name)
        values = pc.if_else(mask, pa.scalar(None, rows[name].type), rows[name])
        rows = rows.set_column(place, rows.schema.field(place), values)
    return rows
