"""CDNOW by the month of the first purchase: retention and lifetime value are those of pandas."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import duckdb
import pandas as pd
import pytest
from conftest import MODELS_ONLY, PROJECT, run_dbt
from test_cdnow import CDNOW, CUSTOMERS, MAPPING, PURCHASES

from loaders.home import Home, init_home
from loaders.landing.batches import land_file

EXAMPLE = PROJECT / "examples" / "cdnow"
MODELS = [f"+int_gaming__{name}" for name in ("deposits", "cohorts", "activity", "quarantined")]
LAST_DAY = pd.Timestamp("1998-06-30")
IN_MONTHS = "days=range(30, 541, 30),\n    tolerance_days=15,"
BY_DAY = "days=range(1, 91),"

Answer = dict[tuple[pd.Timestamp, int], tuple[Any, ...]]  # by month of the cohort and day

pytestmark = pytest.mark.skipif(not CDNOW.exists(), reason=f"{CDNOW} is not there")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home in which the file was landed and built, and no rates."""
    made = init_home(tmp_path_factory.mktemp("cdnow") / "home")[0]
    land_file(made, "platform_events", CDNOW, MAPPING, "cdnow")
    run_dbt(made, "build", *MODELS_ONLY, "--select", *MODELS)
    return made


@pytest.fixture(scope="module")
def taken_in(home: Home) -> list[tuple[int, int]]:
    """How many deposits there are and how many are quarantined, before and after rates land."""
    before = counted(home)
    land_file(home, "fx_rates", EXAMPLE / "rates.csv")
    run_dbt(home, "run", "--select", "int_gaming__quarantined")
    return [before, counted(home)]


def counted(home: Home) -> tuple[int, int]:
    with warehouse_of(home) as connection:
        [counts] = connection.execute(
            "select (select count(*) from silver.int_gaming__deposits), "
            "(select count(*) from silver.int_gaming__quarantined where code = 'fx_rate_missing')"
        ).fetchall()
    return counts


def warehouse_of(home: Home) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(str(home.warehouse), read_only=True)
    connection.execute("set TimeZone = 'UTC'")
    return connection


@pytest.fixture(scope="module")
def queries(home: Home, taken_in: list[tuple[int, int]]) -> dict[str, str]:
    """The example's queries as dbt renders them, and its retention day by day."""
    months = (EXAMPLE / "retention.sql").read_text(encoding="utf-8")
    values = (EXAMPLE / "lifetime_value.sql").read_text(encoding="utf-8")
    assert IN_MONTHS in months
    texts = [months, months.replace(IN_MONTHS, BY_DAY), values]
    marked = "".join(f"-- query\n{text}\n" for text in texts)
    printed = run_dbt(home, "--quiet", "compile", "--inline", marked).stdout
    compiled = printed.split("-- query\n")[1:]
    return dict(zip(("by month", "by day", "value"), compiled, strict=True))


@pytest.fixture(scope="module")
def purchases() -> pd.DataFrame:
    """Each purchase with the month of its customer's first one, and the days since that one."""
    rows = pd.read_csv(CDNOW, dtype=str)
    bought = pd.to_datetime(rows["date"])
    first = bought.groupby(rows["customer_id"]).transform("min")
    return pd.DataFrame(
        {
            "customer": rows["customer_id"],
            "month": first.dt.to_period("M").dt.to_timestamp(),
            "day": (bought - first).dt.days,
            "cents": rows["dollar_value"].map(lambda dollars: int(Decimal(dollars) * 100)),
        }
    )


def answer(home: Home, query: str, *columns: str) -> Answer:
    """What the macro answers on silver."""
    with warehouse_of(home) as connection:
        found = connection.execute(
            f"select cohort_date, day, size, is_mature, {', '.join(columns)} from ({query})"
        ).fetchall()
    assert len(found) == len({row[:2] for row in found})
    return {(pd.Timestamp(month), day): tuple(rest) for month, day, *rest in found}


def retained(purchases: pd.DataFrame, days: range, tolerance: int) -> Answer:
    """What pandas finds: who bought on day N, give or take, and who did on it or later."""
    sizes = purchases.groupby("month")["customer"].nunique()
    expected: Answer = {}
    for day in days:
        around = purchases[purchases["day"].between(day - tolerance, day + tolerance)]
        later = purchases[purchases["day"] >= day]
        counts = [rows.groupby("month")["customer"].nunique() for rows in (around, later)]
        for month, size in sizes.items():
            figures = [int(count.get(month, 0)) for count in counts]
            figures += [figure / size for figure in figures]
            has_passed = is_past(month, day + tolerance)
            expected[month, day] = (size, has_passed, *(figures if has_passed else [None] * 4))
    return expected


def is_past(month: pd.Timestamp, day: int) -> bool:
    """Whether day N has passed for whoever joined on the last day of the month."""
    return bool(month + pd.offsets.MonthEnd() + pd.Timedelta(days=day) <= LAST_DAY)


RETENTION = ("returned", "returned_on_or_after", "rate", "rate_on_or_after")
VALUE = ("amount", "amount_per_member")


def valued(purchases: pd.DataFrame, days: range) -> Answer:
    """What pandas sums up, in cents."""
    sizes = purchases.groupby("month")["customer"].nunique()
    paid = purchases.pivot_table("cents", "day", "month", "sum", fill_value=0)
    summed = paid.reindex(days, fill_value=0).cumsum()
    return {
        (month, day): (size, True, int(summed.at[day, month]), int(summed.at[day, month]) / size)
        if is_past(month, day)
        else (size, False, None, None)
        for month, size in sizes.items()
        for day in days
    }


def test_what_has_no_rate_waits_for_one(taken_in: list[tuple[int, int]]):
    """There was no euro in 1997: all is quarantined, until the example's rates have landed."""
    assert taken_in == [(0, PURCHASES), (PURCHASES, 0)]


def test_silver_holds_every_purchase_to_the_cent(home: Home, taken_in: Any):
    with warehouse_of(home) as connection:
        [found] = connection.execute(
            "select count(distinct user_key), sum(net_minor), min(currency), max(currency) "
            "from silver.int_gaming__deposits where brand = 'cdnow' and movement = 'deposit'"
        ).fetchall()
    assert found == (CUSTOMERS, 250_031_563, "USD", "USD")


def test_retention_is_that_of_pandas(home: Home, queries: dict[str, str], purchases: pd.DataFrame):
    """By months of 30 days, some of which are not over, and by single days."""
    by_month = answer(home, queries["by month"], *RETENTION)
    assert by_month == retained(purchases, range(30, 541, 30), 15)
    assert {is_mature for _, is_mature, *_ in by_month.values()} == {True, False}
    assert answer(home, queries["by day"], *RETENTION) == retained(purchases, range(1, 91), 0)


def test_lifetime_value_is_that_of_pandas_to_the_cent(
    home: Home, queries: dict[str, str], purchases: pd.DataFrame
):
    """Three cohorts on each day from 0 to 540, of which the last ones are not over."""
    found = answer(home, queries["value"], *VALUE)
    assert found == valued(purchases, range(541))
    assert len(found) == 3 * 541
    assert found[pd.Timestamp("1997-03-01"), 540] == (7248, False, None, None)


@pytest.mark.parametrize(
    ("query", "model", "planted"),
    [
        ("value", "deposits", "select distinct * exclude (event_id, batch_id) from {}"),
        ("value", "deposits", "select * from {} where occurred_at < '1998-06-01'"),
        ("value", "deposits", "select * replace (net_minor + 1 as net_minor) from {}"),
        ("by month", "activity", "select * from {} where active_at < '1998-06-01'"),
        ("by day", "activity", "select * replace (active_local_on + 1 as active_local_on) from {}"),
    ],
)
def test_what_silver_has_otherwise_is_seen(
    home: Home,
    queries: dict[str, str],
    purchases: pd.DataFrame,
    query: str,
    model: str,
    planted: str,
):
    """Twins: equal purchases lost, the last month missing, a cent too much, another day."""
    place = rf"\S*int_gaming__{model}\S*"
    twin = re.sub(place, lambda name: f"({planted.format(name[0])}) as planted", queries[query])
    columns, expected = {
        "value": (VALUE, lambda: valued(purchases, range(541))),
        "by month": (RETENTION, lambda: retained(purchases, range(30, 541, 30), 15)),
        "by day": (RETENTION, lambda: retained(purchases, range(1, 91), 0)),
    }[query]
    assert answer(home, twin, *columns) != expected()
