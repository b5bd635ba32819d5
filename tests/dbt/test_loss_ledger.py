"""The loss ledger is a recount of what was sent, in any order of arrival, and every loss shows."""

from __future__ import annotations

import json
import os
import random
import secrets
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import duckdb
import pyarrow.parquet as pq
import pytest
from conftest import MODELS_ONLY, run_dbt
from planted_losses import FAULTS, OF_BRONZE, YEARS, grow_old, lose_the_ledger_line
from senders import FIGURES, Delivery, Row, deliveries, expected, land, replayed

from loaders.books import read_books
from loaders.gaps import Gap, read_gaps
from loaders.home import Home, init_home

pytestmark = pytest.mark.slow

IN_LEDGER = FIGURES[:4]
# Not what reads bronze into silver: it would mend what is planted there.
BOOKS = (
    *("--select", "stg_platform__batches", "int_platform__batches_to_count+"),
    *("--exclude", "platform_health_monthly", "pipeline_health"),  # made of metrics, and of runs
)


Counts = dict[str, list[Row]]


@dataclass(frozen=True)
class Built:
    """A home in which everything that was sent landed and was built, and what it held then.

    `ledger` are the sums of the landing ledger by day and table, read from its files. `counts` has
    what was counted of each batch by the first build and by the last, `recounted` the batches of
    the last.
    """

    home: Home
    sent: list[Delivery]
    mart: list[Row]
    gaps: list[Gap]
    ledger: dict[tuple[str, str], Row]
    counts: tuple[Counts, Counts]
    recounted: set[str]

    @property
    def first_day(self) -> date:
        return min(delivery.landed_at for delivery in self.sent).date()


def mart_of(home: Home) -> list[Row]:
    return rows(home, "select * from gold.loss_ledger order by all")


def counts_of(home: Home) -> Counts:
    found: Counts = defaultdict(list)
    for row in rows(home, "select * from silver.int_platform__row_counts order by all"):
        found[row["batch_id"]].append(row)
    return dict(found)


def ledger_of(home: Home) -> dict[tuple[str, str], Row]:
    sums: dict[tuple[str, str], Row] = defaultdict(lambda: dict.fromkeys(IN_LEDGER, 0))
    for file in (home.bronze / "landing_ledger").glob("ingest_date=2*/*.parquet"):
        for line in pq.ParquetFile(file).read().to_pylist():
            day = sums[file.parent.name.removeprefix("ingest_date="), line["table_name"]]
            for name in IN_LEDGER:
                day[name] += line[name]
    return dict(sums)


def rows(home: Home, sql: str) -> list[Row]:
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        found = warehouse.execute(sql)
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """What was sent lands in two halves, in random order, and is built after each."""
    seed = int(os.environ.get("ASSAY_SEED") or secrets.randbelow(2**32))
    print(f"ASSAY_SEED={seed}")
    rng = random.Random(seed)
    folder = tmp_path_factory.mktemp("losses")
    home, _ = init_home(folder / "home")
    now = datetime.now(UTC)
    sent = deliveries(rng, now.date())
    arriving = rng.sample(sent, len(sent))
    half = len(arriving) // 2
    for delivery in arriving[:half]:
        land(home, folder, delivery)
    run_dbt(home, "build", "--select", "+loss_ledger", *MODELS_ONLY)
    first = counts_of(home)
    for delivery in arriving[half:]:
        land(home, folder, delivery)
    sent += replayed(home, sent, now - timedelta(seconds=1))
    run_dbt(home, "build", "--select", "+loss_ledger", *MODELS_ONLY)
    recounted = rows(home, "select batch_id from silver.int_platform__batches_to_count")
    return Built(
        home=home,
        sent=sent,
        mart=mart_of(home),
        gaps=read_gaps(home),
        ledger=ledger_of(home),
        counts=(first, counts_of(home)),
        recounted={row["batch_id"] for row in recounted},
    )


def test_it_is_a_recount_of_what_was_sent(built: Built) -> None:
    """Every figure and every gap, under the day on which it came."""
    wanted = expected(built.sent)
    keys = ("period_start", "table_name", "producer")
    found = {tuple(row[key] for key in keys): row for row in built.mart}
    shown = [*FIGURES, "numbers", "gaps", "missing", "gap_ranges"]
    assert {key: {name: row[name] for name in shown} for key, row in found.items()} == wanted
    assert all(row["balanced"] and row["unbalanced_batches"] is None for row in built.mart)
    assert sum(row["gaps"] for row in built.mart) > 20
    assert all(sum(row[name] for row in built.mart) for name in ("rejected", "quarantined"))


def test_its_days_add_up_to_the_landing_ledger(built: Built) -> None:
    """Over the producers, exactly."""
    sums: dict[tuple[str, str], Row] = defaultdict(lambda: dict.fromkeys(IN_LEDGER, 0))
    for row in built.mart:
        for name in IN_LEDGER:
            sums[str(row["period_start"]), row["table_name"]][name] += row[name]
    assert sums == built.ledger


def test_the_command_finds_the_same_gaps(built: Built) -> None:
    """But for producers whose names the mart does not show."""
    shown = set()
    for row in built.mart:
        for part in (row["gap_ranges"] or "").split(", "):
            first, _, last = part.partition("-")
            if first:
                shown.add(Gap(row["table_name"], row["producer"], int(first), int(last or first)))
    assert shown == {gap for gap in built.gaps if "@" not in gap.producer}


def test_a_batch_is_counted_once_unless_silver_changed(built: Built) -> None:
    """A later build counts what is new, and what lost a row to a batch that came late."""
    first, last = built.counts
    new, changed = last.keys() - first.keys(), {b for b in first if first[b] != last[b]}
    assert built.recounted == new | changed
    assert len(last) == len(built.sent)
    assert new


Problems = dict[str, tuple[str, date, str]]


@dataclass(frozen=True)
class Damaged:
    """The home with every fault planted in a batch of attempts of its own, and a day expired.

    `planted` has table, day and problem of each batch, `told` what the command said of them, and
    `found` what the next build found. `said` is what dbt said in a rebuild.
    """

    home: Home
    planted: Problems
    told: dict[str, str]
    found: Problems
    said: str
    mart: list[Row]


def problems_of(home: Home) -> Problems:
    found = rows(
        home,
        "select distinct batch_id, table_name, landed_on, problem "
        "from silver.int_platform__batch_books where problem is not null",
    )
    return {row["batch_id"]: tuple(row.values())[1:] for row in found}


@pytest.fixture(scope="module")
def damaged(built: Built) -> Damaged:
    home = built.home
    batches = [d for d in built.sent if d.landed_at.date() > built.first_day]
    planted = {}
    for (fault, problem), batch in zip(FAULTS.items(), batches, strict=False):
        fault(home, batch)
        planted[batch.batch_id] = (batch.table, batch.landed_at.date(), problem)
    assert len(planted) == len(FAULTS)
    told = {b.batch_id: b.problem for b in read_books(home)[0] if b.problem}
    lose_the_ledger_line(home, built.sent[-1])  # it landed a moment ago, as if it still did
    grow_old(home, built.first_day)
    assert run_dbt(home, "build", *BOOKS, check=False).returncode == 1
    found = problems_of(home)
    span = {"from": str(built.first_day), "to": str(built.sent[-1].landed_at.date())}
    again = json.dumps({"rebuild": {"model": "int_platform__row_counts", **span}})
    result = run_dbt(home, "build", *BOOKS, "--vars", again, check=False)
    assert result.returncode == 1
    return Damaged(home, planted, told, found, result.stdout, mart_of(home))


def test_the_next_build_finds_what_is_wrong_in_silver_and_in_the_ledger(damaged: Damaged) -> None:
    of_bronze = {fault.__name__: FAULTS[fault] for fault in OF_BRONZE}
    names = dict(zip(damaged.planted, [fault.__name__ for fault in FAULTS], strict=True))
    wanted = {b: found for b, found in damaged.planted.items() if names[b] not in of_bronze}
    assert damaged.found == wanted


def test_a_rebuild_finds_every_fault_and_names_its_batch(damaged: Damaged) -> None:
    assert problems_of(damaged.home) == damaged.planted
    named = [line for line in damaged.said.splitlines() if "Run: assay ledger" in line]
    assert len(named) == 10, "the first ten are named"
    assert all(any(f"Batch {batch} of" in line for batch in damaged.planted) for line in named)
    assert "Failure in test assert_every_batch_adds_up" in damaged.said
    assert f"Got {len(FAULTS)} results" in damaged.said


def test_the_command_says_the_same_of_each(damaged: Damaged) -> None:
    problems = {batch_id: problem for batch_id, (_, _, problem) in damaged.planted.items()}
    assert damaged.told == problems


def test_the_mart_marks_their_days(damaged: Damaged) -> None:
    """Those of the table and no others, with the batches."""
    for row in damaged.mart:
        here = [
            batch_id
            for batch_id, (table, day, _) in sorted(damaged.planted.items())
            if (day, table) == (row["period_start"], row["table_name"])
        ]
        assert row["balanced"] == (not here)
        assert row["unbalanced_batches"] == (", ".join(here) or None)


def test_a_day_that_expired_stays_as_it_was(built: Built, damaged: Damaged) -> None:
    """And so does a gap that began on it and ended later."""
    day = built.first_day
    held = rows(damaged.home, "select landed_on from silver.int_platform__batch_books")
    assert day not in {row["landed_on"] for row in held}
    before = [row for row in built.mart if row["period_start"] == day]
    after = [row for row in damaged.mart if row["period_start"] == day - YEARS]
    assert after == [row | {"period_start": day - YEARS} for row in before] != []
    later = {d.landed_at.date() for d in built.sent[:-2]} - {day}  # but for the replays
    gaps = [
        {
            (row["period_start"], row["producer"]): row["gap_ranges"]
            for row in mart
            if row["table_name"] == "deposit_attempts" and row["period_start"] in later
        }
        for mart in (built.mart, damaged.mart)
    ]
    assert gaps[0] == gaps[1]
    assert any(gaps[0].values())
