"""An evening at one brand: enough people play and pay for every mart of games to have rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

PLAYERS = 14
STAKE, WIN, DEPOSIT = 200, 350, 500
REEF = {"game_id": "golden_reef", "provider_id": "studio_x", "currency": "EUR", "geo": "DE"}
WHEEL = {**REEF, "game_id": "mega_wheel"}


def evening(day: datetime) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Events of a day, and those of them that land late.

    All look at one challenge, play the reef in one minute and again an hour and a half later, which
    makes it the hub, and the wheel in between. Some bets are settled late, one is voided late, and
    one stays open.
    """
    events = list(_events(day))
    late = [
        event
        for event in events
        if event["event_type"] == "bet.voided"
        or (event["event_type"] == "bet.settled" and event["user_id"] in ("E1", "E2"))
    ]
    return [event for event in events if event not in late], late


def _events(day: datetime) -> Iterator[dict[str, Any]]:
    for number in range(PLAYERS):
        person = f"E{number}"
        yield _event(day, person, 18, 0, "account.registered", {"country": "DE"})
        yield _event(day, person, 18, 30, "challenge.viewed", {"challenge_id": "c-reef"})
        payment = {"payment_id": f"pay-{person}", "amount_minor": DEPOSIT, "currency": "EUR"}
        steps = ("intent", "failed") if number < 2 else ("intent", "authorized", "captured")
        for minute, step in enumerate(steps):
            sent = {**payment, "method": "card", "device": "mobile"}
            yield _event(day, person, 19, minute, f"payment.{step}", sent)
        for hour, minute, game in ((20, 3, REEF), (20, 9, WHEEL), (21, 30, REEF)):
            bet = {**game, "bet_id": f"bet-{person}-{hour}-{minute}", "stake_minor": STAKE}
            bet["device"] = "mobile" if number % 3 else "desktop"
            yield _event(day, person, hour, minute, "bet.placed", bet)
            if (number, hour) == (0, 21):
                continue
            settled = {**bet, "win_minor": WIN * (number % 2), "commission_minor": 1}
            yield _event(day, person, hour, minute, "bet.settled", settled, 20)
        yield _event(day, person, 22, 0, "rg.limit.hit", {"limit_kind": "deposit"})
        again = {"amount_minor": DEPOSIT - 1, "currency": "EUR", "reason": "deposit"}
        yield _event(day + timedelta(days=1), person, 9, 0, "wallet.credit", again)
    yield _event(day, "E3", 23, 0, "bet.voided", {"bet_id": "bet-E3-21-30"})
    bonus = {"bonus_id": "bonus-E4", "amount_minor": 70, "currency": "EUR"}
    yield _event(day, "E4", 20, 3, "bonus.consumed", bonus)


def _event(
    day: datetime,
    person: str,
    hour: int,
    minute: int,
    event_type: str,
    payload: dict[str, Any],
    second: int = 0,
) -> dict[str, Any]:
    at = day.replace(hour=hour, minute=minute, second=second)
    return {
        "event_id": f"evening-{person}-{event_type}-{at:%d-%H%M}",
        "event_type": event_type,
        "occurred_at": at.isoformat(),
        "tenant_id": "play",
        "region": "EU",
        "user_id": person,
        "payload": payload,
    }
