"""The marts of games say what plain Python adds up from the demo's files, to the minor unit."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, time, timedelta
from typing import Any

import duckdb
import pytest
from conftest import Demo
from second_gaming import LENGTHS, Games, local_day

K = 10


@pytest.fixture(scope="module")
def warehouse(demo: Demo) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str(demo.home.warehouse), read_only=True)


@pytest.fixture(scope="module")
def games(demo: Demo) -> Games:
    return Games(demo.home.path / "demo")


def rows_of(warehouse: duckdb.DuckDBPyConnection, question: str) -> list[dict[str, Any]]:
    found = warehouse.execute(question)
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def money(sums: dict[str, int], bonus: int) -> dict[str, int | float | None]:
    """The columns of money, as they are defined."""
    ggr = sums["stake"] - sums["win"]
    return {
        **{f"{name}_minor": sums[name] for name in ("stake", "win", "commission")},
        "jackpot_contribution_minor": sums["jackpot_contribution"],
        "ggr_minor": ggr,
        "ngr_minor": ggr - bonus - sums["jackpot_contribution"] - sums["commission"],
        "rtp": sums["win"] / sums["stake"] if sums["stake"] else None,
    }


def test_every_span_of_the_time_series(games: Games, warehouse: duckdb.DuckDBPyConnection) -> None:
    rows = rows_of(warehouse, "from gold.gaming_time_series where bets is not null")
    for row in rows:
        length, cell = LENGTHS[row["granularity"]], (row["brand"], row["region"], row["currency"])
        bets, sums = games.played(
            row["ts"],
            length,
            lambda bet, cell=cell: (bet.brand, bet.region, bet.currency) == cell,  # type: ignore[misc]
        )
        bonus = games.bonus("consumed", row["ts"], length, row["brand"], row["currency"])
        issued = games.bonus("issued", row["ts"], length, row["brand"], row["currency"])
        assert row["region"] != "Other", "a brand of the demo has one region"
        assert row["bets"] == len(bets)
        assert row["active_players"] == len({bet.player for bet in bets})
        assert (row["bonus_minor"], row["bonus_issued_minor"]) == (bonus, issued)
        assert {name: row[name] for name in money(sums, bonus)} == money(sums, bonus)
    told = {g: sum(1 for row in rows if row["granularity"] == g) for g in LENGTHS}
    print(told)
    assert all(told.values()), "the tournament is told by the minute"


def test_every_day_is_told(games: Games, warehouse: duckdb.DuckDBPyConnection) -> None:
    """With ten players or more, of whom nobody stakes more than half."""
    stakes: dict[tuple[Any, ...], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for bet in games.bets:
        if bet.state == "settled":
            cell = (bet.at.date(), bet.brand, bet.currency)
            stakes[cell][bet.player] += bet.amounts["stake"]
    expected = {
        cell
        for cell, players in stakes.items()
        if len(players) >= K and 2 * max(players.values()) <= sum(players.values())
    }
    rows = warehouse.execute(
        "select cast(ts as date), brand, currency from gold.gaming_time_series "
        "where granularity = '1d' and bets is not null"
    ).fetchall()
    assert set(rows) == expected
    assert len(expected) > 10


def test_what_is_left_of_a_span_is_nobody_or_enough(
    games: Games, warehouse: duckdb.DuckDBPyConnection
) -> None:
    """A longer span is its told shorter ones and a rest: of no bet, or of ten players."""
    told: dict[str, dict[tuple[str, str], set[datetime]]] = {g: defaultdict(set) for g in LENGTHS}
    for row in rows_of(warehouse, "from gold.gaming_time_series where bets is not null"):
        told[row["granularity"]][row["brand"], row["currency"]].add(row["ts"])
    rests = 0
    for longer, shorter in (("1d", "1h"), ("1h", "5m"), ("5m", "1m")):
        for (brand, currency), starts in told[longer].items():
            for start in starts:
                bets, _ = games.played(
                    start,
                    LENGTHS[longer],
                    lambda bet, cell=(brand, currency): (bet.brand, bet.currency) == cell,  # type: ignore[misc]
                )
                finer = told[shorter][brand, currency]
                rest = {bet.player for bet in bets if not _in_any(bet.at, finer, LENGTHS[shorter])}
                assert not rest or len(rest) >= K, (longer, brand, currency)
                rests += bool(rest)
    assert rests > 10


def _in_any(at: datetime, starts: set[datetime], length: timedelta) -> bool:
    return any(start <= at < start + length for start in starts)


def test_games_and_providers(games: Games, warehouse: duckdb.DuckDBPyConnection) -> None:
    """A game that is told is told whole, and all games of a day are the day."""
    rows = rows_of(warehouse, "from gold.game_performance_daily")
    totals: dict[tuple[Any, ...], int] = defaultdict(int)
    for row in rows:
        start = datetime.combine(row["period_start"], time())
        totals[start, row["brand"], row["currency"]] += row["ggr_minor"]
        if row["game_id"] == "Other":
            continue
        if row["game_id"] == "none":
            bonus = games.bonus("consumed", start, LENGTHS["1d"], row["brand"], row["currency"])
            assert (row["bets"], row["bonus_minor"], row["ngr_minor"]) == (0, bonus, -bonus)
            continue
        cell = (row["brand"], row["currency"], row["game_id"])
        bets, sums = games.played(
            start,
            LENGTHS["1d"],
            lambda bet, cell=cell: (bet.brand, bet.currency, bet.game) == cell,  # type: ignore[misc]
        )
        assert row["bets"] == len(bets)
        assert row["bonus_minor"] == 0
        assert {name: row[name] for name in money(sums, 0)} == money(sums, 0)
    assert len({row["game_id"] for row in rows}) > 3
    for (start, brand, currency), ggr in totals.items():
        _, sums = games.played(
            start,
            LENGTHS["1d"],
            lambda bet, cell=(brand, currency): (bet.brand, bet.currency) == cell,  # type: ignore[misc]
        )
        assert ggr == sums["stake"] - sums["win"]
    service = rows_of(warehouse, "from gold.provider_service_daily where game_id != 'Other'")
    for row in service:
        day = datetime.combine(row["period_start"], time())
        placed = [
            bet
            for bet in games.bets
            if (bet.brand, bet.game) == (row["brand"], row["game_id"])
            and day <= bet.at < day + LENGTHS["1d"]
        ]
        currencies = {
            currency for start, brand, currency in totals if (start, brand) == (day, row["brand"])
        }
        if {bet.currency for bet in placed} <= currencies and len(currencies) == 1:
            minutes = {bet.at.replace(second=0, microsecond=0) for bet in placed}
            assert row["bets_placed"] == len(placed)
            assert row["minutes_without_bet"] == 1440 - len(minutes)


def test_payment_steps(games: Games, warehouse: duckdb.DuckDBPyConnection) -> None:
    """Over all methods of a brand and day: each payment that may be told is told once."""
    rows = rows_of(
        warehouse,
        "select period_start, brand, cast(sum(payments) as int64) as payments "
        "from gold.payment_funnel_daily where step = 1 group by all",
    )
    for row in rows:
        begun: dict[str, list[Any]] = defaultdict(list)
        for payment in games.payments:
            if (payment.at.date(), payment.brand) == (row["period_start"], row["brand"]):
                begun[payment.currency].append(payment)
        told = [p for c in begun.values() if len({p.player for p in c}) >= K for p in c]
        assert row["payments"] == len(told)
    assert len(rows) > 10
    days = rows_of(
        warehouse,
        "from gold.gaming_time_series where granularity = '1d' and deposits_success is not null",
    )
    for row in days:
        states = [
            payment.is_captured
            for payment in games.payments
            if payment.at.date() == row["ts"].date()
            and (payment.brand, payment.currency) == (row["brand"], row["currency"])
            and (payment.is_captured or payment.status == "failed")
        ]
        assert row["deposits_success"] == pytest.approx(sum(states) / len(states))
    assert len(days) > 10


def test_active_players(games: Games, warehouse: duckdb.DuckDBPyConnection) -> None:
    """New ones and others are told apart, and each told where they are ten."""
    days: dict[tuple[Any, ...], set[str]] = defaultdict(set)
    for brand, player, at in games.active():
        days[brand, at.date()].add(player)
    first: dict[tuple[str, str], Any] = {}
    for (brand, day), players in sorted(days.items(), key=lambda item: item[0][1]):
        for player in players:
            first.setdefault((brand, player), day)
    shown: dict[tuple[Any, ...], set[str]] = {}
    for (brand, day), players in days.items():
        new = {player for player in players if first[brand, player] == day}
        parts = [part for part in (new, players - new) if len(part) >= K]
        shown[brand, day] = set().union(*parts)
    rows = rows_of(warehouse, "from gold.active_players where period = 'day'")
    for row in rows:
        brand, day = row["brand"], row["period_start"]
        assert row["dau"] == len(shown[brand, day])
        for column, length in (("wau_rolling_7d", 7), ("mau_rolling_30d", 30)):
            window = [shown.get((brand, day - timedelta(days=n)), set()) for n in range(length)]
            assert row[column] == len(set().union(*window))
    assert {(row["brand"], row["period_start"]) for row in rows} == {
        cell for cell, players in shown.items() if players
    }


def test_retention(games: Games, warehouse: duckdb.DuckDBPyConnection) -> None:
    """On days of the brand's zone; null where those who came back, or did not, are too few."""
    active = {(brand, player, local_day(at, brand)) for brand, player, at in games.active()}
    last = max(at for _, _, at in games.active())
    rows = rows_of(warehouse, "from gold.retention_cohorts")
    cohorts = games.cohorts()
    known = min(event["at"] for event in games.events).date()
    expected = {key for key, members in cohorts.items() if len(members) >= K and key[2] >= known}
    assert {(r["cohort_kind"], r["brand"], r["cohort_date"]) for r in rows} == expected
    for row in rows:
        brand = row["brand"]
        members = cohorts[row["cohort_kind"], brand, row["cohort_date"]]
        on = row["cohort_date"] + timedelta(days=row["day"])
        back = sum((brand, player, on) in active for player in members)
        is_mature = on < local_day(last, brand)
        may_be_told = back in (0, len(members)) or K <= back <= len(members) - K
        assert row["size"] == len(members)
        assert row["is_mature"] == is_mature
        assert row["returned"] == (back if is_mature and may_be_told else None)
    assert sum(row["returned"] is not None for row in rows) > 2


def test_lifetime_value(games: Games, warehouse: duckdb.DuckDBPyConnection) -> None:
    """What is told is what all members paid in until then, less what they got back."""
    rows = rows_of(warehouse, "from gold.ltv_cohorts where net_deposits_minor is not null")
    moved: dict[tuple[str, str, str], list[tuple[Any, int]]] = defaultdict(list)
    net = warehouse.execute(
        "select currency, sum(net_minor) from silver.int_gaming__deposits group by 1"
    )
    for payment in games.payments:
        place = (payment.brand, payment.player, payment.currency)
        if payment.is_captured:
            moved[place].append(
                (local_day(payment.steps["captured"], payment.brand), payment.amount)
            )
    for event in games.events:
        payload = event["payload"]
        place = (event["brand"], event["player"], payload.get("currency", ""))
        day = local_day(event["at"], event["brand"])
        if event["type"] == "wallet.debit" and payload.get("reason") == "withdrawal":
            moved[place].append((day, -payload["amount_minor"]))
        if event["type"] == "payment.refunded":
            for payment in games.payments:  # none where it has no rate
                is_same = (payment.brand, payment.player) == place[:2]
                if is_same and payment.is_captured and payment.steps.get("refunded") == event["at"]:
                    amount = payload.get("amount_minor", payment.amount)
                    moved[place[0], place[1], payment.currency].append((day, -amount))
    cohorts = games.cohorts()
    for row in rows:
        members = [
            (brand, player)
            for (kind, brand, day), players in cohorts.items()
            if (kind, day) == (row["cohort_kind"], row["cohort_date"])
            for player in players
        ]
        until = row["cohort_date"] + timedelta(days=row["day"])
        paid = sum(
            amount
            for brand, player in members
            for day, amount in moved[brand, player, row["currency"]]
            if row["cohort_date"] <= day <= until
        )
        assert row["size"] == len(members)
        assert row["net_deposits_minor"] == paid
        assert row["ltv_minor"] == pytest.approx(paid / len(members))
    assert rows
    assert dict(net.fetchall()).keys() >= {row["currency"] for row in rows}
