"""`assay rebuild`: damaged days come out as a fresh build makes them, and other days stay."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from clock import landing_at
from conftest import LONG_ALONE, MODELS_ONLY, dbt_environment, run_dbt

from loaders.demo import write_demo
from loaders.gold.marts import read_marts
from loaders.home import Home, bronze_reader, init_home
from loaders.landing.batches import land_file

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("access_alone")]

ASSAY = Path(sys.executable).with_name("assay")
STAGED = "silver.stg_access__attempts"
FACT = "silver.int_access__published_attempts"
SERIES = "gold.metric_time_series"
DAY = {STAGED: "cast(attempted_at as date)", FACT: "attempted_on"}
COMPUTED_AT = {"updated_at", "labelled_at"}


def assay(home: Home, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ASSAY, *map(str, arguments), "--home", home.path],
        env={**os.environ, **dbt_environment(home.path)},
        capture_output=True,
        text=True,
        check=False,
    )


def rebuilt(home: Home, model: str, first: date, last: date) -> str:
    """Rebuild, and what was said on the way."""
    result = assay(home, "rebuild", model, "--from", first, "--to", last)
    assert result.returncode == 0, result.stderr
    assert result.stdout == (
        f"Rebuilt {model} and what is made of it, {first} to {last}. Next: assay publish.\n"
    )
    return result.stderr


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Attempts of nine days in twelve batches, built once, and a copy of it that never changes.

    They landed so long ago that bronze may have forgotten any of them.
    """
    folder = tmp_path_factory.mktemp("fresh")
    made, _ = init_home(folder / "home")
    for end in (26, 29, 32):
        days = folder / f"until-{end}"
        write_demo(days, 5_000, end, datetime(2026, 5, 1, tzinfo=UTC) + timedelta(days=end))
        for file in sorted(days.glob("attempts-*")):
            with landing_at(datetime.now(UTC) - timedelta(days=100)):
                land_file(made, "attempts", file)
    run_dbt(made, "build", *MODELS_ONLY)
    shutil.copytree(made.path, folder / "fresh")
    return Home(folder / "fresh")


@pytest.fixture
def home(fresh: Home) -> Home:
    """What was built, to be damaged. Where it was built: dbt knows the project there."""
    path = fresh.path.with_name("home")
    shutil.rmtree(path)
    shutil.copytree(fresh.path, path)
    return Home(path)


@pytest.fixture(scope="module")
def days(fresh: Home) -> list[date]:
    """The days that are published."""
    with duckdb.connect(str(fresh.warehouse), read_only=True) as warehouse:
        found = warehouse.execute(
            "select distinct period_start from gold.attempts_daily order by 1"
        ).fetchall()
    assert len(found) == 9
    return [day for (day,) in found]


def change(home: Home, *statements: str) -> None:
    with duckdb.connect(str(home.warehouse)) as warehouse:
        for statement in statements:
            assert warehouse.execute(statement).fetchall() != [(0,)], statement


def rows(
    home: Home, table: str, first: date | None = None, last: date | None = None, when: bool = False
) -> list[tuple]:
    """Rows of a table, of a span of days if one is given; with the times of computing if wanted."""
    day = DAY.get(table, "cast(period_start as date)")
    where = f"{day} between '{first}' and '{last}'" if first else "true"
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        columns = [c[0] for c in warehouse.execute(f"describe {table}").fetchall()]
        kept = ", ".join(c for c in columns if when or c not in COMPUTED_AT)
        return warehouse.execute(
            f"select {kept} from {table} where {where} order by all"
        ).fetchall()


def select(home: Home, query: str) -> list[tuple]:
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        return warehouse.execute(query).fetchall()


def marts_of() -> list[str]:
    """The daily and hourly marts of attempts, by the day of the events."""
    marts = [mart for mart in read_marts().values() if f"silver.{mart.fact}" == FACT]
    assert len(marts) > 4
    return [f"gold.{mart.name}" for mart in marts]


def test_damaged_days_of_a_mart_are_as_fresh(home: Home, fresh: Home, days: list[date]) -> None:
    """Rows changed, gone and invented come right; a damaged day outside and other marts stay."""
    first, last, outside = days[1], days[2], days[4]
    mart = "gold.attempts_daily"
    change(
        home,
        f"update {mart} set attempts = attempts * 10 where period_start = '{first}'",
        f"delete from {mart} where period_start = '{last}' and action = 'login'",
        f"insert into {mart} by name select * replace ('x' as domain) from {mart} "
        f"where period_start = '{last}'",
        f"update {mart} set errors = 12345 where period_start = '{outside}'",
    )
    said = rebuilt(home, "attempts_daily", first, last)
    assert f"attempts_daily: 2 days, {first} to {last}, made anew\n" in said
    assert rows(home, mart, first, last) == rows(fresh, mart, first, last) != []
    damaged = rows(home, mart, outside, outside)
    assert {row[7] for row in damaged} == {12345}
    for other in marts_of():
        if other != mart:
            assert rows(home, other, when=True) == rows(fresh, other, when=True)
    with bronze_reader(home) as bronze:
        (run,) = bronze.execute(
            "select stage, status, details from bronze.pipeline_runs where pipeline_id = 'rebuild'"
        ).fetchall()
    assert run[:2] == ("build", "succeeded")
    assert json.loads(run[2]) == {
        "model": "attempts_daily",
        "from": str(first),
        "to": str(last),
    }


@LONG_ALONE  # those of a damaged day of silver are tried always
def test_damaged_figures_are_as_fresh_with_their_weeks_and_months(
    home: Home, fresh: Home, days: list[date]
) -> None:
    """The periods that the days are in come right as well; another day stays as it is."""
    first, last, outside = days[1], days[2], days[4]
    change(
        home,
        f"update {SERIES} set value = 777 where value > 0 and period_start = '{first}'",
        f"update {SERIES} set value = 777 where value > 0 and granularity in ('week', 'month') "
        f"and period_start = date_trunc(granularity, date '{first}')",
        f"delete from {SERIES} where period_start = '{last}' and metric_name = 'logins'",
        # A median is not recounted by the test of the model, which would see a count.
        f"update {SERIES} set value = 12345 where metric_name = 'attempt_p50_ms' "
        f"and value > 0 and granularity = 'day' and period_start = '{outside}'",
    )
    said = rebuilt(home, "metric_time_series", first, last)
    anew = f"metric_time_series of int_access__published_attempts: 2 days, {first} to {last}, made"
    assert anew in said
    assert rows(home, SERIES, first, last) == rows(fresh, SERIES, first, last) != []
    longer = "where granularity = 'month' or (granularity = 'week' and period_start <= '{}')"
    found = [
        select(h, f"select id, value from {SERIES} {longer.format(last)} order by id")
        for h in (home, fresh)
    ]
    assert found[0] == found[1] != []
    damaged = select(home, f"from {SERIES} where granularity = 'day' and value = 12345")
    assert len(damaged) > 0


def test_weeks_and_months_that_silver_holds_in_part_are_left_alone(
    home: Home, fresh: Home, days: list[date]
) -> None:
    """Silver begins on the fourth day: a change of a later one leaves the month as it was."""
    change(
        home,
        f"delete from {FACT} where attempted_on < date '{days[3]}'",
        f"update {FACT} set labelled_at = labelled_at + interval 1 hour "
        f"where attempted_on = date '{days[5]}'",
        f"delete from {FACT} where attempted_on = date '{days[5]}' and action = 'login'",
    )
    run_dbt(home, "run", "--select", "metric_time_series")
    for period in ("month", "week"):
        where = f"where granularity = '{period}' and period_start <= date '{days[3]}'"
        kept = [select(h, f"from {SERIES} {where} order by id") for h in (home, fresh)]
        assert kept[0] == kept[1] != []
    for day, is_kept in {days[0]: True, days[3]: True, days[5]: False}.items():
        found = (rows(h, SERIES, day, day, when=True) for h in (home, fresh))
        assert (next(found) == next(found)) is is_kept, day


def test_damaged_days_of_silver_and_all_above_are_as_fresh(
    home: Home, fresh: Home, days: list[date]
) -> None:
    """As when the derivation changed: read from bronze again, with what is made of it."""
    first, last, outside = days[1], days[2], days[4]
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        (domain,) = warehouse.execute(f"select min(domain) from {STAGED}").fetchall()[0]
    for day in (first, last, outside):
        change(
            home,
            f"update {STAGED} set domain = '{domain}', duration_ns = 1, "
            "payload_key = 'v1:' || sha256(payload_key) "
            f"where {DAY[STAGED]} = '{day}' and hash(event_id) % 3 = 0",
        )
    change(home, f"delete from {FACT} where attempted_on = '{first}' and action = 'login'")
    said = rebuilt(home, "stg_access__attempts", first, last)
    assert f"stg_access__attempts: 2 days, {first} to {last}, made anew\n" in said
    for table in (STAGED, FACT, *marts_of()):
        assert rows(home, table, first, last) == rows(fresh, table, first, last) != [], table
    duplicates = "silver.int_access__duplicates"
    assert rows(home, duplicates) == rows(fresh, duplicates) != []
    assert rows(home, STAGED, outside, outside) != rows(fresh, STAGED, outside, outside)
    for table in (FACT, *marts_of()):
        for start, end in ((days[0], days[0]), (days[3], days[-1])):
            found = rows(home, table, start, end, when=True)
            assert found == rows(fresh, table, start, end, when=True) != [], table
    assert rows(home, SERIES) == rows(fresh, SERIES) != []


@LONG_ALONE  # what silver holds in part is tried always
def test_days_that_bronze_holds_in_part_are_left_alone(
    home: Home, fresh: Home, days: list[date]
) -> None:
    """One batch has expired: its days keep what silver has, damaged or not; the others heal."""
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        ((gone, *_),) = warehouse.execute(
            f"select batch_id from {STAGED} group by 1 order by count(distinct {DAY[STAGED]}), 1 "
            "limit 1"
        ).fetchall()
    files = [path for path in home.bronze.rglob(f"{gone}.parquet") if path.parts[-3] == "attempts"]
    lost = pq.read_table(files[0], partitioning=None).to_pylist()
    kept = {row[0] for row in rows(fresh, STAGED)}
    half = {row["timestamp"].date() for row in lost if row["event_id"] in kept}
    for file in files:
        file.unlink()
    whole = [day for day in days if day not in half]
    assert half
    assert whole
    change(home, f"update {STAGED} set duration_ns = 1")
    said = rebuilt(home, "stg_access__attempts", days[0], days[-1])
    assert f"{len(half)} day" in said
    assert "left alone, the layer below no longer holds them whole\n" in said
    for day in days:
        found, expected = (rows(h, STAGED, day, day) for h in (home, fresh))
        durations = {row[13] for row in found}
        assert (found == expected) == (day in whole), day
        assert (durations == {1}) == (day in half), day


def expire(home: Home, table: str, first_kept: str) -> None:
    """As retention would, but in the middle of a day."""
    moment = "published_hour" if table == FACT else "attempted_at"
    day = DAY[table]
    change(
        home,
        f"delete from {table} where {moment} < timestamp '{first_kept}' "
        f"or ({moment} is null and {day} < date '{first_kept[:10]}')",
    )


def test_a_day_that_silver_holds_in_part_is_left_alone(
    home: Home, fresh: Home, days: list[date]
) -> None:
    """Silver begins at noon of a day: gold of that day and of those before it outlives it.

    Whether a mart is rebuilt or any build runs. Bronze expired before.
    """
    half = days[2]
    for file in (home.bronze / "attempts").rglob("*.parquet"):
        if file.name != "schema.parquet":
            file.unlink()
    expire(home, STAGED, f"{half} 12:00:00")
    run_dbt(home, "run")
    for table in (FACT, SERIES, *marts_of()):
        found = rows(home, table, days[0], days[-1], when=True)
        assert found == rows(fresh, table, days[0], days[-1], when=True), table

    expire(home, FACT, f"{half} 12:00:00")
    mart = "gold.attempts_daily"
    change(home, f"update {mart} set errors = 12345")
    span = {"model": "attempts_daily", "from": str(days[0]), "to": str(days[-1])}
    said = run_dbt(
        home, "run", "--select", "+attempts_daily+", "--vars", json.dumps({"rebuild": span})
    ).stdout
    assert (
        f"attempts_daily: 3 days, {days[0]} to {half}, left alone, "
        "the layer below no longer holds them whole"
    ) in said
    after = half + timedelta(days=1)
    assert f"attempts_daily: {len(days) - 3} days, {after} to {days[-1]}, made anew" in said
    assert {row[7] for row in rows(home, mart, days[0], half)} == {12345}
    assert len(rows(home, mart, days[0], half)) == len(rows(fresh, mart, days[0], half))
    assert rows(home, mart, after, days[-1]) == rows(fresh, mart, after, days[-1])


def test_a_rebuild_that_cannot_be_says_why_in_one_line(home: Home, days: list[date]) -> None:
    """No such model, nothing built, and days in the wrong order."""
    span = ("--from", days[0], "--to", days[1])
    for name, said in {
        "attempt_daily": "No model of that name. Did you mean attempts_daily",
        "stg_access_attempts": "No model of that name. Did you mean stg_access__attempts",
        "xyz": "No model of that name. See models/silver and models/gold.",
    }.items():
        result = assay(home, "rebuild", name, *span)
        assert (result.returncode, result.stdout) == (1, "")
        assert result.stderr.startswith(said)
        assert result.stderr.count("\n") == 1
    home.warehouse.unlink()
    result = assay(home, "rebuild", "attempts_daily", *span)
    assert result.returncode == 1
    assert (
        result.stderr
        == f"Nothing to rebuild in {home.path}: nothing is built. Run: assay refresh\n"
    )
    result = assay(home, "rebuild", "attempts_daily", "--from", days[1], "--to", days[0])
    assert result.returncode == 2
    assert "is before --from" in result.stderr
