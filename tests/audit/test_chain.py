"""The audit chain: what is hashed, and that every way to change it afterwards is seen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from loaders import audit
from loaders.audit.chain import canonical, hashed
from loaders.contracts import contract_of
from loaders.home import Home

ENTRIES = 5

Rows = list[dict[str, Any]]


@pytest.fixture
def log(home: Home) -> Home:
    """A home with five entries of every shape."""
    audit.append(home, "export", export_format="csv", export_size=3, query_params={"ü": 'a"\n'})
    audit.append(home, "key_rotation", config_change={"field": "live key", "old_value": 1})
    audit.append(home, "experiment_create", experiment_id="e1")
    audit.append(home, "replay_run", replay_scenario_id="r1", result_summary={"record_count": 0})
    audit.append(home, "query", lineage={"data_source": "gold"})
    return home


def entry_files(home: Home) -> list[Path]:
    """The files of the log, one per entry, in order."""
    return sorted((home.bronze / "audit_log").glob("ingest_date=2*/*.parquet"))


def rows_of(home: Home) -> Rows:
    return [row for file in entry_files(home) for row in pq.ParquetFile(file).read().to_pylist()]


def rewrite(home: Home, rows: Rows) -> None:
    """Put these rows in the place of the log, as whoever may write files can."""
    files = entry_files(home)
    table = pa.Table.from_pylist(rows, schema=contract_of("audit_log").arrow_schema)
    pq.write_table(table, files[0])
    for file in files[1:]:
        file.unlink()


def rehashed(rows: Rows) -> Rows:
    """Rows whose chain is whole again, whatever was done to them. Without Assay's own code."""
    previous = "0" * 64
    for number, row in enumerate(rows, 1):
        row |= {"sequence": number, "previous_hash": previous}
        row["hash"] = previous = by_the_book(row)
    return rows


def by_the_book(row: dict[str, Any]) -> str:
    """The hash of an entry as docs/audit.md has it."""
    parts = []
    for name in sorted(row):
        value = row[name]
        if name == "hash" or value is None:
            continue
        if isinstance(value, datetime):
            value = value.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"
        parts.append(f"{json.dumps(name)}:{json.dumps(value, ensure_ascii=False)}")
    return hashlib.sha256(("{" + ",".join(parts) + "}").encode()).hexdigest()


def test_a_whole_chain_is_found_whole(log: Home):
    """And each hash is the one that the documentation says."""
    found = audit.verify(log)
    assert (found.entries, found.problems) == (ENTRIES, [])
    rows = rows_of(log)
    assert [row["sequence"] for row in rows] == [1, 2, 3, 4, 5]
    assert [row["hash"] for row in rows] == [by_the_book(row) for row in rows]
    assert rows[0]["previous_hash"] == "0" * 64
    assert [row["previous_hash"] for row in rows[1:]] == [row["hash"] for row in rows[:-1]]
    assert found.head is not None
    assert found.head.hash == rows[-1]["hash"]
    assert audit.verify(log, noted=(rows[2]["hash"],)).problems == []


def test_the_hashed_text_is_this_one():
    """Written down by hand, and its hash by another program."""
    entry = {
        "sequence": 7,
        "timestamp": datetime(2026, 5, 31, 8, 15, 30, 123, UTC),
        "user_id": "Jürgen",
        "query_params": '{"a": 1}',
        "export_format": None,
        "hash": "whatever",
    }
    text = (
        '{"query_params":"{\\"a\\": 1}","sequence":7,'
        '"timestamp":"2026-05-31T08:15:30.000123Z","user_id":"Jürgen"}'
    )
    assert canonical(entry).decode() == text
    expected = "7e23b7f4afd37675297db23de6b6e88d0667f478655cd2c3f3bfec5b2bd59323"
    assert hashed(entry) == expected


def edited(name: str, value: Any) -> Callable[[Rows], Rows]:
    def edit(rows: Rows) -> Rows:
        rows[2] = rows[2] | {name: value}
        return rows

    return edit


COLUMNS = [c.name for c in contract_of("audit_log").columns if c.name not in ("hash", "sequence")]
OTHER_VALUES = {"int64": 99, "timestamp": datetime(2020, 1, 1, tzinfo=UTC)}


@pytest.mark.parametrize("name", [name for name in COLUMNS if name != "producer"])
def test_an_edited_entry_is_named(log: Home, name: str):
    """Whatever column it is."""
    value = OTHER_VALUES.get(contract_of("audit_log").column(name).data_type, "another")
    rewrite(log, edited(name, value)(rows_of(log)))
    (problem,) = audit.verify(log).problems
    assert problem.endswith("entry 3 was changed")


def forked(rows: Rows) -> Rows:
    """Two entries after the second, both rightly hashed: what two writers at once would leave."""
    return [*rows, rows[2] | {"id": "fork", "hash": by_the_book(rows[2] | {"id": "fork"})}]


def inserted(rows: Rows) -> Rows:
    return rehashed([*rows[:2], dict(rows[1]) | {"id": "new"}, *rows[2:]])


FAULTS: dict[str, tuple[Callable[[Rows], Rows], str]] = {
    "one is gone": (lambda rows: rows[:2] + rows[3:], "entry 3 is missing"),
    "two are gone": (lambda rows: rows[:1] + rows[3:], "entry 2 to 3 is missing"),
    "the first is gone": (lambda rows: rows[1:], "entry 1 is missing"),
    "one is there twice": (lambda rows: [*rows, rows[2]], "entry 3 is there twice"),
    "a fork": (forked, "entry 3 is there twice"),
    "the end is cut off": (lambda rows: rows[:4], "entry 5 is missing: the end was cut off"),
    "all is gone": (lambda rows: [], "entry 1 to 5 is missing: the end was cut off"),
    "edited and hashed anew": (
        lambda rows: rehashed(edited("user_id", "another")(rows)),
        "entry 5 is not the one whose hash was kept",
    ),
    "put in and hashed anew": (inserted, "entry 5 is not the one whose hash was kept"),
    "gone and hashed anew": (
        lambda rows: rehashed(rows[:2] + rows[3:]),
        "entry 5 is missing: the end was cut off",
    ),
    "put in at the end": (
        lambda rows: rehashed([*rows, dict(rows[1]) | {"id": "new"}]),
        "entry 6 was put in at the end",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_named(log: Home, fault: str):
    """By the chain itself, or by the kept head."""
    change, expected = FAULTS[fault]
    rewrite(log, change(rows_of(log)))
    problems = audit.verify(log).problems
    assert any(problem.endswith(expected) for problem in problems), problems


def test_another_log_with_another_head_lacks_what_was_noted(log: Home):
    """Who may write all of the home can make a log that is whole, but not one with this hash."""
    rows = rows_of(log)
    noted = rows[3]["hash"]
    forged = rehashed(edited("user_id", "another")(rows))
    rewrite(log, forged)
    head = log.path / "audit" / "head.json"
    kept = json.loads(head.read_text(encoding="utf-8"))
    kept["entry"] |= {name: forged[-1][name] for name in ("hash", "previous_hash")}
    head.write_text(json.dumps(kept), encoding="utf-8")
    assert audit.verify(log).problems == []
    assert audit.verify(log, noted=(noted,)).problems == [f"no entry has the hash {noted}"]
