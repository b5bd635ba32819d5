"""What players of the demo's games do, each with its events and what they add up to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

import numpy as np

from loaders.demo.gaming_books import Books

LIMIT_SHARE, REMINDER_SHARE = 0.06, 0.15
OUTCOMES = {"captured": 0.8, "failed": 0.08, "intent": 0.05, "refunded": 0.07}  # last status
FATES = {"settled": 0.92, "voided": 0.02, "rolled_back": 0.01, "corrected": 0.01, "late": 0.04}
WINS = {0: 0.55, 1: 0.15, 2: 0.25, 5: 0.05}  # stakes that a bet wins
LATE = timedelta(hours=20)
METHODS = {"card": 0.6, "bank": 0.25, "wallet": 0.15}
LIMITS, REACTIONS = ("deposit", "loss", "session"), ("continue", "stop")


class Market(NamedTuple):
    """A brand in one of its currencies. Zone and minutes are those of the seed `brands`."""

    tenant: str  # as the game servers spell the brand
    brand: str
    currency: str
    share: float  # of the players
    unit: int  # minor units; stakes are 1 to 50 times as much
    region: str
    geo: str
    time_zone: str
    session_minutes: int


MARKETS = (
    Market("Play", "play", "EUR", 0.44, 10, "EU", "DE", "Europe/Berlin", 1),
    Market("lale", "lale", "TRY", 0.22, 203, "EU", "TR", "Europe/Istanbul", 1),
    Market("Hana", "hana", "JPY", 0.18, 17, "EU-West1", "JP", "Asia/Tokyo", 5),
    Market("Play", "play", "KWD", 0.16, 31, "EU", "KW", "Europe/Berlin", 1),
)


class Game(NamedTuple):
    """A game, and what is taken of a stake, in percent."""

    game_id: str
    provider_id: str
    jackpot: int = 0
    commission: int = 0


GAMES = {
    Game("golden_reef", "studio_x"): 0.5,
    Game("night_train", "studio_x"): 0.14,
    Game("mega_wheel", "studio_x", jackpot=1): 0.1,
    Game("blackjack", "studio_y", commission=2): 0.14,
    Game("roulette", "studio_y", commission=2): 0.12,
}
TERSE_PROVIDER = "studio_y"  # says of a settled bet only what is new


@dataclass
class Player:
    """Somebody who plays at one brand in one currency."""

    name: str
    market: Market
    device: str
    visits: int = 0
    rounds: int = 0

    def cell(self, at: datetime) -> tuple[str, str, date]:
        """Where the books take down what this player does."""
        return self.market.brand, self.market.currency, at.date()


Choice = TypeVar("Choice")


@dataclass(frozen=True)
class Floor:
    """Where all play until `end`, and the books of it."""

    rng: np.random.Generator
    end: datetime
    books: Books

    def pick(self, shares: dict[Choice, float]) -> Choice:
        """One of the keys, as often as its share says."""
        return list(shares)[self.rng.choice(len(shares), p=list(shares.values()))]

    def happens(self, share: float) -> bool:
        """Whether what happens to this share happens now."""
        return bool(self.rng.random() < share)

    def seconds(self, fewest: int, most: int) -> timedelta:
        """A while of so many whole seconds."""
        return timedelta(seconds=int(self.rng.integers(fewest, most + 1)))


# Time, type of event, payload.
Step = tuple[datetime, str, dict[str, Any]]


def registration(floor: Floor, player: Player, at: datetime) -> Iterator[Step]:
    """Somebody opens an account."""
    market = player.market
    channel = floor.pick({"search": 0.5, "friend": 0.5})
    told = {"country": market.geo, "currency": market.currency, "channel": channel}
    yield at, "account.registered", told
    floor.books.join("registration", market.brand, player.name, at, market.time_zone)


def session(floor: Floor, player: Player, at: datetime, length: timedelta) -> Iterator[Step]:
    """Somebody plays for a while; whether that counts as activity is for the brand to say."""
    market = player.market
    sent = {
        "session_id": f"{player.name}-{player.visits}",
        "device": player.device,
        "geo": market.geo,
    }
    yield at, "session.started", sent
    yield at + length, "session.ended", sent
    if length >= timedelta(minutes=market.session_minutes):
        floor.books.act(market.brand, player.name, at)


def bet(
    floor: Floor,
    player: Player,
    at: datetime,
    game: Game,
    *,
    in_bonus: bool = False,
    fate: str | None = None,
) -> Iterator[Step]:
    """A bet, and what becomes of it: the books have it as it was last settled."""
    market, books, fate = player.market, floor.books, fate or floor.pick(FATES)
    player.rounds += 1
    stake = int(floor.rng.integers(market.unit, 50 * market.unit))
    bet_id = {"bet_id": f"{player.name}-{player.rounds}"}
    placed = {
        **bet_id,
        "stake_minor": stake,
        "currency": market.currency,
        "in_bonus": in_bonus,
        "game_id": game.game_id,
        "provider_id": game.provider_id,
        "device": player.device,
        "geo": market.geo,
    }
    yield at, "bet.placed", placed
    books.act(market.brand, player.name, at)
    settled_at = at + floor.seconds(3, 15) + (LATE if fate == "late" else timedelta())
    if fate == "voided":
        yield settled_at, "bet.voided", bet_id
        books.counts["bets"]["voided"] += 1
        return
    if settled_at >= floor.end:
        if books.take(player.cell(at), 1):
            books.counts["bets"]["open"] += 1
        return
    settled: dict[str, Any] = bet_id | {"stake_minor": stake}
    if game.provider_id != TERSE_PROVIDER:
        settled |= placed
    settled["win_minor"] = stake * floor.pick(WINS)
    if game.jackpot:
        settled["jackpot_contribution_minor"] = stake * game.jackpot // 100
    if game.commission:
        settled["commission_minor"] = stake * game.commission // 100
    yield settled_at, "bet.settled", settled
    if fate == "rolled_back":
        yield settled_at + timedelta(seconds=30), "bet.voided", bet_id
        books.counts["bets"]["voided"] += 1
        return
    events = 2
    if fate == "corrected":
        events, settled = 3, settled | {"win_minor": settled["win_minor"] + stake}
        yield settled_at + timedelta(seconds=30), "bet.settled", settled
    books.settle(player.cell(settled_at), player.name, events, settled)


def payment(floor: Floor, player: Player, at: datetime) -> Iterator[Step]:
    """Somebody pays in, or tries to; what comes in is booked in the wallet too."""
    market, books, outcome = player.market, floor.books, floor.pick(OUTCOMES)
    method = floor.pick(METHODS)
    amount = 10 * int(floor.rng.integers(10 * market.unit, 100 * market.unit))
    paid = {
        "payment_id": f"{player.name}-{player.visits}",
        "amount_minor": amount,
        "currency": market.currency,
        "method": method,
        "provider_id": f"{method}_pay",
        "device": player.device,
    }
    yield at, "payment.intent", paid
    if outcome == "intent":
        books.pay(player.cell(at), outcome, 1)
        return
    if outcome == "failed":
        yield at + timedelta(seconds=20), "payment.failed", paid
        books.pay(player.cell(at), outcome, 2)
        return
    if method == "card":
        yield at + timedelta(seconds=10), "payment.authorized", paid
    yield at + timedelta(seconds=30), "payment.captured", paid
    events, refunded = (3 if method == "card" else 2), 0
    if outcome == "refunded":
        in_part = floor.happens(0.5)
        refunded = amount // 2 if in_part else amount
        back = {"payment_id": paid["payment_id"]} | ({"amount_minor": refunded} if in_part else {})
        yield at + floor.seconds(1800, 3600), "payment.refunded", back
        events += 1
    booked_at = at + timedelta(seconds=31)
    booked = {"amount_minor": amount, "currency": market.currency, "reason": "deposit"}
    yield (
        booked_at,
        "wallet.credit",
        booked | {"reference_id": paid["payment_id"], "state": "available"},
    )
    books.pay(player.cell(at), outcome, events, captured=amount, refunded=refunded)
    books.take(player.cell(booked_at), 1)
    books.act(market.brand, player.name, booked_at)
    first = at + timedelta(seconds=30)
    books.join("first_deposit", market.brand, player.name, first, market.time_zone)


def withdrawal(floor: Floor, player: Player, at: datetime) -> Iterator[Step]:
    """Somebody has money paid out."""
    amount = int(floor.rng.integers(player.market.unit, 100 * player.market.unit))
    taken = {"amount_minor": amount, "currency": player.market.currency, "reason": "withdrawal"}
    yield at, "wallet.debit", taken | {"state": "available"}
    floor.books.take(player.cell(at), 1, withdrawn=amount)


def bonus(floor: Floor, player: Player, at: datetime) -> Iterator[Step]:
    """A bonus is issued, and most of it is consumed."""
    amount = int(floor.rng.integers(5 * player.market.unit, 50 * player.market.unit))
    used = amount * int(floor.rng.integers(50, 101)) // 100
    given = {"bonus_id": f"{player.name}-{player.visits}", "currency": player.market.currency}
    yield at, "bonus.issued", given | {"amount_minor": amount}
    yield at + timedelta(seconds=15), "bonus.consumed", given | {"amount_minor": used}
    floor.books.take(player.cell(at), 1, bonus_issued=amount)
    floor.books.take(player.cell(at + timedelta(seconds=15)), 1, bonus_consumed=used)


def protection(floor: Floor, at: datetime) -> Iterator[Step]:
    """What responsible gaming reports."""
    if floor.happens(LIMIT_SHARE):
        yield at, "rg.limit.hit", {"limit_kind": LIMITS[floor.rng.integers(len(LIMITS))]}
    if floor.happens(REMINDER_SHARE):
        reaction = REACTIONS[floor.rng.integers(len(REACTIONS))]
        yield at, "rg.reality_check", {"action": reaction}
