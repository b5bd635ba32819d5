"""The marts of decisions against DuckDB by hand: a first build, then late truth and new decisions.

Each round brings new decisions, and outcomes that are up to a month late. Beside it stands
`decisions_by_hand.sql`: figures of the windows, models and cohorts, without privacy, as one would
write them for DuckDB alone, over the bronze that was read.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Template

from builds import ROUNDS, Case, by_hand, measured
from figures import Row
from measuring import Bench

from loaders.home import Home, connect, quote
from loaders.landing.batches import land_file

DAYS = 60
TABLES = ["fraud_decisions", "fraud_outcomes"]
MADE = Path(__file__).with_name("decisions.sql")
BY_HAND = Path(__file__).with_name("decisions_by_hand.sql")


def section(bench: Bench) -> Iterator[Row]:
    """Rows of the builds of decisions."""
    decisions = max(1_000, bench.events // 5)
    yield from measured(
        bench,
        Case(
            name="decisions",
            events=decisions,
            new=max(100, decisions // 20),
            cadence="daily",
            domains="access,fraud",  # metrics want one domain that has some
            make=_make,
            land=_land,
            by_hand=lambda home: by_hand(BY_HAND, home, TABLES),
            hand="DuckDB by hand, without privacy",
        ),
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
