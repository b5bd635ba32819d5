"""The marts of decisions against DuckDB by hand: a first build, then late truth and new decisions.

    python benchmarks/deciding.py [DECISIONS [NEW]]

Lands DECISIONS decisions and what became of them, and times the first `assay refresh` of a home
that builds little else. Then three times: lands NEW more, with outcomes that are up to a month
late, and refreshes `daily` in a process that keeps dbt warm. Beside it stands
`decisions_by_hand.sql`: figures of the windows, models and cohorts, without privacy, as one would
write them for DuckDB alone, over the bronze that was read.
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

from builds import by_hand, refreshed

from loaders.gold.dbt_run import new_process
from loaders.gold.warm import WarmDbt
from loaders.home import Home, connect, init_home, quote
from loaders.landing.batches import land_file

ROUNDS, DAYS = 3, 60
TABLES = ["fraud_decisions", "fraud_outcomes"]
MADE = Path(__file__).with_name("decisions.sql")
BY_HAND = Path(__file__).with_name("decisions_by_hand.sql")


def main(decisions: int = 2_000_000, new: int = 100_000) -> None:
    """Measure, and print."""
    os.environ["ASSAY_DOMAINS"] = "access,fraud"  # metrics want one domain that has some
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        print(f"making {decisions:,} decisions, and {ROUNDS} times {new:,}", flush=True)
        _make(base, decisions, new)
        home, _ = init_home(base / "home")
        began = time.monotonic()
        _land(home, base, "first")
        print(f"landed in {time.monotonic() - began:.1f} s", flush=True)
        os.environ["DBT_TARGET_PATH"] = str(base / "target")
        os.environ["DBT_LOG_FILE_MAX_BYTES"] = "0"  # one log, however long
        os.environ["DBT_LOG_PATH"] = str(base / "log")
        warm = WarmDbt(home)
        first = refreshed(home, None, new_process, base / "log-first")
        print(f"first refresh: {first}", flush=True)
        plain = by_hand(BY_HAND, home, TABLES)
        print(f"DuckDB by hand: {plain:.1f} s", flush=True)
        rounds = []
        for number in range(ROUNDS):
            _land(home, base, f"new-{number}")
            rounds.append(refreshed(home, "daily", warm, base / f"log-{number}"))
            print(f"daily, {new:,} new: {rounds[-1]}", flush=True)
    median = statistics.median(split.build for split in rounds)
    print(
        f"first build: {first.build / plain:.2f} of DuckDB by hand, its models' SQL "
        f"{first.summed['models'] / plain:.2f}\n"
        f"daily build: {median / first.build:.2f} of the first, {median / plain:.2f} of DuckDB by "
        "hand, which computes all anew"
    )


def _make(base: Path, decisions: int, new: int) -> None:
    """Files of what is there at first, and of what each round brings, by the time of each row."""
    end = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    made = Template(MADE.read_text(encoding="utf-8")).substitute(
        decisions=decisions + ROUNDS * new,
        customers=max(1, decisions // 20),
        begin=end - timedelta(days=DAYS),
        seconds=DAYS * 86400,
        first=decisions,
        new=new,
    )
    with connect() as connection:
        connection.execute(made)
        for table in TABLES:
            for (part,) in connection.sql(f"select distinct part from {table}").fetchall():
                connection.execute(
                    f"copy (select * exclude (part) from {table} where part = {quote(part)}) "
                    f"to {quote(str(base / f'{table}-{part}'))} (format parquet)"
                )


def _land(home: Home, base: Path, part: str) -> None:
    for table in TABLES:
        land_file(home, table, base / f"{table}-{part}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
