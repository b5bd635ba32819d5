"""The marts of games against DuckDB by hand: a first build, late events, and a retention query.

    python benchmarks/playing.py [EVENTS [NEW]]

Lands EVENTS events of games and times the first `assay refresh`. Then three times: lands NEW more,
one in twenty of them up to a week late, and refreshes in a process that keeps dbt warm. Beside it
stands `gaming_by_hand.sql`: the figures of the same marts, without privacy, as one would write them
for DuckDB alone, over the bronze that was read. At last a month of cohorts is asked of gold and of
silver. What is SQL and what is dbt's own: builds.py.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Template

import duckdb
from builds import by_hand, refreshed

from loaders.gold.dbt_run import new_process
from loaders.gold.warm import WarmDbt
from loaders.home import Home, connect, init_home, quote
from loaders.landing.batches import land_file

BATCHES, ROUNDS, ASKED = 10, 3, 5
DAYS, LATE_SHARE, LATE_DAYS = 30, 0.05, 7
BETS_PER_PLAYER = 60
MADE = Path(__file__).with_name("gaming_events.sql")
BY_HAND = Path(__file__).with_name("gaming_by_hand.sql")
# A month of cohorts, D1, D7 and D30.
FROM_GOLD = "select * from gold.retention_cohorts where day in (1, 7, 30)"
FROM_SILVER = """
    select
        members.cohort_kind, members.cohort_date, members.brand,
        count(distinct members.user_key) as size,
        count(distinct members.user_key) filter (active_on - cohort_date = 1) as d1,
        count(distinct members.user_key) filter (active_on - cohort_date = 7) as d7,
        count(distinct members.user_key) filter (active_on - cohort_date = 30) as d30
    from silver.int_gaming__cohorts as members
    left join silver.int_gaming__published_play_days as active
        on members.user_key = active.user_key and members.brand = active.brand
    group by all
"""


def main(events: int = 10_000_000, new: int = 100_000) -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        print(f"making {events:,} events, and {ROUNDS} times {new:,}", flush=True)
        _make(base, events, new)
        home, _ = init_home(base / "home")
        began = time.monotonic()
        land_file(home, "fx_rates", base / "rates.csv")
        for file in sorted(base.glob("first-*")):
            land_file(home, "platform_events", file)
        print(f"{BATCHES} batches landed in {time.monotonic() - began:.1f} s", flush=True)
        os.environ["DBT_TARGET_PATH"] = str(base / "target")
        os.environ["DBT_LOG_FILE_MAX_BYTES"] = "0"  # one log, however long
        os.environ["DBT_LOG_PATH"] = str(base / "log")
        warm = WarmDbt(home)
        first = refreshed(home, None, new_process, base / "log-first")
        print(f"first refresh: {first}", flush=True)
        plain = by_hand(BY_HAND, home, ["platform_events"])
        print(f"DuckDB by hand: {plain:.1f} s", flush=True)
        rounds = []
        for number, file in enumerate(sorted(base.glob("new-*")), 1):
            land_file(home, "platform_events", file)
            rounds.append(refreshed(home, "hourly", warm, base / f"log-{number}"))
            print(f"hourly, {new:,} new: {rounds[-1]}", flush=True)
        gold, silver = (_asked(home, question) for question in (FROM_GOLD, FROM_SILVER))
    median = statistics.median(split.build for split in rounds)
    models = first.summed["models"]
    print(
        f"first build: {first.build / plain:.2f} of DuckDB by hand, its models' SQL "
        f"{models / plain:.2f}\n"
        f"hourly build: {median / first.build:.2f} of the first, {median / plain:.2f} of DuckDB "
        "by hand, which computes all anew\n"
        f"retention of all cohorts: from gold {gold:.0f} ms, from silver {silver:.0f} ms"
    )


def _make(base: Path, events: int, new: int) -> None:
    """Files of what is there at first, and of what each round brings: the newest, and late ones."""
    end = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    days = [f"{end - timedelta(days=day):%Y-%m-%d}" for day in range(DAYS + 2)]
    rates = ["rate_date,currency,rate", *(f"{day},TRY,0.02" for day in days)]
    (base / "rates.csv").write_text("\n".join(rates), encoding="utf-8")
    bets = (events + ROUNDS * new) // 2
    late = round(ROUNDS * new * LATE_SHARE)
    with connect() as connection:
        connection.execute(
            Template(MADE.read_text(encoding="utf-8")).substitute(
                players=max(1, bets // BETS_PER_PLAYER),
                bets=bets,
                end=end,
                days=DAYS,
                all_events=events + ROUNDS * new,
                late=late,
                late_days=LATE_DAYS,
                first=events + late,
                new_in_time=ROUNDS * new - late,
                rounds=ROUNDS,
                batches=BATCHES,
            )
        )
        for (name,) in connection.sql("select distinct file from files").fetchall():
            connection.execute(
                f"""
                copy (
                    select
                        event_id, event_type, occurred_at, 'p-' || player as user_id,
                        case when player % 3 = 0 then 'lale' else 'play' end as tenant_id,
                        'eu' as region,
                        json_merge_patch(
                            payload, json_object('currency', if(player % 3 = 0, 'TRY', 'EUR'))
                        ) as payload
                    from files
                    where file = {quote(name)}
                ) to {quote(str(base / name))} (format parquet)
                """
            )


def _asked(home: Home, question: str) -> float:
    """Milliseconds of a question, median of some times."""
    taken = []
    with duckdb.connect(str(home.warehouse), read_only=True) as connection:
        for _ in range(ASKED):
            began = time.monotonic()
            connection.execute(question).fetchall()
            taken.append(1000 * (time.monotonic() - began))
    return statistics.median(taken)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
