"""`assay explain-suppression` says what a recount from silver finds, and no more than that."""

from __future__ import annotations

import json
import random
import re
import secrets
import subprocess
import sys
from pathlib import Path

import duckdb
import pandas as pd
import pytest
import yaml
from conftest import PROJECT, Demo

from loaders.errors import AssayError
from loaders.gold.marts import read_marts, thresholds
from loaders.gold.suppression import PERIODS, as_lines, band, explain, rounded
from loaders.home import Home

K, SAFE_ROWS = 10, 100
SAFE_KEYS = {
    "attempts": ["domain", "action", "status", "error_code", "field"],
    "deposit_attempts": ["domain", "method", "provider", "status", "error_code", "currency"],
}
# What each mart is about, written down from its description.
MARTS = {
    "attempts_hourly": ("attempts", lambda rows: rows.status != ""),
    "attempts_daily": ("attempts", lambda rows: rows.status != ""),
    "attempt_errors_daily": ("attempts", lambda rows: rows.status != "test"),
    "response_times_daily": ("attempts", lambda rows: rows.status != "test"),
    "registration_funnel_daily": ("attempts", lambda rows: rows.status != "test"),
    "registrations_per_fingerprint_daily": (
        "attempts",
        lambda rows: (rows.status != "test") & (rows.action == "signup"),
    ),
    "deposit_attempts_hourly": ("deposit_attempts", lambda rows: rows.status != ""),
    "deposit_attempts_daily": ("deposit_attempts", lambda rows: rows.status != ""),
}
MADE_OF_OTHERS = {
    "metric_time_series",
    "metrics",
    "metric_trends",
    "engagement_summary",
    "executive_monthly",
}
# Made of a view over a fact, or of cohorts, of which none is withheld by a label.
WITHOUT_LABELS = {
    "feature_adoption_weekly",
    "gaming_time_series",
    "retention_cohorts",
    "ltv_cohorts",
    "public_claim_report",
}
SHOWS_COUNTRIES = {"attempts_hourly", "attempts_daily", "response_times_daily"}


def tallied(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Per row, how many people and rows its group of `by` has."""
    groups = rows.groupby(by, dropna=False)
    return pd.DataFrame(
        {
            "people": groups["subject_key"].transform("nunique"),
            "row_total": groups["subject_key"].transform("size"),
        }
    )


def labelled(warehouse: duckdb.DuckDBPyConnection, table: str) -> pd.DataFrame:
    """Each event of silver with its class by the published policy, recounted without its SQL."""
    rows = warehouse.execute(f"select * from silver.stg_access__{table}").df()
    rows["day"], rows["hour"] = rows.attempted_at.dt.floor("D"), rows.attempted_at.dt.floor("h")
    keys = ["day", *SAFE_KEYS[table]]
    hours = tallied(rows, [*keys, "hour"])
    rows["is_hour"] = (hours.people >= K) | (hours.row_total >= SAFE_ROWS)
    rests = tallied(rows, [*keys, "is_hour"])
    rows["is_published"] = rows.is_hour | (rests.people >= K) | (rests.row_total >= SAFE_ROWS)
    rows["cell"] = rows.hour.where(rows.is_hour, pd.Timestamp(0))
    cells = [*keys, "cell"]
    countries = tallied(rows, [*cells, "country"])
    rows["people"], rows["row_total"] = countries.people, countries.row_total
    rows["passes"] = rows.people >= K
    remainder = tallied(rows, [*cells, "passes"])
    too_few = rows.assign(few=~rows.passes & (remainder.people < K)).groupby(cells).few
    passing = rows[rows.passes & too_few.transform("any")]
    smallest = passing.sort_values(["people", "row_total", "country"]).drop_duplicates(cells)
    joins = rows.merge(smallest[[*cells, "country"]], how="left", indicator=True)["_merge"]
    rows["is_other"] = ~rows.passes | (joins == "both").to_numpy()
    return rows


@pytest.fixture(scope="module")
def silver(demo: Demo) -> dict[str, pd.DataFrame]:
    with duckdb.connect(str(demo.home.warehouse), read_only=True) as warehouse:
        return {table: labelled(warehouse, table) for table in SAFE_KEYS}


def as_range(share: str) -> tuple[float, float]:
    """The percentages that a share in words may stand for, at steps of 25 or less."""
    number = int(re.findall(r"\d+", share)[0])
    if share.startswith("under"):
        return 0, number
    if share.startswith("over"):
        return number, 100
    return number - 12.5, number + 12.5


def recounted(rows: pd.DataFrame, mart: str) -> pd.Series:
    """Class of each row in a mart."""
    found = pd.Series("alone", rows.index)
    if mart in SHOWS_COUNTRIES:
        found[rows.is_other] = "other"
    if mart.endswith("_hourly"):
        found[~rows.is_hour] = "rest_of_day"
    found[~rows.is_published] = "withheld"
    return found


@pytest.mark.parametrize("by", PERIODS)
@pytest.mark.parametrize("mart", MARTS)
def test_shares_are_those_of_a_recount(
    demo: Demo, silver: dict[str, pd.DataFrame], mart: str, by: str
) -> None:
    """Each class of each period, to the step that its rows allow."""
    table, scope = MARTS[mart]
    rows = silver[table][scope(silver[table])]
    explanation = explain(demo.home, mart, by)
    starts = rows.day.dt.to_period("M" if by == "month" else "D").dt.start_time
    assert [p.start for p in explanation.periods] == sorted(start.date() for start in set(starts))
    classes = recounted(rows, mart)
    for period in explanation.periods:
        here = classes[starts.dt.date == period.start]
        shares = {kind: 100 * (here == kind).mean() for kind in ("alone", *explanation.rules)}
        assert set(here) <= set(shares)
        if period.shares is None:
            assert len(here) < 400
            continue
        assert set(period.shares) == set(shares)
        for kind, percent in shares.items():
            least, greatest = as_range(period.shares[kind])
            step = min(s for s in (1, 5, 10, 25) if len(here) * s >= 10_000)
            assert least <= percent <= greatest, (kind, percent, period.shares)
            if not period.shares[kind].startswith(("under", "over")):
                assert abs(percent - int(period.shares[kind].rstrip("%"))) <= step / 2


def test_cells_and_nulls_are_those_of_gold(demo: Demo) -> None:
    """How many rows a mart has, and which share of them hides a column: what gold itself says."""
    with duckdb.connect(str(demo.home.warehouse), read_only=True) as warehouse:
        for mart, described in read_marts().items():
            rows = warehouse.execute(f"select * from gold.{mart}").df()
            explanation = explain(demo.home, mart)
            assert sum(period.cells for period in explanation.periods) == len(rows)
            starts = rows[described.start].dt.to_period("M").dt.start_time.dt.date
            for period in explanation.periods:
                of_period = rows[starts == period.start]
                for column, percent in period.null_columns.items():
                    assert percent == pytest.approx(100 * of_period[column].isna().mean(), abs=0.5)
            if "subjects" in rows and rows["subjects"].isna().any():
                assert "subjects" in explanation.columns


def test_every_mart_about_people_can_be_explained(demo: Demo) -> None:
    """From the yml alone: no list of marts is kept anywhere."""
    described = [
        model
        for path in (PROJECT / "models" / "gold").rglob("*.yml")
        for model in yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
    ]
    others = {m["name"] for m in described if m["config"].get("meta", {}).get("about")}
    explained = set(read_marts()) | MADE_OF_OTHERS | WITHOUT_LABELS
    assert explained == {model["name"] for model in described} - others
    for name in others:
        with pytest.raises(AssayError, match="about operations"):
            explain(demo.home, name)
    for name in MADE_OF_OTHERS:
        with pytest.raises(AssayError, match="only figures that are made of others"):
            explain(demo.home, name)
    for name in read_marts():
        assert explain(demo.home, name).periods, name
    assert (thresholds()["k"], thresholds()["safe_rows"]) == (K, SAFE_ROWS)


def test_it_names_no_hidden_cell(demo: Demo, silver: dict[str, pd.DataFrame]) -> None:
    """No domain, country, method or code is in what is said, and no number of hidden rows."""
    values = {
        str(value)
        for table, keys in SAFE_KEYS.items()
        for column in [*keys, "country"]
        for value in silver[table][column].unique()
    } - {"none", "unknown", "field", "success", "error"}
    values = {value for value in values if len(value) > 2}
    assert len(values) > 20
    for mart in read_marts():
        for by in PERIODS:
            explanation = explain(demo.home, mart, by)
            said = "\n".join(as_lines(explanation, by)).removeprefix(explanation.mart)
            # Words of the marts' own names and rules may be names of fields.
            shown = said.split("\n\n")[1]
            assert [v for v in values if re.search(rf"\b{re.escape(v)}\b", shown)] == []
            rest = re.sub(
                r"\d{4}-\d{2}(-\d{2})?|\d+%|\d+ shown|\bunder 10\b|[\d,]+ to \d+", "", shown
            )
            rest = re.sub(r"1,000 or more|p\d\d_|_p\d\d\b|_over_\d\d|_7d\b", "", rest)
            assert not re.search(r"\d", rest), rest


def test_an_answer_stands_for_many_counts() -> None:
    """Whatever the total: each share is that of at least half of `safe_rows` counts."""
    seed = secrets.randbelow(2**32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    for total in [
        400,
        999,
        1000,
        2000,
        9999,
        10_000,
        *(dice.randrange(400, 60_000) for _ in "1234"),
    ]:
        answers: dict[str | None, int] = {}
        for rows in range(total + 1):
            answers[rounded(rows, total)] = answers.get(rounded(rows, total), 0) + 1
        assert min(answers.values()) >= SAFE_ROWS / 2, (total, answers)
    for total in (0, 1, 10, 399):
        assert rounded(total, total) is None
    assert [band(n) for n in (0, 9, 10, 99, 100, 999, 1000)] == [
        *["under 10"] * 2,
        *["10 to 99"] * 2,
        *["100 to 999"] * 2,
        "1,000 or more",
    ]


def test_periods_can_be_chosen_but_not_cut(demo: Demo) -> None:
    """From and to choose among whole periods, so that no two answers can be subtracted."""
    days = explain(demo.home, "attempts_daily", "day").periods
    chosen = explain(demo.home, "attempts_daily", "day", days[1].start, days[2].start).periods
    assert chosen == days[1:3]
    (month,) = explain(demo.home, "attempts_daily").periods
    assert explain(demo.home, "attempts_daily", "month", last=days[1].start).periods == [month]
    assert explain(demo.home, "attempts_daily", "month", first=days[1].start).periods == []


def test_a_mart_that_is_not_there_is_answered_with_those_there_are(demo: Demo) -> None:
    with pytest.raises(AssayError, match=r"^No mart logins\. There are: active_players, admin_"):
        explain(demo.home, "logins")


def test_a_mart_that_is_not_built_is_one_line(home: Home) -> None:
    with pytest.raises(AssayError, match=r"^No warehouse in .*\. Run: dbt build$"):
        explain(home, "attempts_daily")
    duckdb.connect(str(home.warehouse)).close()
    with pytest.raises(AssayError, match=r"is not built yet in .*\. Run: assay refresh$"):
        explain(home, "attempts_daily")


def test_the_command(demo: Demo) -> None:
    """In words and as an object, with the rules that apply."""
    assay = Path(sys.executable).with_name("assay")
    command = [str(assay), "explain-suppression", "attempts_hourly", "--home", str(demo.home.path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "in the rest of the day: in the daily mart only" in said
    assert "fewer than 10 people and fewer than 100 rows" in said
    found = json.loads(
        subprocess.run([*command, "--json"], capture_output=True, text=True, check=True).stdout
    )
    assert found["fact"] == "int_access__published_attempts"
    assert set(found["periods"][0]["shares"]) == {"alone", "other", "rest_of_day", "withheld"}
