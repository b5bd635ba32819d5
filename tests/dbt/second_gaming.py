"""The demo's games a second time: plain Python, exact integers, the files as they were sent.

Shares no code with the project, and knows one rule of privacy: what a mart tells of a span, game or
cohort is all that there is of it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

ZONES = {"play": "Europe/Berlin", "lale": "Europe/Istanbul", "hana": "Asia/Tokyo"}
SESSION_MINUTES = {"play": 1, "lale": 1, "hana": 5}
CURRENCIES = {"EUR", "TRY", "JPY", "KWD"}
LENGTHS = {
    "1m": timedelta(minutes=1),
    "5m": timedelta(minutes=5),
    "1h": timedelta(hours=1),
    "1d": timedelta(days=1),
}


@dataclass
class Bet:
    """One bet: of its events the last that settled it, else the one that placed it."""

    brand: str
    region: str
    player: str
    currency: str
    provider: str
    game: str
    device: str
    geo: str
    at: datetime
    state: str
    amounts: dict[str, int]


@dataclass
class Payment:
    """One payment: when each of its steps was last taken."""

    brand: str
    region: str
    player: str
    currency: str
    method: str
    at: datetime
    amount: int
    steps: dict[str, datetime] = field(default_factory=dict)

    @property
    def status(self) -> str:
        return max(self.steps, key=lambda step: self.steps[step])

    @property
    def is_captured(self) -> bool:
        return "captured" in self.steps and self.status != "failed"


class Games:
    """What the demo's files say of games."""

    def __init__(self, folder: Path) -> None:
        self.events = list(_events(folder))
        rates = (folder / "fx_rates-01.csv").read_text(encoding="utf-8").splitlines()[1:]
        self.rated = {(line.split(",")[1], line.split(",")[0]) for line in rates}
        self.bets = [bet for bet in self._bets() if self._converts(bet.currency, bet.at)]
        self.payments = [p for p in self._payments() if self._converts(p.currency, p.at)]
        self.bonuses = [
            event
            for event in self.events
            if event["type"].startswith("bonus.")
            and self._converts(event["payload"]["currency"], event["at"])
        ]
        self.last = max(event["at"] for event in self.events)

    def _converts(self, currency: str, at: datetime) -> bool:
        is_rated = currency == "EUR" or (currency, at.date().isoformat()) in self.rated
        return currency in CURRENCIES and is_rated

    def _bets(self) -> Iterable[Bet]:
        by_id = _grouped(self.events, "bet.", "bet_id")
        for events in by_id.values():
            if any(event["type"] == "bet.voided" for event in events):
                continue
            known = [event for event in events if event["type"] == "bet.settled"]
            last = max(known or events, key=lambda event: (event["at"], event["id"]))
            sent = {k: v for event in events for k, v in event["payload"].items()} | last["payload"]
            names = ("stake", "win", "jackpot_contribution", "commission")
            yield Bet(
                *(last[name] for name in ("brand", "region", "player")),
                *(sent.get(name, "unknown") for name in ("currency", "provider_id", "game_id")),
                *(sent.get(name, "unknown") for name in ("device", "geo")),
                last["at"],
                "settled" if known else "open",
                {name: sent.get(f"{name}_minor", 0) for name in names},
            )

    def _payments(self) -> Iterable[Payment]:
        for events in _grouped(self.events, "payment.", "payment_id").values():
            first = min(events, key=lambda event: event["at"])
            payment = Payment(
                *(first[name] for name in ("brand", "region", "player")),
                first["payload"]["currency"],
                first["payload"]["method"],
                first["at"],
                first["payload"]["amount_minor"],
            )
            for event in sorted(events, key=lambda event: event["at"]):
                payment.steps[event["type"].removeprefix("payment.")] = event["at"]
            yield payment

    def played(
        self, start: datetime, length: timedelta, where: Callable[[Bet], bool]
    ) -> tuple[list[Bet], dict[str, int]]:
        """Settled bets of a span, and what they add up to."""
        bets = [
            bet
            for bet in self.bets
            if bet.state == "settled" and start <= bet.at < start + length and where(bet)
        ]
        sums: dict[str, int] = defaultdict(int)
        for bet in bets:
            for name, amount in bet.amounts.items():
                sums[name] += amount
        return bets, sums

    def bonus(
        self, kind: str, start: datetime, length: timedelta, brand: str, currency: str
    ) -> int:
        """What was issued or consumed of bonuses in a span."""
        return sum(
            event["payload"]["amount_minor"]
            for event in self.bonuses
            if event["type"] == f"bonus.{kind}"
            and start <= event["at"] < start + length
            and (event["brand"], event["payload"]["currency"]) == (brand, currency)
        )

    def active(self) -> set[tuple[str, str, datetime]]:
        """Brand, player and moment of all that makes active."""
        found = set()
        starts: dict[tuple[str, str], dict[str, Any]] = {}
        for event in self.events:
            brand, player, payload = event["brand"], event["player"], event["payload"]
            is_deposit = event["type"] == "wallet.credit" and payload.get("reason") == "deposit"
            if event["type"] == "bet.placed" or is_deposit:
                found.add((brand, player, event["at"]))
            elif event["type"] == "session.started":
                starts[brand, payload["session_id"]] = event
        for event in self.events:
            start = starts.get((event["brand"], event["payload"].get("session_id", "")))
            if event["type"] == "session.ended" and start:
                minutes = timedelta(minutes=SESSION_MINUTES.get(event["brand"], 1))
                if event["at"] - start["at"] >= minutes:
                    found.add((event["brand"], start["player"], start["at"]))
        return found

    def cohorts(self) -> dict[tuple[str, str, date], set[str]]:
        """Members by kind, brand and the day in its zone on which they joined."""
        joined: dict[tuple[str, str, str], datetime] = {}
        for event in self.events:
            payload = event["payload"]
            kind = {"account.registered": "registration", "payment.captured": "first_deposit"}.get(
                event["type"]
            )
            if event["type"] == "wallet.credit" and payload.get("reason") == "deposit":
                kind = "first_deposit"
            if kind:
                member = (kind, event["brand"], event["player"])
                joined[member] = min(event["at"], joined.get(member, event["at"]))
        found = defaultdict(set)
        for (kind, brand, player), at in joined.items():
            found[kind, brand, local_day(at, brand)].add(player)
        return found


def local_day(at: datetime, brand: str) -> date:
    """The day in the brand's zone."""
    return at.replace(tzinfo=UTC).astimezone(ZoneInfo(ZONES.get(brand, "UTC"))).date()


def _events(folder: Path) -> Iterable[dict[str, Any]]:
    seen = set()
    for path in sorted(folder.glob("platform_events-*")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if "player_id" not in row or str(row["event_id"]).startswith("refused"):
                continue
            if row["event_id"] not in seen:
                seen.add(row["event_id"])
                yield {
                    "id": row["event_id"],
                    "type": row["event_type"],
                    "brand": row["tenant_id"].lower(),
                    "region": row["region"].lower().replace("-", "_"),
                    "player": row["player_id"],
                    "at": datetime.fromisoformat(row["occurred_at"]).replace(tzinfo=None),
                    "payload": row["payload"],
                }


def _grouped(
    events: list[dict[str, Any]], prefix: str, name: str
) -> dict[tuple[str, str], list[dict[str, Any]]]:
    found = defaultdict(list)
    for event in events:
        if event["type"].startswith(prefix):
            found[event["brand"], event["payload"][name]].append(event)
    return found
