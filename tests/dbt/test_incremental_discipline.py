"""An increment writes what its events touch: the rest of each table is left as it lies.

Every row that is there is marked in a column of its own; what a build writes has no mark.
"""

from __future__ import annotations

import json
import random
import shutil
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from conftest import DEMO_END, Demo, run_dbt

from loaders.home import Home
from loaders.landing.batches import land_file

MODELS = ("+path:models/gold/gaming", "+path:models/silver/gaming")
# The column by which rows of a table are of a day; of others an event is a row, or a thing is.
DAY_OF = {
    "silver.stg_engagement__events": "occurred_at",
    "silver.int_gaming__joined_bets": "occurred_at",
    "silver.int_gaming__active_days": "active_on",
    "silver.int_gaming__published_play": "played_on",
    "silver.int_gaming__published_play_days": "active_on",
    "silver.int_gaming__published_payments": "begun_on",
    "silver.int_gaming__published_protection_events": "happened_on",
    "gold.gaming_time_series": "ts",
    "gold.gaming_cube_hourly": "period_start",
    "gold.game_performance_daily": "period_start",
    "gold.provider_service_daily": "period_start",
    "gold.payments_hourly": "period_start",
    "gold.payment_funnel_daily": "period_start",
}
BETS = 30
NUMBERED = {"producer", "sequence"}  # by which nothing shall be missing
LATE = timedelta(days=3)


@pytest.fixture
def home(demo: Demo, tmp_path: Path) -> Home:
    """A copy of the demo in which every row that a build may leave alone is marked."""
    home = Home(tmp_path / "home")
    shutil.copytree(demo.home.path, home.path, ignore=shutil.ignore_patterns("published*"))
    run_dbt(home, "run", "--select", *MODELS)  # nothing is new
    with duckdb.connect(str(home.warehouse)) as warehouse:
        for table in DAY_OF:
            warehouse.execute(f"alter table {table} add column lies boolean")
            warehouse.execute(f"update {table} set lies = true")
    return home


def bets_of(demo: Demo, day: date, dice: random.Random) -> list[dict[str, str]]:
    """New bets of people who bet on that day, as they bet."""
    files = sorted((demo.home.path / "demo").glob("platform_events-*"))
    sent = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    like = [
        event
        for event in sent
        if event.get("event_type") == "bet.placed" and event["occurred_at"].startswith(str(day))
    ]
    bets = []
    for number, event in enumerate(dice.choices(like, k=BETS)):
        payload = event["payload"] | {"bet_id": f"late-bet-{number}"}
        bet = event | {"event_id": f"late-{number}", "payload": payload}
        bets.append({name: said for name, said in bet.items() if name not in NUMBERED})
    return bets


def written(home: Home) -> dict[str, dict[date, int]]:
    """How many rows without a mark each table has, by their day."""
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        return {
            table: dict(
                warehouse.execute(
                    f"select cast({column} as date), count(*) from {table} "
                    "where lies is null group by all"
                ).fetchall()
            )
            for table, column in DAY_OF.items()
        }


def test_a_late_batch_writes_the_rows_of_its_day(
    demo: Demo, home: Home, tmp_path: Path, dice: random.Random, tell
):
    """Thirty more bets of one day, some days late: of all tables, rows of that day."""
    day = datetime.date(DEMO_END - LATE)
    bets = bets_of(demo, day, dice)
    file = tmp_path / "late.jsonl"
    file.write_text("\n".join(map(json.dumps, bets)), encoding="utf-8")
    assert land_file(home, "platform_events", file).accepted == BETS
    run_dbt(home, "run", "--select", *MODELS)
    rows = written(home)
    assert rows["silver.stg_engagement__events"] == {day: BETS}
    assert rows["silver.int_gaming__joined_bets"] == {day: BETS}
    tell(f"rows written: { ({table: sum(of.values()) for table, of in rows.items()}) }")
    for table in ("active_days", "published_play"):
        assert set(rows[f"silver.int_gaming__{table}"]) == {day}
    assert {table: set(of) - {day} for table, of in rows.items() if set(of) - {day}} == {}


def test_nothing_new_writes_nothing(home: Home):
    """A second build of the same bronze leaves every row where it lies."""
    run_dbt(home, "run", "--select", *MODELS)
    assert {table: of for table, of in written(home).items() if of} == {}


def test_a_rebuilt_day_of_events_joins_its_bets_anew(home: Home):
    """`assay rebuild` of the events reaches the bets of that day, whose batches are all known."""
    day = datetime.date(DEMO_END - LATE)
    bets = "silver.int_gaming__joined_bets"
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        ((there,),) = warehouse.execute(
            f"select count(*) from {bets} where cast(occurred_at as date) = ?", [day]
        ).fetchall()
    span = {"model": "stg_engagement__events", "from": str(day), "to": str(day)}
    words = ["--select", bets.removeprefix("silver."), "--vars", json.dumps({"rebuild": span})]
    run_dbt(home, "run", *words)
    assert there > 0
    assert written(home)[bets][day] == there
