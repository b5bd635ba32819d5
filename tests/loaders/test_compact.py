"""What a merge makes of files: the same rows, found as before; and what it refuses to make."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from landed import ATTEMPT
from samples import as_lines, land
from small_batches import NOW, TABLES, all_rows, files_in, land_small, leftovers, read_lines

from loaders import bronze
from loaders.books import read_books
from loaders.compaction import compact as compaction
from loaders.compaction import merge, plan
from loaders.compaction.compact import Compacted, compact
from loaders.contracts import Contract, contract_of
from loaders.gaps import read_gaps
from loaders.home import Home
from loaders.landing.replay import replay, waiting
from loaders.sinks.batch_files import read_batch

Change = Callable[[pa.Table], pa.Table]


def rewrite(file: Path, change: Change) -> None:
    """Replace a file's rows, as a version of Assay that is older or wrong would have written it."""
    pq.write_table(change(pq.ParquetFile(file).read()), file, compression="zstd")


def merged(home: Home, table: str = "attempts") -> pq.ParquetFile:
    """The one file of a table."""
    (file,) = files_in(home, table)
    assert file.name.startswith("merged-")
    return pq.ParquetFile(file)


def outcome(home: Home, table: str = "attempts") -> Compacted:
    (result,) = compact(home, [table], older_than=0)
    return result


def test_rows_stay_as_they_are(home: Home):
    """Every row and value; the contract's schema, zstd, sorted by batch, as old as the newest."""
    for n in range(5):
        land_small(home, rows=n + 1)
    before = {table: all_rows(home, table) for table in TABLES}
    newest = max(file.stat().st_mtime_ns for file in files_in(home))
    for result in compact(home, older_than=0):
        there = result.table in TABLES
        assert (result.files_before, result.files_after) == ((5, 1) if there else (0, 0))
        assert (result.bytes_after < result.bytes_before) == there
    for table in TABLES:
        file = merged(home, table)
        assert all_rows(home, table) == before[table]
        assert file.schema_arrow == contract_of(table).arrow_schema
        assert {file.metadata.row_group(0).column(n).compression for n in range(5)} == {"ZSTD"}
        ids = file.read(["batch_id"])["batch_id"].to_pylist()
        assert ids == sorted(ids)
    assert files_in(home)[0].stat().st_mtime_ns == newest
    assert leftovers(home) == []


def test_files_of_other_versions_are_merged_as_readers_unite_them(home: Home):
    """One lacks a column that came later; one has another order, and long strings."""
    for _ in range(3):
        land_small(home)
    first, second, _ = files_in(home, "landing_ledger")
    rewrite(first, lambda rows: rows.drop_columns(["trace_ids"]))
    rewrite(second, lambda rows: rows.select(rows.column_names[::-1]).cast(_long(rows)))
    lines = {row["batch_id"]: row for row in all_rows(home, "landing_ledger")}
    assert outcome(home, "landing_ledger").left == []
    assert merged(home, "landing_ledger").schema_arrow == contract_of("landing_ledger").arrow_schema
    for row in all_rows(home, "landing_ledger"):
        assert row == {"trace_ids": None, **lines[row["batch_id"]]}


def _long(rows: pa.Table) -> pa.Schema:
    fields = [rows.schema.field(name) for name in rows.column_names[::-1]]
    return pa.schema(
        [f.with_type(pa.large_string()) if f.type == pa.string() else f for f in fields]
    )


def test_a_narrower_type_is_widened_unless_a_value_would_change(
    home: Home, monkeypatch: pytest.MonkeyPatch
):
    """`duration` as a contract might have it one day: what float64 cannot hold stays int64."""
    for _ in range(4):
        land_small(home)
    old, new, *_ = files_in(home)
    wide = with_type("attempts", "duration", "float64")
    rewrite(old, with_duration(pa.scalar(2**53, pa.int64())))
    rewrite(new, with_duration(pa.scalar(0.5)))
    before = all_rows(home, "attempts")
    monkeypatch.setattr(compaction, "contract_of", lambda _: wide)
    assert outcome(home).problem is None
    assert merged(home).schema_arrow == wide.arrow_schema
    assert all_rows(home, "attempts") == before

    land_small(home)
    (huge,) = [file for file in files_in(home) if not file.name.startswith("merged-")]
    rewrite(huge, with_duration(pa.scalar(2**53 + 1, pa.int64())))
    land_small(home)
    assert "cannot be merged (ArrowInvalid)" in str(outcome(home).problem)
    assert 2**53 + 1 in [row["duration"] for row in all_rows(home, "attempts")]


def with_type(table: str, name: str, data_type: str) -> Contract:
    contract = contract_of(table)
    columns = [replace(c, data_type=data_type) if c.name == name else c for c in contract.columns]
    return replace(contract, columns=tuple(columns))


def with_duration(value: pa.Scalar) -> Change:
    def change(rows: pa.Table) -> pa.Table:
        place = rows.column_names.index("duration")
        return rows.set_column(place, "duration", pa.repeat(value, rows.num_rows))

    return change


@pytest.mark.parametrize("group_rows", [1, 7])
def test_merging_what_was_merged(
    home: Home, dice: random.Random, group_rows: int, monkeypatch: pytest.MonkeyPatch
):
    """Rounds of batches of random size, in row groups and switches far smaller than real ones."""
    monkeypatch.setattr(merge, "_GROUP_ROWS", group_rows)
    monkeypatch.setattr(plan, "MOST_FILES", 4)
    for _ in range(4):
        for _ in range(dice.randrange(2, 9)):
            land_small(home, rows=dice.randrange(1, 12), letters=0)
        before = all_rows(home, "attempts")
        result = outcome(home)
        assert result.problem is None
        assert all_rows(home, "attempts") == before
        for file in files_in(home):
            ids = pq.ParquetFile(file).read(["batch_id"])["batch_id"].to_pylist()
            assert ids == sorted(ids)
    assert len(files_in(home)) < 5
    made = [pq.read_metadata(f) for f in files_in(home) if f.name.startswith("merged-")]
    sizes = [file.row_group(n).num_rows for file in made for n in range(file.num_row_groups)]
    assert max(sizes) <= group_rows


def with_values(name: str, values: Callable[[list[str]], list[str | None]]) -> Change:
    def change(rows: pa.Table) -> pa.Table:
        changed = pa.array(values(rows[name].to_pylist()), pa.string())
        return rows.set_column(rows.column_names.index(name), name, changed)

    return change


# What may go wrong in a merge, planted: each is found when the rows are counted afterwards.
WRONG: dict[str, Change] = {
    "drops a row": lambda rows: rows.slice(1),
    "has a row twice": lambda rows: pa.concat_tables([rows, rows.slice(0, 1)]),
    "has a row in place of another": lambda rows: pa.concat_tables(
        [rows.slice(1), rows.slice(1, 1)]
    ),
    "changes a value": with_values("event_id", lambda ids: ["x", *ids[1:]]),
    "loses a value": with_values("event_id", lambda ids: [None, *ids[1:]]),
    "swaps the values of two rows": with_values("event_id", lambda ids: [*ids[1::-1], *ids[2:]]),
    "gives a row to another batch": with_values("batch_id", lambda ids: [*ids[:-1], ids[0]]),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_merge_that_is_not_the_same_is_refused(
    wrong: str, home: Home, monkeypatch: pytest.MonkeyPatch
):
    """Planted faults: nothing changes, and one line says so."""
    for _ in range(3):
        land_small(home)
    before, files = all_rows(home, "attempts"), files_in(home)

    def bad(files: list[Path], contract: Contract, into: Path, on_file: Callable) -> None:
        merge.write_merged(files, contract, into, on_file)
        rewrite(into, WRONG[wrong])

    monkeypatch.setattr(compaction, "write_merged", bad)
    problem = outcome(home).problem
    assert problem is not None
    assert "would not be the same after a merge" in problem
    assert (all_rows(home, "attempts"), files_in(home)) == (before, files)
    assert leftovers(home) == []


def test_a_file_that_is_not_as_its_contract_says_is_left_alone(home: Home):
    """Or `assay check` would find nothing any more. The others are merged."""
    for _ in range(7):
        land_small(home)
    files = files_in(home)
    rewrite(files[0], lambda rows: rows.append_column("planted", pa.nulls(rows.num_rows)))
    rewrite(files[1], lambda rows: rows.drop_columns(["referrer"]))
    rewrite(files[2], lambda rows: rows.set_column(0, "event_id", pa.array([1] * rows.num_rows)))
    files[3].write_bytes(b"no parquet")
    files[4].rename(files[4].with_name("copy.parquet"))
    result = outcome(home)
    left = {*(file.name for file in files[:4]), "copy.parquet"}
    assert set(result.left) == left
    assert {file.name for file in files_in(home)} - left == {
        file.name for file in files_in(home) if file.name.startswith("merged-")
    }
    assert result.problem is None
    assert (result.files_before, result.files_after) == (7, 6)


def test_big_and_young_files_are_left_alone(home: Home, monkeypatch: pytest.MonkeyPatch):
    for _ in range(4):
        land_small(home)
    old, older, young, big = files_in(home)
    for file in (old, older, big):
        os.utime(file, (NOW.timestamp(), NOW.timestamp()))
    rewrite(big, lambda rows: pa.concat_tables([rows] * 2000))
    os.utime(big, (NOW.timestamp(), NOW.timestamp()))
    monkeypatch.setattr(plan, "TARGET_BYTES", 2 * big.stat().st_size)
    (result,) = compact(home, ["attempts"])
    assert (result.files_before, result.files_after) == (4, 3)
    assert {young, big} < set(files_in(home))


def test_little_is_written_again_and_few_files_remain(home: Home):
    """Fifty rounds of small files. A file that is merged again grows by half at least.

    So a byte is written log(50) / log(1.5) = 9.6 times and once more. Merged files that stay are
    three times as big as all smaller ones, so of 50 rounds log(50) / log(3) = 3.6 and one stay.
    """
    day = home.bronze / "attempts" / "ingest_date=2026-05-01"
    day.mkdir()
    landed = written = 0

    def made(name: str, size: int) -> None:
        with (day / name).open("wb") as file:
            file.truncate(size)

    for number in range(50):
        for n in range(20):
            made(f"{number}-{n}.parquet", 1000)
            landed += 1000
        for group in plan.plan(home, "attempts", older_than=0):
            size = sum(source.state.st_size for source in group)
            made(f"merged-{number}.parquet", size)
            written += size
            for source in group:
                source.path.unlink()
        assert len(list(day.iterdir())) <= 5
    assert sum(file.stat().st_size for file in day.iterdir()) == landed
    assert written < 10.6 * landed


def test_a_batch_is_found_in_a_merged_file(home: Home, monkeypatch: pytest.MonkeyPatch):
    """By the statistics of row groups; of the others, nothing is read."""
    monkeypatch.setattr(merge, "_GROUP_ROWS", 10)
    ids = sorted(land_small(home, rows=5) for _ in range(12))
    before = {batch_id: bronze.read_rows(home, "attempts", batch_id) for batch_id in ids}
    compact(home, older_than=0)
    assert merged(home).metadata.num_row_groups == 6
    read: list[int] = []
    groups = pq.ParquetFile.read_row_groups

    def counted(file: pq.ParquetFile, numbers: list[int], columns: list[str] | None) -> pa.Table:
        read.extend(numbers)
        return groups(file, numbers, columns)

    monkeypatch.setattr(pq.ParquetFile, "read_row_groups", counted)
    for batch_id in ids:
        assert bronze.read_rows(home, "attempts", batch_id) == before[batch_id]
    assert len(read) <= 2 * len(ids)
    read.clear()
    assert all(bronze.is_landed(home, batch_id) for batch_id in ids)
    assert not bronze.is_landed(home, ids[3][:-1] + "~")
    rows = read_batch(files_in(home)[0], ids[0], ["code", "line_number", "absent"])
    assert rows.column_names == ["line_number"]


def test_landing_replay_and_books_after_a_merge(home: Home):
    """The same file is landed once, what waits can be replayed, and the books are as before."""
    good = [{**ATTEMPT, "event_id": f"e{n}", "producer": "p", "sequence": 2 * n} for n in range(9)]
    first = land(home, as_lines(good) + b"{broken\n")
    bad = land(home, as_lines([{**ATTEMPT, "timestamp": "never", "event_id": "later"}]), "bad")
    before = read_books(home), waiting(home), read_gaps(home)
    compact(home, older_than=0)
    assert len(files_in(home, "dead_letters")) == len(files_in(home, "landing_ledger")) == 1
    assert (read_books(home), waiting(home), read_gaps(home)) == before
    again = land(home, as_lines(good) + b"{broken\n")
    assert again.already_landed
    assert (again.accepted, again.codes, again.sequences) == (
        first.accepted, first.codes, first.sequences,
    )  # fmt: skip
    (result,) = replay(home, batch_id=bad.batch_id)
    assert (result.tried, result.refused) == (1, 1)
    compact(home, older_than=0)
    assert sum(waiting(home).values()) == 2
    assert {batch.problem for batch in read_books(home)[0]} == {None}
    assert read_lines(home).total() == 9
