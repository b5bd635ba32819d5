"""The marts of the challenge platform say what pandas counts in the demo's files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
import pandas as pd
import pytest
from conftest import Demo
from second_gold import OWN_DOING, Figures, K, by_period, events_of, published


@pytest.fixture(scope="module")
def warehouse(demo: Demo) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str(demo.home.warehouse), read_only=True)


@pytest.fixture(scope="module")
def events(demo: Demo) -> pd.DataFrame:
    return events_of(demo.home.path / "demo")


def gold(warehouse: duckdb.DuckDBPyConnection, mart: str, figure: str, *keys: str) -> Figures:
    """A figure of a mart by period, over all its labels but the keys. Nulls are left out."""
    cell = ", ".join(["period", "period_start", *keys])
    rows = warehouse.execute(
        f"select {cell}, {figure} from gold.{mart} where period != 'hour' group by {cell} "
        f"having ({figure}) is not null"
    ).fetchall()
    return {(period, pd.Timestamp(start), *rest): float(v) for period, start, *rest, v in rows}


def steps(events: pd.DataFrame, subject: str) -> pd.DataFrame:
    rows = events[events["event_type"].str.startswith(subject + ".")]
    return rows.assign(step=rows["event_type"].str.removeprefix(subject + "."))


def test_entries_by_step(events: pd.DataFrame, warehouse: duckdb.DuckDBPyConnection) -> None:
    entries = published(steps(events, "submission"), "step")
    expected = by_period(entries, "size", "user", "step")
    assert gold(warehouse, "submission_stats", "sum(submissions)", "step") == expected
    assert {step for _, _, step in expected} == {"created", "approved", "rejected"}


def test_approval_rate(events: pd.DataFrame, warehouse: duckdb.DuckDBPyConnection) -> None:
    """Over all categories, of the days on which both decisions are published."""
    entries = published(steps(events, "submission"), "step")
    of_step = {
        step: by_period(entries[entries["step"] == step], "size")
        for step in ("approved", "rejected")
    }
    shown = gold(
        warehouse,
        "submission_stats",
        "sum(submissions) filter (step = 'approved') "
        "/ sum(submissions) filter (step in ('approved', 'rejected'))",
    )
    assert len(shown) > 60
    for key, rate in shown.items():
        approved, rejected = (of_step[step].get(key, 0.0) for step in ("approved", "rejected"))
        assert rate == pytest.approx(approved / (approved + rejected))


def test_badges(events: pd.DataFrame, warehouse: duckdb.DuckDBPyConnection) -> None:
    awards = published(events[events["event_type"] == "badge.awarded"])
    assert gold(warehouse, "badge_stats", "sum(awards)") == by_period(awards, "size")


def test_points(events: pd.DataFrame, warehouse: duckdb.DuckDBPyConnection) -> None:
    """All points of a period, where all its categories show theirs."""
    earned = published(events[events["event_type"] == "contribution.recorded"])
    assert gold(warehouse, "contribution_stats", "sum(contributions)") == by_period(earned, "size")
    expected = by_period(earned, "sum", "points")
    figure = "case when count(points) = count(*) then sum(points) end"
    shown = gold(warehouse, "contribution_stats", figure)
    assert shown.items() <= expected.items()
    assert len(shown) > 0.9 * len(expected)


def test_administrators(events: pd.DataFrame, warehouse: duckdb.DuckDBPyConnection) -> None:
    done = published(events[events["event_type"] == "admin.action"])
    rows = warehouse.execute(
        "select period_start, sum(actions) from gold.admin_activity_daily group by 1"
    ).fetchall()
    expected = by_period(done, "size")
    assert {("day", pd.Timestamp(day)): float(n) for day, n in rows} == {
        key: n for key, n in expected.items() if key[0] == "day"
    }


def test_wallets(events: pd.DataFrame, warehouse: duckdb.DuckDBPyConnection) -> None:
    """Entries by direction and state, and where all are shown, what they add up to."""
    entries = events[events["event_type"].isin({"wallet.credit", "wallet.debit"})]
    entries = entries.assign(direction=entries["event_type"].str.removeprefix("wallet."))
    entries = published(entries, "direction", "state", "currency")
    expected = by_period(entries, "size", "user", "direction", "currency")
    cell = ("direction", "currency")
    assert gold(warehouse, "wallet_activity", "sum(entries)", *cell) == expected
    amounts = by_period(entries, "sum", "amount_minor", *cell)
    figure = "case when count(amount_minor) = count(*) then sum(amount_minor) end"
    shown = gold(warehouse, "wallet_activity", figure, *cell)
    assert shown.items() <= amounts.items()
    assert len(shown) > 0.5 * len(amounts)


def activity(events: pd.DataFrame) -> pd.DataFrame:
    """What people did themselves, with whether it was their first day, and what is published."""
    own = events[events["event_type"].isin(OWN_DOING)]
    is_new = own["day"] == own.groupby("user")["day"].transform("min")
    own = own.assign(kind=is_new.map({True: "new", False: "returning"}))
    people = own.groupby(["day", "kind"])["user"].transform("nunique")
    return own.assign(is_published=people >= K)


@pytest.mark.parametrize("figure", ["events", "active_users", "new_users", "returning_users"])
def test_activity(figure: str, events: pd.DataFrame, warehouse: duckdb.DuckDBPyConnection) -> None:
    """New and returning are of the period: new is who was new on one of its days.

    Where somebody of the kind is in no figure, or in that of the other, the figure is left out.
    """
    own = activity(events)
    shown = gold(warehouse, "user_activity", f"any_value({figure})")
    expected: Figures = {}
    if figure == "events":
        expected = by_period(own[own["is_published"]], "size")
    elif figure == "active_users":
        expected = by_period(own[own["is_published"]], "nunique")
    else:
        for period, rule in {"day": "D", "week": "W-SUN", "month": "M"}.items():
            starts = own["day"].dt.to_period(rule).dt.start_time
            for start, rows in own.groupby(starts):
                is_new, is_shown = rows["kind"] == "new", rows["is_published"]
                known, new = set(rows[is_shown]["user"]), set(rows[is_shown & is_new]["user"])
                hidden_new = set(rows[~is_shown & is_new]["user"])
                if figure == "new_users":
                    people, is_whole = len(new), not hidden_new
                else:
                    hidden = set(rows["user"]) - known - hidden_new
                    people, is_whole = len(known - new), not hidden and not hidden_new & known
                if is_whole and (not people or people >= K):
                    expected[(period, start)] = float(people)
    assert {key: n for key, n in shown.items() if n} == {k: n for k, n in expected.items() if n}
    assert len(expected) > (10 if figure == "new_users" else 60)


@pytest.mark.parametrize(("figure", "days"), [("wau_rolling_7d", 7), ("mau_rolling_30d", 30)])
def test_rolling_windows(
    figure: str, days: int, events: pd.DataFrame, warehouse: duckdb.DuckDBPyConnection
) -> None:
    own = activity(events)
    own = own[own["is_published"]]
    shown = gold(warehouse, "user_activity", f"any_value({figure})")
    assert len(shown) > 60
    for (_, day), people in shown.items():
        window = own[(own["day"] > day - pd.Timedelta(days=days)) & (own["day"] <= day)]
        assert people == window["user"].nunique()


def test_profile_completion(events: pd.DataFrame, warehouse: duckdb.DuckDBPyConnection) -> None:
    """Of each who was there, the share of fields that was filled when last there in the period."""
    own = activity(events)
    own = own[own["is_published"]]
    told = events[events["event_type"] == "account.profile_updated"]
    told = told.assign(share=told["fields_filled"] / told["fields_total"])
    last = told.groupby(["user", "day"])["share"].last()
    shown = gold(warehouse, "user_activity", "any_value(profile_completion)")
    assert len(shown) > 60
    months = {key: value for key, value in shown.items() if key[0] == "month"}
    for (_, start), mean in months.items():
        rows = own[own["day"].dt.to_period("M").dt.start_time == start]
        shares: list[Any] = []
        for user, day in rows.groupby("user")["day"].max().items():
            known = last.get(user)
            known = known[known.index <= day] if known is not None else None
            if known is not None and len(known):
                shares.append(known.iloc[-1])
        assert mean == pytest.approx(sum(shares) / len(shares))


# What is planted, the metric that shows it, and as what.
PLANTED = {
    "spike": ("submissions", "spike"),
    "drop": ("active_users", "drop"),
    "burst": ("rewards_issued", "burst"),
    "wave": ("badges_awarded", "spike"),
}
ECHO = pd.Timedelta(days=4)  # decisions come a day after entries, releases three days after those


def test_what_is_planted_is_found_and_hardly_anything_else(
    demo: Demo, warehouse: duckdb.DuckDBPyConnection, tell: Callable[[str], None]
) -> None:
    """S0-25: of a thousand judged values of quiet days, one at most is called unusual."""
    trends = warehouse.execute(
        "select *, date_trunc('day', period_start) as day from gold.metric_trends "
        "where period in ('hour', 'day') and pattern is not null "
        "and category in (select category from gold.metrics where name = any(?))",
        [[name for name, _ in PLANTED.values()]],
    ).df()
    days = {what: pd.Timestamp(day) for what, day in demo.events["planted"].items()}
    of_days = trends[trends["period"] == "day"].set_index(["name", "day"])["pattern"]
    for what, (name, pattern) in PLANTED.items():
        assert of_days[name, days[what]] == pattern
    is_echo = pd.concat(
        [(trends["day"] >= day) & (trends["day"] <= day + ECHO) for day in days.values()], axis=1
    ).any(axis=1)
    quiet = trends[~is_echo]
    alarms = quiet["pattern"].isin({"spike", "drop", "burst"}).sum()
    tell(f"{alarms} false alarms of {len(quiet)} judged values of quiet days")
    assert alarms <= len(quiet) / 1000
