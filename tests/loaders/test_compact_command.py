"""`assay compact` as a person meets it, and what other commands make of merged files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from landed import assay
from small_batches import files_in, land_small

from loaders import status
from loaders.checks import batch, check
from loaders.checks.expectations import is_later
from loaders.cli import main
from loaders.compaction import compact as compaction
from loaders.compaction.compact import compact
from loaders.contracts import contract_of
from loaders.home import Home, Target, bronze_reader, mark_home
from loaders.status import lines, read_status


def run(*arguments: object, home: Home) -> tuple[int, str]:
    """Run `assay` within this process. Returns its exit code, and what it said."""
    words = [*map(str, arguments), "--home", str(home.path)]
    result = CliRunner().invoke(main, words)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


@pytest.fixture
def small(home: Home) -> Home:
    for _ in range(3):
        land_small(home)
    return home


def test_it_says_how_many_files_became_how_many(small: Home):
    done = assay("compact", "attempts", "landing_ledger", "--older-than", "0s", home=small)
    assert done.returncode == 0, done.stderr
    attempts, ledger = done.stdout.splitlines()
    assert attempts.startswith("attempts: 3 files became 1, ")
    assert attempts.count(" KB") == 2
    assert ledger.startswith("landing_ledger: 3 files became 1, ")
    assert len(files_in(small, "dead_letters")) == 3
    _, said = run("compact", "--older-than", "0s", "--json", home=small)
    facts = {facts["table"]: facts for facts in json.loads(said)["tables"]}
    assert facts["dead_letters"]["files_after"] == facts["attempts"]["files_before"] == 1
    assert run("compact", "--older-than", "0s", home=small) == (0, "Nothing to merge.\n")


def test_what_is_younger_than_a_minute_waits(small: Home):
    assert run("compact", home=small) == (0, "Nothing to merge.\n")
    assert run("compact", "--older-than", "1h", home=small) == (0, "Nothing to merge.\n")
    assert len(files_in(small)) == 3


def test_what_it_cannot_do_is_one_line(small: Home, monkeypatch: pytest.MonkeyPatch):
    code, said = run("compact", "nowhere", home=small)
    assert (code, said.count("\n")) == (1, 1)
    assert said.startswith("No bronze table nowhere.")
    code, said = run("compact", "--older-than", "soon", home=small)
    assert code == 2
    assert "Give a duration such as 60s" in said

    copied = files_in(small)[0].rename(files_in(small)[0].with_name("copy.parquet"))
    monkeypatch.setattr(compaction, "WAIT_SECONDS", 0)
    monkeypatch.setattr(compaction, "differing_batches", lambda *_: 2)
    code, said = run("compact", "attempts", "--older-than", "0s", home=small)
    assert code == 1
    assert said.splitlines() == [
        f"attempts: 1 files, such as {copied.name}, are not as their contract says and are left as "
        "they are. Run: assay check attempts",
        "2 batches of attempts in ingest_date=2026-05-01 would not be the same after a merge. "
        "Nothing was merged, and the files are left as they are. Please report this.",
    ]


def test_readers_in_the_way_are_told_and_all_is_left_for_the_next_time(small: Home):
    with bronze_reader(small, "attempts"):
        results = compact(small, older_than=0, wait=0)
    waits = {result.table for result in results if result.is_postponed}
    assert waits == {"attempts", "dead_letters", "landing_ledger"}
    assert {(r.files_before, r.files_after) for r in results if r.is_postponed} == {(3, 3)}


def test_a_home_on_bigquery_has_nothing_to_compact(tmp_path: Path):
    away = Home(tmp_path / "away")
    away.bronze.mkdir(parents=True)
    mark_home(away, "eu", Target("project", "assay_eu", "europe-west1"))
    nothing = "There is nothing to compact: the home lands on BigQuery, which keeps no files.\n"
    assert run("compact", home=away) == (0, nothing)
    assert json.loads(run("compact", "--json", home=away)[1]) == {"tables": []}


def test_the_status_says_how_many_files_wait(small: Home, monkeypatch: pytest.MonkeyPatch):
    assert read_status(small)["small_files"] == 0  # too young
    monkeypatch.setattr(status, "small_files", lambda _: 999)
    assert "bronze      999 small files" in lines(read_status(small))
    assert not [text for text in read_status(small)["attention"] if "assay compact" in text]
    monkeypatch.setattr(status, "small_files", lambda _: 1000)
    said = "1000 small files of bronze slow every reader. Run: assay compact"
    assert said in read_status(small)["attention"]


def test_a_check_finds_in_merged_files_what_it_finds_in_single_ones(small: Home):
    """All batches; of one a row is missing, and one has lost its line in the ledger."""
    part, alone = files_in(small)[0], files_in(small, "landing_ledger")[1]
    pq.write_table(pq.read_table(part, partitioning=None).slice(1), part)
    alone.unlink()

    def found(
        on_batch: Callable[[], object] = lambda: None,
    ) -> tuple[int, set[tuple[str, str, str, int | None]]]:
        result = check(small, ["attempts"], newest=10, on_batch=on_batch)
        return result.batches, {
            (f.table, f.batch_id, f.outcome.expectation, f.outcome.unexpected_count)
            for f in result.findings
        }

    before = found()
    assert before[0] == 3
    assert {(batch_id, count) for _, batch_id, _, count in before[1]} == {
        (part.stem, 1),
        (alone.stem, 2),
    }
    assert found(on_batch=lambda: compact(small, older_than=0)) == before  # merged meanwhile
    assert [len(files_in(small, table)) for table in ("attempts", "landing_ledger")] == [1, 1]
    assert found() == before


def test_a_merged_batch_need_not_have_what_came_later(small: Home):
    """A batch of a version that did not know the column yet has it once merged, with nulls."""
    column, file = "trace_ids", files_in(small, "landing_ledger")[0]
    assert is_later(contract_of("landing_ledger").column(column).since, "0.0.9")
    rows = pq.ParquetFile(file).read().drop_columns([column])
    place = rows.column_names.index("pipeline_version")
    pq.write_table(rows.set_column(place, "pipeline_version", pa.array(["0.0.9"])), file)
    compact(small, ["landing_ledger"], older_than=0)
    (merged,) = files_in(small, "landing_ledger")
    for batch_id in pq.ParquetFile(merged).read(["batch_id"])["batch_id"].to_pylist():
        found = batch.BatchFile("landing_ledger", batch_id, merged, rows=1)
        schema, version = batch.shape_of(found, contract_of("landing_ledger"))
        assert (column in schema.names) == (batch_id != file.stem)
        assert (version == "0.0.9") == (batch_id == file.stem)
