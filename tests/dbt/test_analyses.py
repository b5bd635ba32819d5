"""Each analysis compiles, runs on the demo, and says what was planted or what a recount finds."""

from __future__ import annotations

import re
import shutil
from datetime import datetime

import duckdb
import pandas as pd
import pytest
from conftest import PROJECT, Demo, run_dbt

from loaders.home import Home

ANALYSES = sorted((PROJECT / "analyses").rglob("*.sql"))
NAMES = [path.stem for path in ANALYSES]


@pytest.fixture(scope="module")
def compiled(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """SQL of each analysis as dbt renders it in a copy of the demo, for the demo."""
    copy = Home(tmp_path_factory.mktemp("compiled") / "home")
    shutil.copytree(demo.home.path, copy.path, ignore=shutil.ignore_patterns("demo", "target"))
    run_dbt(copy, "compile", "--select", "resource_type:analysis")
    folder = copy.path / "target" / "compiled" / "assay" / "analyses"
    return {
        path.stem: path.read_text(encoding="utf-8").replace(str(copy.path), str(demo.home.path))
        for path in folder.rglob("*.sql")
    }


@pytest.fixture(scope="module")
def warehouse(demo: Demo) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(str(demo.home.warehouse), read_only=True)
    connection.execute("set TimeZone = 'UTC'")
    return connection


@pytest.fixture(scope="module")
def answers(
    compiled: dict[str, str], warehouse: duckdb.DuckDBPyConnection
) -> dict[str, pd.DataFrame]:
    return {name: warehouse.execute(sql).df() for name, sql in compiled.items()}


@pytest.fixture(scope="module")
def published(warehouse: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Attempts of silver that are in gold at all."""
    rows = warehouse.execute("select * from silver.int_access__published_attempts").df()
    return rows[rows.is_published]


def test_every_analysis_begins_with_its_question() -> None:
    """One comment, one question, and the requirement that asks it."""
    for path in ANALYSES:
        first = path.read_text(encoding="utf-8").splitlines()[0]
        assert first.startswith("-- "), path.name
        question, _, requirement = first.removeprefix("-- ").rpartition(" (")
        assert question.endswith("?"), path.name
        assert re.fullmatch(r"S\d-\d\d(, S\d-\d\d)*\)", requirement), path.name


# Of a demo this small: some day of every month hides what failed.
EMPTY = {"failing_channels"}


@pytest.mark.parametrize("name", NAMES)
def test_an_analysis_compiles_and_answers(name: str, answers: dict[str, pd.DataFrame]) -> None:
    """It has rows, and no sum is a HUGEINT."""
    assert name in answers
    assert len(answers[name]) > 0 or name in EMPTY
    assert not answers[name].columns.duplicated().any()


def test_whole_numbers_are_int64(
    compiled: dict[str, str], warehouse: duckdb.DuckDBPyConnection
) -> None:
    for name, sql in compiled.items():
        types = {str(data_type) for data_type in warehouse.sql(sql).types}
        assert "HUGEINT" not in types, name


def test_the_storm_is_found(answers: dict[str, pd.DataFrame], demo: Demo) -> None:
    """S3-20: the planted hour, and no other."""
    storm = demo.key["storm"]
    when = datetime.fromisoformat(storm["period_start"]).replace(tzinfo=None)
    found = answers["registration_storms"][["period_start", "domain", "errors"]]
    assert found.to_numpy().tolist() == [[when, storm["domain"], storm["errors"]]]


def test_mistyped_domains_are_those_planted(answers: dict[str, pd.DataFrame], demo: Demo) -> None:
    """S3-21: gmul.com for gmail.com, with the people who typed it, most usual first."""
    found = answers["mistyped_mail_domains"].set_index("typed_domain")
    planted = demo.key["mail_domains"]["typos"]
    assert found.index[0] == max(planted, key=lambda domain: planted[domain]["attempts"])
    assert found.loc["gmul.com", "suggested_domain"] == "gmail.com"
    for domain, row in found.iterrows():
        assert row.suggested_domain == planted[domain]["meant"]
        assert row.people_in_its_busiest_week == planted[domain]["people"]
        assert 0.95 * planted[domain]["attempts"] < row.attempts <= planted[domain]["attempts"]


def test_the_slow_country_is_the_slowest(answers: dict[str, pd.DataFrame], demo: Demo) -> None:
    """S3-22: first of its action, by about the planted percentage."""
    slow = demo.key["slow_country"]
    found = answers["response_times_beside_the_eu"]
    first = found[found.action == "login"].iloc[0]
    assert first.country == slow["country"]
    assert first.mean_difference_percent == pytest.approx(slow["percent"], abs=4)


def test_the_most_usual_error_is_the_one_of_all_languages(
    answers: dict[str, pd.DataFrame], demo: Demo
) -> None:
    """S3-21: what seven languages say is one line, and it leads."""
    found = answers["most_usual_errors"]
    first = found[(found.action == "login") & (found.place == 1)].iloc[0]
    texts = demo.key["localized_errors"]["invalid_credentials"]
    assert first.error_code == "invalid_credentials"
    assert first.attempts <= demo.key["error_codes"]["invalid_credentials"]
    assert first.attempts > sum(said["errors"] for said in texts.values())
    shares = found.groupby("action").share_of_errors.sum()
    assert shares.to_list() == pytest.approx([1.0] * len(shares))


def test_codes_add_up_over_days(answers: dict[str, pd.DataFrame], demo: Demo) -> None:
    """S3-27: no more than was planted, nearly all of it, of requests and deposits."""
    found = answers["errors_by_code"]
    deposits = found[found.endpoint == "deposit"].groupby("error_code").attempts.sum()
    requests = found[found.endpoint != "deposit"].groupby("error_code").attempts.sum()
    for code, planted in (demo.key["error_codes"] | demo.deposits["error_codes"]).items():
        total = (deposits if code in demo.deposits["error_codes"] else requests).get(code, 0)
        assert total <= planted
        assert total >= 0.75 * planted or planted < 300, code
    (login,) = [g for k, g in found.groupby(["endpoint", "error_code"]) if k[1] == "rate_limited"][
        :1
    ]
    assert login.attempts_change.isna().sum() == 1
    assert login.attempts_change.dropna().to_list() == login.attempts.diff().dropna().to_list()


def test_statuses_are_those_of_a_recount(
    answers: dict[str, pd.DataFrame], published: pd.DataFrame
) -> None:
    """S3-19: each status of each day and domain, counted in pandas."""
    signups = published[published.action == "signup"]
    expected = signups.groupby(["attempted_on", "domain", "status"]).size()
    found = answers["signups_by_status"].set_index(["period_start", "domain", "status"])
    assert found.attempts.sort_index().to_dict() == expected.to_dict()
    assert found.groupby(level=[0, 1]).share.sum().to_list() == pytest.approx(
        [1.0] * len(found.groupby(level=[0, 1]))
    )


def test_emails_in_use_are_those_of_a_recount(
    answers: dict[str, pd.DataFrame], published: pd.DataFrame, demo: Demo
) -> None:
    """S3-19: requests and people, and not more than were planted."""
    taken = published[(published.action == "signup") & (published.error_code == "email_taken")]
    taken = taken[taken.status != "test"].groupby(["attempted_on", "domain"]).subject_key
    found = answers["emails_already_in_use"].set_index(["period_start", "domain"])
    shown = found[found.attempts > 0]
    assert shown.attempts.to_dict() == taken.size().to_dict()
    assert shown.at_least_people.dropna().to_dict() == {
        key: people for key, people in taken.nunique().to_dict().items() if people >= 10
    }
    assert 0 < shown.attempts.sum() <= demo.key["error_codes"]["email_taken"]


def test_rate_limits_are_told_apart(answers: dict[str, pd.DataFrame], demo: Demo) -> None:
    """S3-32: the storm's day has them, under their own name."""
    storm = demo.key["storm"]
    found = answers["rate_limits_and_unknown_errors"]
    day = found[
        (found.period_start == pd.Timestamp(storm["period_start"][:10]))
        & (found.domain == storm["domain"])
        & (found.action == "signup")
    ]
    assert day.rate_limited.item() >= storm["errors"]
    assert found.rate_limited.sum() <= demo.key["error_codes"]["rate_limited"]
    assert found.unclassified.sum() <= demo.key["error_codes"]["unclassified"] + 5


def test_devices_are_those_of_a_recount(
    answers: dict[str, pd.DataFrame], published: pd.DataFrame
) -> None:
    """S3-33: registrations of each day, and whether any device made more than 30."""
    made = published[(published.action == "signup") & (published.status == "success")]
    days = made.groupby(["attempted_on", "domain"])
    found = answers["registrations_per_device"].set_index(["period_start", "domain"])
    assert found.registrations.to_dict() == days.size().to_dict()
    devices = made.groupby(["attempted_on", "domain", "fp_key"]).size()
    assert found.is_limit_too_big.any() == bool((devices > 30).any())


def test_steps_are_those_of_a_recount(
    answers: dict[str, pd.DataFrame], published: pd.DataFrame
) -> None:
    """S3-31: distinct people who validated, and who sent the form."""
    rows = published[published.status != "test"]
    found = answers["validation_before_submitting"].set_index(["period_start", "domain"])
    for column, action in (("validations", "validate"), ("submitted", "signup")):
        people = rows[rows.action == action].groupby(["attempted_on", "domain"]).subject_key
        expected = {key: n for key, n in people.nunique().to_dict().items() if n >= 10}
        assert found[column].dropna().to_dict() == expected


def test_the_failing_provider_leads(answers: dict[str, pd.DataFrame], demo: Demo) -> None:
    """S3-34: the planted provider, with an error that was planted."""
    first = answers["failing_deposit_providers"].iloc[0]
    assert first.provider == demo.deposits["failing_provider"]
    assert first.error_code == "payment_declined"


def test_popular_categories_are_those_of_a_recount(
    answers: dict[str, pd.DataFrame], published: pd.DataFrame
) -> None:
    """S0-25: each action's share of a day's requests, counted in pandas."""
    found = answers["popular_categories"]
    actions = found[(found.metric_name == "attempts") & (found.dimension == "action")]
    counted = published.groupby(["attempted_on", "action"]).size()
    shares = counted / counted.groupby(level=0).transform("sum")
    shown = actions.set_index(["period_start", "dimension_value"]).share.sort_index()
    assert shown.to_list() == pytest.approx(shares.sort_index().to_list())
    assert (actions[actions.place == 1].dimension_value == shares.unstack().sum().idxmax()).all()


def test_challenges_draw_as_a_recount_finds(
    answers: dict[str, pd.DataFrame], warehouse: duckdb.DuckDBPyConnection
) -> None:
    """S0-12: views of each month and challenge, and who joined one and completed it, in pandas."""
    steps = warehouse.execute(
        "select steps.*, told.challenge as told, told.is_in_month, told.month_challenge, "
        "date_trunc('month', steps.occurred_at) as month "
        "from silver.int_engagement__challenge_steps as steps "
        "inner join silver.int_engagement__published_challenge_steps as told using (event_id)"
    ).df()
    steps = steps[steps.is_in_month & (steps.month_challenge != "Other")]
    found = answers["challenges_that_draw"].set_index(["period_start", "challenge"]).sort_index()
    viewed = steps[steps.step == "viewed"].groupby(["month", "month_challenge"]).size()
    assert found.views.to_dict() == viewed.to_dict()
    joined = steps[steps.step == "joined"]
    completed = joined[joined.outcome == "completed"]
    people, done = (
        rows.groupby(["month", "month_challenge"]).user_key.nunique()
        for rows in (joined, completed)
    )
    shown = found.completion_rate.dropna()
    assert len(shown) >= 4
    assert shown.to_dict() == pytest.approx((done / people)[shown.index].to_dict())


def test_drops_fall_and_spikes_leap(answers: dict[str, pd.DataFrame], demo: Demo) -> None:
    """S0-25: a day is below the one before; the storm's hour has twice the errors of the last."""
    drops = answers["engagement_drops"]
    assert (drops.value_change_percent < 0).all()
    storm = demo.key["storm"]
    spikes = answers["spikes"].set_index(["name", "period_start"])
    found = spikes.loc[("attempt_errors", pd.Timestamp(storm["period_start"]).tz_localize(None)), :]
    assert found.value >= storm["errors"]


def test_the_lost_numbers_are_found(answers: dict[str, pd.DataFrame], demo: Demo) -> None:
    """S3-30: the planted range of the planted producer, and nothing else."""
    ((producer, (first, last)),) = demo.key["lost_numbers"].items()
    found = answers["lost_records"]
    assert found[["producer", "missing", "gap_ranges"]].to_numpy().tolist() == [
        [producer, last - first + 1, f"{first}-{last}"]
    ]
    assert found.unbalanced_batches.isna().all()


def test_all_that_was_received_is_accounted_for(
    answers: dict[str, pd.DataFrame], demo: Demo
) -> None:
    """S3-24: as many as the demo's files hold, and as many kept as there are events."""
    sums = answers["what_became_of_records"].groupby("table_name").sum(numeric_only=True)
    for table, key in (("attempts", demo.key), ("deposit_attempts", demo.deposits)):
        files = key["files"].values()
        assert sums.loc[table, "received"] == sum(file["received"] for file in files)
        assert sums.loc[table, "refused"] == sum(sum(f["rejected"].values()) for f in files)
        assert sums.loc[table, "kept"] == key["distinct_events"]
        assert sums.loc[table, "unaccounted"] == 0


@pytest.fixture(scope="module")
def deposits(warehouse: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Events of silver that are about deposits, with the brand and day as the analyses say them."""
    events = warehouse.execute(
        "select user_key, event_type, occurred_at, reason, currency, amount_minor, "
        "coalesce(tenant_id, 'unknown') as brand, date_trunc('day', occurred_at) as day "
        "from silver.stg_engagement__events where user_key is not null"
    ).df()
    paid = (events.event_type == "wallet.credit") & (events.reason == "deposit")
    return events.assign(is_paid=paid)


def test_the_funnel_of_deposits_is_that_of_a_recount(
    answers: dict[str, pd.DataFrame], deposits: pd.DataFrame
) -> None:
    """S2-24: each intent with what comes after it within the hour, in pandas."""
    intent, captured, played = (
        deposits[deposits.event_type == name][["brand", "user_key", "occurred_at"]]
        for name in ("payment.intent", "payment.captured", "bet.placed")
    )
    second = intent.merge(captured, on=["brand", "user_key"], suffixes=("", "_2"))
    second["end"] = second.occurred_at + pd.Timedelta(hours=1)
    second = second[second.occurred_at_2.between(second.occurred_at, second.end)]
    third = second.merge(played, on=["brand", "user_key"], suffixes=("", "_3"))
    third = third[third.occurred_at_3.between(third.occurred_at_2, third.end)]
    found = answers["deposit_funnel"].set_index(["name", "brand"]).people
    for name, rows in {"intent": intent, "captured": second, "played": third}.items():
        assert found[name].to_dict() == rows.groupby("brand").user_key.nunique().to_dict()


def test_deposits_after_registration_are_those_of_a_recount(
    answers: dict[str, pd.DataFrame], deposits: pd.DataFrame
) -> None:
    """S2-30: weeks of people by their first registration, and what is known of all of them."""
    registered = deposits[deposits.event_type == "account.registered"]
    members = registered.groupby(["brand", "user_key"]).day.min().rename("joined").reset_index()
    members["cohort"] = members.joined - pd.to_timedelta(members.joined.dt.day_of_week, unit="D")
    found = answers["deposits_after_registration"].set_index(["brand", "cohort_date", "day"])
    sizes = members.groupby(["brand", "cohort"]).size()
    assert found["size"].xs(7, level="day").to_dict() == sizes.to_dict()
    paid = members.merge(deposits[deposits.is_paid][["brand", "user_key", "day"]])
    paid["after"] = (paid.day - paid.joined).dt.days
    for (brand, cohort, day), row in found.iterrows():
        assert row.is_mature == (cohort + pd.Timedelta(days=6 + day + 1) < deposits.day.max())
        of_cohort = paid[(paid.brand == brand) & (paid.cohort == cohort)]
        on = of_cohort[of_cohort.after.between(max(day - 1, 1), day + 1)]
        assert not row.is_mature or row.returned == on.user_key.nunique()


def test_deposits_by_first_month_are_those_of_a_recount(
    answers: dict[str, pd.DataFrame], deposits: pd.DataFrame
) -> None:
    """S2-33: sums of the days since each person's first deposit in a currency."""
    keys = ["brand", "currency", "user_key"]
    paid = deposits[deposits.is_paid].dropna(subset=["currency", "amount_minor"])
    paid = paid.assign(joined=paid.groupby(keys).day.transform("min"))
    paid["cohort_date"] = paid.joined.dt.to_period("M").dt.start_time
    cohort = ["brand", "currency", "cohort_date"]
    found = answers["deposits_by_first_month"].set_index([*cohort, "day"]).sort_index()
    sizes = paid.groupby(cohort).user_key.nunique()
    assert found["size"].xs(0, level="day").to_dict() == sizes.to_dict()
    for day in (0, 1, 7, 30, 90):
        sums = paid[(paid.day - paid.joined).dt.days <= day].groupby(cohort).amount_minor.sum()
        passed = sums.index.get_level_values(2) + pd.offsets.MonthEnd(0) + pd.Timedelta(days=day)
        expected = sums[passed < paid.day.max()].to_dict()
        assert found.amount.xs(day, level="day").dropna().to_dict() == expected
