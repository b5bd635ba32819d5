"""What the demo's marts of the platform itself tell is what pandas computes of what they are of."""

from __future__ import annotations

import duckdb
import pandas as pd
import pytest
from conftest import Demo

K = 10


def read(demo: Demo, query: str) -> pd.DataFrame:
    with duckdb.connect(str(demo.home.warehouse), read_only=True) as warehouse:
        return warehouse.execute(query).df()


def monday(days: pd.Series) -> pd.Series:
    return days - pd.to_timedelta(days.dt.day_of_week, unit="D")


def test_who_takes_up_what(demo: Demo) -> None:
    """Few people, or few who are left of all, are in no row, nor in first uses."""
    uses = read(demo, "from silver.int_engagement__published_activity where is_published")
    events = read(
        demo, "select user_key, event_type, occurred_at from silver.stg_engagement__events"
    )
    first = events.groupby(["user_key", "event_type"]).occurred_at.min().dt.normalize()
    uses["week"] = monday(uses.active_on)
    uses = uses.join(monday(first).rename("first_week"), on=["user_key", "event_type"])
    uses["newcomer"] = uses.user_key.where(uses.first_week == uses.week)
    active = uses.groupby("week").user_key.nunique()
    by = uses.groupby(["week", "event_type"])
    expected = pd.DataFrame(
        {
            "events": by.size(),
            "people": by.user_key.nunique(),
            "sessions": by.apply(
                lambda rows: len(rows[["user_key", "active_on"]].drop_duplicates())
            ),
            "first_time_people": by.newcomer.nunique(),
        }
    )
    all_active = active.reindex(expected.index.get_level_values("week")).to_numpy()
    left = all_active - expected.people
    expected["active_share"] = expected.people / all_active
    expected = expected[(expected.people >= K) & ((left == 0) | (left >= K))]
    others = expected.people - expected.first_time_people
    is_told = expected.first_time_people.isin(range(1, K)) | others.isin(range(1, K))
    expected["first_time_people"] = expected.first_time_people.mask(is_told)

    told = read(demo, "from gold.feature_adoption_weekly order by period_start, feature")
    told = told.set_index(["period_start", "feature"])[list(expected)]
    assert len(told) > 50 and told.first_time_people.isna().any()
    pd.testing.assert_frame_equal(
        told, expected.sort_index(), check_names=False, check_dtype=False, check_index_type=False
    )


def test_an_executive_reads_what_other_marts_tell(demo: Demo) -> None:
    months = read(demo, "from gold.executive_monthly order by period_start, brand, currency")
    whole = months[months.brand == "all"].set_index("period_start")
    metrics = read(demo, "from gold.metrics where period = 'month'")
    for column, name in {"revenue_minor": "ngr", "active_people": "active_users"}.items():
        values = metrics[metrics.name == name].set_index("period_start").value.dropna()
        assert whole[column].dropna().astype(float).to_dict() == values.to_dict()
    trends = read(demo, "from gold.claim_type_trends_monthly").groupby("period_start")
    assert whole.claims.to_dict() == trends.claims.sum().to_dict()
    claims = whole.claims.astype(float)
    change = (100 * (claims / claims.shift() - 1)).where(whole.is_complete)
    assert whole.claims_change_percent.to_dict() == pytest.approx(change.to_dict(), nan_ok=True)
    brands = read(
        demo, "select brand, sum(play_days) as days from gold.active_players group by brand"
    )
    assert set(months.brand) - {"all"} <= set(brands.brand)
    assert not whole.flagged_claims.isna().all()


def test_hours_of_landing_hold_what_was_sent(demo: Demo) -> None:
    hours = read(demo, "from gold.system_health_hourly where stage = 'ingestion'")
    sent = {"attempts": demo.key, "deposit_attempts": demo.deposits, "platform_events": demo.events}
    rows = hours.groupby("pipeline_id").rows_in.sum()
    runs = hours.groupby("pipeline_id").runs.sum()
    for table, key in sent.items():
        assert rows[table] == sum(file["received"] for file in key["files"].values())
        assert runs[table] == len(key["files"])
    assert hours.failures.sum() == 0
    assert set(hours.groupby("pipeline_id").size()) == {hours.period_start.nunique()}
