"""Retention: what is past its period goes, to the day, and nothing else does."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner
from small_batches import all_rows, files_in, land_small, leftovers, read_lines

from loaders import audit
from loaders.books import read_books, read_expired
from loaders.cli import main
from loaders.compaction.compact import compact
from loaders.contracts import contract_of
from loaders.errors import AssayError
from loaders.home import Home, Target, mark_home
from loaders.retention.periods import declared
from loaders.retention.retain import plan, retain

TODAY = date(2026, 11, 22)
BRONZE_DAYS, SILVER_DAYS, GOLD_DAYS = 90, 365, 2555


def noon(days_ago: int) -> datetime:
    return datetime.combine(TODAY - timedelta(days_ago), datetime.min.time(), UTC) + timedelta(
        hours=12
    )


def read_by_silver(home: Home, *but: str) -> None:
    """As if a build had read all of bronze, but for some batches."""
    rows = {
        table: [r for r in all_rows(home, table) if r["batch_id"] not in but]
        for table in ("attempts", "deposit_attempts")
    }
    with duckdb.connect(str(home.warehouse)) as warehouse:
        warehouse.execute("create schema if not exists silver; create schema if not exists gold")
        for table, found in rows.items():
            contract = contract_of(table)
            warehouse.execute(
                f"create or replace table silver.{contract.silver} (event_id varchar, "
                "batch_id varchar, line_number bigint, attempted_at timestamp, "
                "ingested_at timestamp)"
            )
            for row in found:
                warehouse.execute(
                    f"insert into silver.{contract.silver} values (?, ?, ?, ?, ?)",
                    [row["event_id"], row["batch_id"], row["line_number"]]
                    + [row[time].replace(tzinfo=None) for time in ("timestamp", "ingested_at")],
                )
        warehouse.execute(
            "create table if not exists silver.int_access__duplicates (table_name varchar, "
            "batch_id varchar, line_number bigint, ingested_at timestamp)"
        )


def bytes_of(home: Home) -> dict[str, str]:
    return {
        str(path.relative_to(home.path)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(home.path.rglob("*"))
        if path.is_file()
    }


def run(home: Home, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["retain", *words, "--home", str(home.path)])
    return result.exit_code, result.output


def days_of(home: Home, table: str) -> set[str]:
    return {file.parent.name.removeprefix("ingest_date=") for file in files_in(home, table)}


@pytest.fixture
def aged(home: Home) -> Home:
    """Batches on both sides of the edge of bronze, all read by silver."""
    for days in (BRONZE_DAYS + 1, BRONZE_DAYS, BRONZE_DAYS - 1, 0):
        land_small(home, now=noon(days))
    read_by_silver(home)
    return home


def test_the_day_on_the_edge_goes_and_the_next_one_stays(aged: Home) -> None:
    """On day 90, as on BigQuery; dead letters go with the rows, and lines of the ledger stay."""
    kept = {str(TODAY - timedelta(days)) for days in (BRONZE_DAYS - 1, 0)}
    done = retain(aged, today=TODAY)
    assert {(due.table, due.rows) for due in done.due} == {("attempts", 4), ("dead_letters", 2)}
    assert days_of(aged, "attempts") == days_of(aged, "dead_letters") == kept
    assert len(all_rows(aged, "landing_ledger")) == 4
    assert leftovers(aged) == []


def test_what_has_expired_is_not_lost(aged: Home) -> None:
    """The books balance, and say how much went; a loss within the period is still one."""
    assert [b.problem for b in read_books(aged)[0]] == [None] * 4
    retain(aged, today=TODAY)
    assert [b.problem for b in read_books(aged)[0]] == [None] * 2
    assert read_expired(aged) == (2, 4)
    for file in files_in(aged, "attempts")[:1]:
        file.unlink()
    assert [bool(b.problem) for b in read_books(aged)[0]].count(True) == 1


def test_a_dry_run_changes_nothing_and_tells_no_value(aged: Home) -> None:
    before = bytes_of(aged)
    found = plan(aged, today=TODAY)
    assert not found.was_applied
    assert bytes_of(aged) == before
    code, said = run(aged, "--keep", "attempts=1")
    assert code == 0
    assert "To delete it: assay retain --apply" in said
    assert bytes_of(aged) == before
    assert not any(row["event_id"] in said for row in all_rows(aged, "attempts"))
    retain(aged, today=TODAY)
    assert bytes_of(aged) != before


def test_what_silver_has_not_read_waits_and_all_later_days_with_it(home: Home) -> None:
    """Its dead letters too; other tables go on."""
    for days in (BRONZE_DAYS + 3, BRONZE_DAYS + 1):
        land_small(home, now=noon(days))
    unread = land_small(home, now=noon(BRONZE_DAYS + 2))
    land_small(home, now=noon(BRONZE_DAYS + 2), table="deposit_attempts")
    read_by_silver(home, unread)
    done = retain(home, today=TODAY)
    waits = TODAY - timedelta(BRONZE_DAYS + 2)
    assert done.waiting == {"attempts": waits}
    kept = {str(waits), str(waits + timedelta(1))}
    assert days_of(home, "attempts") == kept
    assert days_of(home, "deposit_attempts") == set()
    assert {r["table_name"] for r in all_rows(home, "dead_letters")} == {"attempts"}
    assert {b.problem for b in read_books(home)[0]} == {None}
    read_by_silver(home)
    assert retain(home, today=TODAY).waiting == {}
    assert days_of(home, "attempts") == set()


def test_nothing_goes_before_the_first_build(home: Home) -> None:
    land_small(home, now=noon(200))
    before = read_lines(home)
    done = retain(home, today=TODAY)
    assert done.due == []
    assert done.waiting == {"attempts": TODAY - timedelta(200)}
    assert read_lines(home) == before


def test_rows_of_one_file_may_have_different_fates(home: Home) -> None:
    """Dead letters of a table that is kept for less, merged into one file with others."""
    mine = land_small(home, now=noon(40))
    other = land_small(home, now=noon(40), table="deposit_attempts")
    compact(home, ["dead_letters"], older_than=0)
    read_by_silver(home)
    done = retain(home, {"attempts": 30}, TODAY)
    assert {(due.table, due.rows) for due in done.due} == {("attempts", 2), ("dead_letters", 1)}
    assert [row["batch_id"] for row in all_rows(home, "dead_letters")] == [other]
    assert mine not in {row["batch_id"] for row in all_rows(home, "attempts")}
    assert {b.problem for b in read_books(home)[0]} == {None}
    assert all_rows(home, "dead_letters")[0]["raw"] == b"{"


def test_silver_and_gold_go_by_their_own_day(home: Home) -> None:
    """Silver by the event's day, unless bronze would give it back; no block keeps anything."""
    land_small(home, now=noon(1))
    read_by_silver(home)
    with duckdb.connect(str(home.warehouse)) as warehouse:
        for name, day, landed in (
            ("on_the_edge", SILVER_DAYS, SILVER_DAYS),
            ("a_day_less", SILVER_DAYS - 1, SILVER_DAYS - 1),
            ("came_late", SILVER_DAYS + 9, 1),
        ):
            warehouse.execute(
                "insert into silver.stg_access__attempts values (?, 'b', 1, ?, ?)",
                [name, noon(day).replace(tzinfo=None), noon(landed).replace(tzinfo=None)],
            )
        warehouse.execute("create table gold.attempts_daily (period_start date, secret varchar)")
        for days in (GOLD_DAYS, GOLD_DAYS - 1):
            day = TODAY - timedelta(days)
            warehouse.execute(
                "insert into gold.attempts_daily values (?, 'gone-' || ?)", [day, day]
            )
    gone = f"gone-{TODAY - timedelta(GOLD_DAYS)}".encode()
    assert gone in home.warehouse.read_bytes()
    done = retain(home, today=TODAY)
    assert {(due.table, due.rows) for due in done.due} == {
        ("silver.stg_access__attempts", 1),
        ("gold.attempts_daily", 1),
    }
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        kept = warehouse.execute("select event_id from silver.stg_access__attempts").fetchall()
        assert {"a_day_less", "came_late"} < {name for (name,) in kept}
        assert ("on_the_edge",) not in kept
        assert warehouse.execute("select count(*) from gold.attempts_daily").fetchall() == [(1,)]
        last = warehouse.execute("select expired_to from main.retained").fetchall()
    assert last == [(TODAY - timedelta(SILVER_DAYS),)]
    assert gone not in home.warehouse.read_bytes()
    assert b"on_the_edge" not in home.warehouse.read_bytes()


def test_there_is_proof(aged: Home) -> None:
    """A run with the rows by table, and an entry of the log, before anything went."""
    retain(aged, today=TODAY)
    (run_row,) = all_rows(aged, "pipeline_runs")
    assert (run_row["stage"], run_row["status"]) == ("retain", "succeeded")
    rows = {"attempts": 4, "dead_letters": 2}
    assert json.loads(run_row["details"])["rows"] == rows
    (entry,) = all_rows(aged, "audit_log")
    assert entry["action"] == "retention"
    assert json.loads(entry["result_summary"])["rows"] == rows
    assert entry["timestamp"] < run_row["finished_at"]
    assert retain(aged, today=TODAY).due == []


def test_every_kept_table_has_a_period() -> None:
    """Periods are those that the catalogue says, and each model that keeps days has one."""
    days = {(p.layer, p.days) for p in declared()}
    assert days == {("silver", SILVER_DAYS), ("silver", GOLD_DAYS), ("gold", GOLD_DAYS)}
    own = {p.table for p in declared()}
    models = Path(__file__).parents[2] / "models"
    incremental = {
        path.stem
        for layer in ("silver", "gold")
        for path in (models / layer).rglob("*.sql")
        if "materialized='incremental'" in path.read_text(encoding="utf-8")
    }
    assert incremental - own == set()


def test_a_table_that_is_not_there_is_refused(home: Home) -> None:
    code, said = run(home, "--keep", "atempts=3")
    assert (code, said) == (1, "No table atempts has a period. See docs/retention.md.\n")
    assert run(home, "--keep", "attempts")[0] == 2


def test_bigquery_homes_are_told_who_deletes_there(tmp_path: Path) -> None:
    home = Home(tmp_path)
    mark_home(home, "eu", Target("p", "d", "europe-west1"))
    code, said = run(home)
    assert code == 1
    assert "partitions expire by themselves" in said


class TestTheAuditLog:
    """Its own period, under a lock."""

    @pytest.fixture
    def log(self, home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
        """Entries of eight years, one a year."""
        for years in range(8, -1, -1):
            at = datetime.now(UTC) - timedelta(days=365 * years)

            class Clock(datetime):
                @classmethod
                def now(cls, tz: object = None, at: datetime = at) -> datetime:  # type: ignore[override]
                    return at

            monkeypatch.setattr(audit, "datetime", Clock)
            audit.append(home, "export", export_size=years)
        monkeypatch.undo()
        assert audit.verify(home).problems == []
        return home

    def test_early_expiry_is_refused_and_audited(self, log: Home) -> None:
        before = len(all_rows(log, "audit_log"))
        code, said = run(log, "--apply", "--keep", "audit_log=364")
        assert code == 1
        assert "locked for 365 days" in said
        found = audit.verify(log)
        assert (found.entries, found.problems) == (before + 1, [])
        newest = max(all_rows(log, "audit_log"), key=lambda e: e["sequence"])
        assert json.loads(newest["result_summary"]) == {
            "refused": "locked",
            "asked_days": 364,
            "lock_days": 365,
        }
        (failed,) = all_rows(log, "pipeline_runs")
        assert failed["error_code"] == "retain_failed"

    def test_a_tombstone_stands_for_what_expired(self, log: Home) -> None:
        """Eight years and seven are past 2,555 days; a noted hash of the last still counts."""
        old = sorted(all_rows(log, "audit_log"), key=lambda e: e["sequence"])[:2]
        retain(log)
        found = audit.verify(log, (old[1]["hash"],))
        assert found.problems == []
        rows = sorted(all_rows(log, "audit_log"), key=lambda e: e["sequence"])
        assert rows[0]["sequence"] == 3
        stone = next(
            json.loads(r["result_summary"])["tombstone"]
            for r in rows
            if "tombstone" in (r["result_summary"] or "")
        )
        assert stone == {
            "count": 2,
            "last": 2,
            "last_hash": old[1]["hash"],
            "since": old[0]["timestamp"].isoformat(),
            "until": old[1]["timestamp"].isoformat(),
        }

    def test_the_next_tombstone_follows_the_first(self, log: Home) -> None:
        """Each year a few more; merged files lose the entries that are due and no others."""
        compact(log, ["audit_log"], older_than=0)
        retain(log, {"audit_log": 365 * 5 + 9})
        first = audit.verify(log).entries
        retain(log, {"audit_log": 365 * 3 + 9})
        found = audit.verify(log)
        assert (first - found.entries, found.problems) == (0, [])  # two went, two came
        assert len(all_rows(log, "audit_log")) == found.entries

    def test_entries_that_went_without_a_tombstone_are_missed(self, log: Home) -> None:
        """Sabotaged: the first entries are deleted, and nothing stands for them."""
        files_in(log, "audit_log")[0].unlink()
        assert any("entry 1 is missing" in line for line in audit.verify(log).problems)

    def test_a_tombstone_of_young_entries_is_seen(self, log: Home) -> None:
        """Sabotaged: somebody deletes this year's entries and writes the tombstone for them."""
        rows = sorted(all_rows(log, "audit_log"), key=lambda e: e["sequence"])
        last = rows[-2]
        stone = {
            "count": len(rows) - 1,
            "last": last["sequence"],
            "last_hash": last["hash"],
            "since": rows[0]["timestamp"].isoformat(),
            "until": (datetime.now(UTC) - timedelta(364)).isoformat(),
        }
        audit.append(log, "retention", result_summary={"tombstone": stone})
        for file in files_in(log, "audit_log")[: len(rows) - 1]:
            file.unlink()
        problems = audit.verify(log).problems
        assert len(problems) == 1
        assert "went before their lock ended" in problems[0]


def test_a_lock_holds_whoever_asks(home: Home) -> None:
    audit.append(home, "export")
    with pytest.raises(AssayError, match="locked"):
        retain(home, {"audit_log": 1}, TODAY + timedelta(9999))
