"""The answer key of the demo's games, recomputed from the files alone."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import PROJECT

from loaders.demo import write_demo
from loaders.demo.gaming_moves import MARKETS

END = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("demo")
    write_demo(made, 20_000, 7, END)
    return made


@pytest.fixture(scope="module")
def key(folder: Path) -> dict[str, Any]:
    text = (folder / "answer_key.json").read_text(encoding="utf-8")
    return dict(json.loads(text)["platform_events"]["games"])


@pytest.fixture(scope="module")
def events(folder: Path) -> pd.DataFrame:
    """What the game servers sent and is to be accepted, each event once, a column per field."""
    lines = (folder / "platform_events-02.jsonl").read_text(encoding="utf-8").splitlines()
    sent = pd.DataFrame(map(json.loads, lines))
    sent = sent[~sent["event_id"].str.startswith("refused")].drop_duplicates("event_id")
    sent = sent.reset_index(drop=True)
    at = pd.to_datetime(sent["occurred_at"], utc=True)
    brand = sent["tenant_id"].str.lower()
    return sent.assign(at=at, brand=brand).join(pd.json_normalize(sent["payload"].tolist()))


@pytest.fixture(scope="module")
def settled(events: pd.DataFrame) -> pd.DataFrame:
    """Bets as they were last settled and never voided, with what was said when they were placed."""
    of_type = {kind: rows for kind, rows in events.groupby("event_type")}
    last = of_type["bet.settled"].sort_values("at").drop_duplicates("bet_id", keep="last")
    last = last[~last["bet_id"].isin(of_type["bet.voided"]["bet_id"])]
    placed = of_type["bet.placed"].set_index("bet_id")[["currency", "game_id"]]
    return last.drop(columns=["currency", "game_id"]).join(placed, on="bet_id")


def test_sums_by_brand_currency_and_day(key: dict[str, Any], settled: pd.DataFrame) -> None:
    found = settled.groupby(["brand", "currency", settled["at"].dt.date.astype(str)])
    sums = found[["stake_minor", "win_minor", "jackpot_contribution_minor"]].sum().astype(int)
    players = found["player_id"].nunique()
    missing = sums.index.difference(
        [(b, c, day) for b, x in key["sums"].items() for c, days in x.items() for day in days]
    )
    first = settled["at"].min().date().isoformat()
    assert list(missing) == [("play", "KWD", first), *missing[missing.get_level_values(1) == "PTS"]]
    for (brand, currency, day), row in sums.drop(missing).iterrows():
        figures = key["sums"][brand][currency][day]
        assert row.to_dict() == {name: figures[name] for name in row.index}
        assert players[brand, currency, day] == figures["players"]


def test_states_of_bets(key: dict[str, Any], events: pd.DataFrame, settled: pd.DataFrame) -> None:
    """All that is in no state is quarantined."""
    types = events["event_type"]
    voided = events.loc[types == "bet.voided", "bet_id"].nunique()
    assert key["bets"]["voided"] == voided > 0
    assert 0 < key["bets"]["open"] < key["bets"]["settled"] < len(settled)
    assert set(key["quarantined"]) == {"currency_unknown", "fx_rate_missing"}


def test_last_status_of_payments(key: dict[str, Any], events: pd.DataFrame) -> None:
    paid = events[events["event_type"].str.startswith("payment.")].sort_values("at")
    currencies = paid.groupby("payment_id")["currency"].first()
    last = paid.drop_duplicates("payment_id", keep="last").set_index("payment_id")
    first_days = paid.groupby("payment_id")["at"].min().dt.date
    is_rated = (currencies != "KWD") | (first_days != events["at"].min().date())
    statuses = last.loc[is_rated, "event_type"].str.removeprefix("payment.")
    assert statuses.value_counts().to_dict() == key["payments"]
    parts = paid[paid["event_type"] == "payment.refunded"]["amount_minor"]
    assert parts.isna().any()
    assert parts.notna().any()


def test_every_minute_of_the_tournament_is_busy(key: dict[str, Any], settled: pd.DataFrame) -> None:
    """More than ten people of one game in each; elsewhere no minute is so."""
    planted = key["tournament"]
    of_game = settled[(settled["game_id"] == planted["game_id"]) & (settled["currency"] == "EUR")]
    people = of_game.groupby(of_game["at"].dt.floor("min"))["player_id"].nunique()
    begins = pd.Timestamp(planted["begins"])
    minutes = pd.date_range(begins, periods=planted["minutes"], freq="min")
    assert set(people[people > 10].index) == set(minutes)


def test_one_game_and_one_player_stand_out(settled: pd.DataFrame) -> None:
    games = settled["game_id"].value_counts()
    assert games.iloc[0] > 2 * games.iloc[1]
    assert games.index[0] == "golden_reef"
    players = settled["player_id"].value_counts()
    assert players.index[0] == "player-4"
    assert players.iloc[0] > 3 * players.iloc[1]


def test_rates_land_for_each_day_but_one(folder: Path, key: dict[str, Any]) -> None:
    with (folder / "fx_rates-01.csv").open(encoding="utf-8", newline="") as file:
        rates = [(row["rate_date"], row["currency"]) for row in csv.DictReader(file)]
    days = {day for day, _ in rates}
    every = {(day, currency) for day in days for currency in ("JPY", "KWD", "TRY")}
    first = min(day for days in key["sums"]["play"].values() for day in days)
    assert every - set(rates) == {(first, "KWD")}
    assert len(rates) == len(set(rates)) == key["rates"]


def test_the_demo_knows_its_brands_as_the_seed_does() -> None:
    with (PROJECT / "seeds" / "brands.csv").open(encoding="utf-8", newline="") as file:
        seed = {
            (row["brand"], row["time_zone"], int(row["session_minutes"]))
            for row in csv.DictReader(file)
        }
    assert {(m.brand, m.time_zone, m.session_minutes) for m in MARKETS} == seed
