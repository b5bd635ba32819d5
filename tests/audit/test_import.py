"""Importing another log: each record once, its text never, and killed or repeated at no harm."""

from __future__ import annotations

import csv
import hashlib
import hmac
import json
import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from test_chain import rows_of

from loaders import audit, vault
from loaders.audit import imports
from loaders.audit.imports import metabase
from loaders.cli import main
from loaders.home import Home
from loaders.vault.rotation import rotate

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "faults"))
from steps import attempt

START = datetime(2026, 3, 1, tzinfo=UTC)
CONTEXTS = ["ad-hoc", "dashboard", "question", "csv-download", "json-download", "xlsx-download"]
COLUMNS = [
    *("id", "hash", "started_at", "running_time", "result_rows", "context"),
    *("executor_id", "is_failed"),
]
Row = dict[str, Any]


def executions(dice: random.Random, count: int) -> list[Row]:
    """Rows of `query_execution`, over three days, two of which ask the same."""
    return [
        {
            "id": 1000 + n,
            "hash": hashlib.sha3_256(str(n // 2).encode()).hexdigest(),
            "started_at": (START + timedelta(minutes=dice.randrange(3 * 1440))).isoformat(),
            "running_time": dice.randrange(5000),
            "result_rows": dice.randrange(2000),
            "context": dice.choice(CONTEXTS),
            "executor_id": dice.choice(["7", "8", ""]),
            "is_failed": dice.choice(["t", "f"]),
        }
        for n in range(count)
    ]


def export(rows: list[Row], file: Path) -> Path:
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.DictWriter(opened, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return file


def bring(home: Home, file: Path, first: str, last: str) -> tuple[int, str]:
    words = ["audit", "import", "metabase", str(file), "--from", first, "--to", last]
    done = CliRunner().invoke(main, [*words, "--home", str(home.path)])
    return done.exit_code, done.output


def imported(home: Home) -> dict[str, Row]:
    """Entries of the other log, by the id of their record. None is there twice."""
    rows = [row for row in rows_of(home) if row["action"] in ("query", "export")]
    found = {json.loads(row["query_params"])["record"]: row for row in rows}
    assert len(found) == len(rows)
    return found


def test_each_record_is_an_entry_once(home: Home, tmp_path: Path, dice: random.Random):
    """Imported in windows that overlap, in any order, from exports that overlap too."""
    rows = executions(dice, 60)
    file = export(rows, tmp_path / "q.csv")
    windows = [
        ("2026-03-02", "2026-03-03"),
        ("2026-03-01", "2026-03-03"),
        ("2026-03-02", "2026-03-04"),
    ]
    dice.shuffle(windows)
    for first, last in windows:
        assert bring(home, file, first, last)[0] == 0
    found = imported(home)
    assert found.keys() == {str(row["id"]) for row in rows}
    for row in rows:
        entry = found[str(row["id"])]
        is_export = row["context"].endswith("-download")
        assert entry["action"] == ("export" if is_export else "query")
        assert entry["export_format"] == (row["context"].split("-")[0] if is_export else None)
        assert entry["export_size"] == (row["result_rows"] if is_export else None)
        person = row["executor_id"]
        assert entry["user_id"] == (f"metabase:{person}" if person else "metabase:system")
        assert entry["happened_at"] == datetime.fromisoformat(row["started_at"])
        assert entry["source_system"] == "metabase"
        summary = json.loads(entry["result_summary"])
        assert summary["duration_ms"] == row["running_time"]
        assert summary.get("failed", False) == (row["is_failed"] == "t")
    assert audit.verify(home).problems == []
    said = [r for r in rows_of(home) if r["action"] == "import"]
    assert [(f"{r['covers_from']:%F}", f"{r['covers_to']:%F}") for r in said] == windows


def test_the_query_is_a_fingerprint_of_the_vault(home: Home, tmp_path: Path):
    """The same query has the same one, also after a rotation, and by HMAC under the first key."""
    rows = executions(random.Random(1), 4)
    for row in rows:
        row["started_at"] = START.isoformat()
    bring(home, export(rows[:3], tmp_path / "q.csv"), "2026-03-01", "2026-03-02")
    rotate(home, wait=1)
    bring(home, export(rows, tmp_path / "q.csv"), "2026-03-01", "2026-03-02")
    found = imported(home)
    prints = [json.loads(found[str(r["id"])]["query_params"])["fingerprint"] for r in rows]
    assert prints[0] == prints[1] != prints[2] == prints[3]
    first = min(vault.read_keys(home.vault), key=lambda key: key.info.version)
    secret = bytes(byte ^ 0x36 for byte in first.ipad)
    message = b"query\x1f" + rows[0]["hash"].encode()
    assert prints[0] == "v1:" + hmac.new(secret, message, hashlib.sha256).hexdigest()
    files = b"".join(f.read_bytes() for f in home.bronze.rglob("*.parquet"))
    assert rows[0]["hash"].encode() not in files


def test_killed_anywhere_and_repeated_each_is_there_once(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """In several batches; the window is an entry only when all of it is there."""
    monkeypatch.setattr(imports, "_AT_ONCE", 3)
    records = list(metabase.records_of(export(executions(random.Random(2), 7), tmp_path / "q.csv")))
    last = START + timedelta(days=3)

    def bring_all(into: Home) -> None:
        imports.import_log(into, "metabase", records, START, last)

    for step in range(1, 90, 7):
        stopped = attempt(step, "kill", home.path, bring_all)
        entries = rows_of(home)
        if any(row["action"] == "import" for row in entries):
            assert len(imported(home)) == 7
        if not stopped:
            break
    bring_all(home)
    assert len(imported(home)) == 7
    assert audit.verify(home).problems == []


FAULTS: dict[str, tuple[Row, str]] = {
    "a time without sense": ({"started_at": "yesterday"}, "q.csv, row 2: no id, or no time"),
    "no id": ({"id": ""}, "q.csv, row 2: no id, or no time"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_an_export_that_is_wrong_is_refused_whole(home: Home, tmp_path: Path, fault: str):
    change, told = FAULTS[fault]
    rows = executions(random.Random(3), 3)
    rows[1] |= change
    code, output = bring(home, export(rows, tmp_path / "q.csv"), "2026-03-01", "2026-03-04")
    assert (code, told in output) == (1, True), output
    assert rows_of(home) == []
    assert "yesterday" not in output


def test_what_is_no_export_is_refused(home: Home, tmp_path: Path):
    (tmp_path / "q.csv").write_text("id,started_at\n1,2026-03-01\n", encoding="utf-8")
    code, output = bring(home, tmp_path / "q.csv", "2026-03-01", "2026-03-02")
    assert (code, "lacks the columns context, executor_id" in output) == (1, True), output
    (tmp_path / "q.parquet").write_bytes(b"PAR0")
    code, output = bring(home, tmp_path / "q.parquet", "2026-03-01", "2026-03-02")
    assert (code, "cannot be read" in output) == (1, True), output
    assert rows_of(home) == []


def test_a_window_must_be_said_and_be_over(home: Home, tmp_path: Path):
    """The first time; later ones begin a day before the last window ended."""
    file = export(executions(random.Random(4), 3), tmp_path / "q.csv")
    words = [
        "audit",
        "import",
        "metabase",
        str(file),
        "--home",
        str(home.path),
        "--to",
        "2026-03-02",
    ]
    done = CliRunner().invoke(main, words)
    assert (done.exit_code, "--from DAY" in done.output) == (1, True)
    assert bring(home, file, "2026-03-02", "2026-03-01")[0] == 1
    assert bring(home, file, "2026-03-01", "9999-01-01")[0] == 1
    assert bring(home, file, "2026-03-01", "2026-03-03")[0] == 0
    words[-1] = "2026-03-04"
    assert CliRunner().invoke(main, words).exit_code == 0
    (_, row) = [row for row in rows_of(home) if row["action"] == "import"]
    assert row["covers_from"] == START + timedelta(days=1)
