"""Demo events of games: a few days of play at three brands, in four currencies.

Planted, each with its figures in the answer key:

- currencies of two, three and no decimal places, whose rates land from a file of their own; one has
  no rate on the first day, and one bet is in a currency that nobody knows;
- bets that are voided before or after they are settled, settled twice, a day late or not yet;
- payments that fail, wait or are refunded, in part or in whole; withdrawals; bonus play;
- a tournament: on one evening people play one game in every minute of a quarter of an hour;
- one game that is played far more than the others, and in another market than the tournament one
  player who plays far more;
- sessions too short to count as activity, and what responsible gaming reports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import numpy as np

from loaders.demo.gaming_books import Books, Rates
from loaders.demo.gaming_moves import (
    GAMES,
    MARKETS,
    Floor,
    Market,
    Player,
    Step,
    bet,
    bonus,
    payment,
    protection,
    registration,
    session,
    withdrawal,
)

EVENTS_PER_VISIT = 66  # of `attempts`; a visit to the games
VISITS_PER_PLAYER = 2
MIN_DAYS, EVENTS_PER_DAY = 5, 57_600
OPENS, CLOSES, PEAK, SPREAD = 6.0, 22.0, 18.0, 3.0  # hours of a day, UTC

REGISTERED_SHARE = 0.5  # of the players, at their first visit; the others were there before
LOOK_IN_SHARE, DEPOSIT_SHARE, BONUS_SHARE, WITHDRAWAL_SHARE = 0.05, 0.7, 0.25, 0.1
DEVICES = {"mobile": 0.7, "desktop": 0.3}

HEAVY_ROUNDS = 40
TOURNAMENT_DAYS_AGO, TOURNAMENT_AT, TOURNAMENT_MINUTES = 2, time(19), 15
ENTRANTS, EVENTS_PER_ENTRANT = 18, 2_000
NO_RATE = "KWD"  # on the first day
UNKNOWN_CURRENCY = "PTS"
TOURNAMENT_GAME = next(iter(GAMES))

Story = Callable[[Floor, Player, datetime], Iterator[Step]]


def days_of_play(events: int, end: datetime) -> list[date]:
    """The last days before `end`."""
    days = max(MIN_DAYS, -(-events // EVENTS_PER_DAY))
    return [(end - timedelta(days=ago)).date() for ago in range(days, 0, -1)]


def play(
    rng: np.random.Generator, events: int, end: datetime, rates: Rates
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """All events of the games before `end`, in no order, and their part of the answer key."""
    floor, days = Floor(rng, end, Books(rates)), days_of_play(events, end)
    number_of_visits = max(len(MARKETS), events // EVENTS_PER_VISIT)
    players = _players(floor, max(len(MARKETS), number_of_visits // VISITS_PER_PLAYER))
    heavy, stranger = players[len(MARKETS) - 1], Player("player-0", _unknown_market(), "mobile")
    begins = datetime.combine(days[-TOURNAMENT_DAYS_AGO], TOURNAMENT_AT, UTC)
    of_market = [player for player in players if player.market == MARKETS[0]]
    entrants = of_market[1 : 1 + max(ENTRANTS, events // EVENTS_PER_ENTRANT)]
    visits: list[tuple[datetime, Player, Story]] = [
        *((_moment(rng, days), player, _visit) for player in players),
        *(
            (_moment(rng, days), players[rng.integers(len(players))], _visit)
            for _ in range(number_of_visits - len(players))
        ),
        *((_moment(rng, [day]), heavy, _heavy_visit) for day in days),
        *((begins, player, _tournament) for player in entrants),
        (_moment(rng, days), stranger, _stray_bet),
    ]
    rows = []
    for at, player, story in sorted(visits, key=lambda visit: (visit[0], visit[1].name)):
        rows += [_row(player, step) for step in story(floor, player, at)]
        player.visits += 1
    tournament = {
        "begins": begins.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "minutes": TOURNAMENT_MINUTES,
        "players": len(entrants),
        "game_id": TOURNAMENT_GAME.game_id,
    }
    return rows, floor.books.key() | {"tournament": tournament}


def _players(floor: Floor, number: int) -> list[Player]:
    """Players of every market, in the first places one of each."""
    shares = {market: market.share for market in MARKETS}
    return [
        Player(
            f"player-{place + 1}",
            MARKETS[place] if place < len(MARKETS) else floor.pick(shares),
            floor.pick(DEVICES),
        )
        for place in range(number)
    ]


def _unknown_market() -> Market:
    return MARKETS[0]._replace(currency=UNKNOWN_CURRENCY)


def _moment(rng: np.random.Generator, days: list[date]) -> datetime:
    """A second of one of the days, in the evening rather than in the morning."""
    hour = float(np.clip(rng.normal(PEAK, SPREAD), OPENS, CLOSES))
    midnight = datetime.combine(days[rng.integers(len(days))], time(), UTC)
    return midnight + timedelta(seconds=round(hour * 3600))


def _row(player: Player, step: Step) -> dict[str, Any]:
    at, event_type, payload = step
    return {
        "event_type": event_type,
        "occurred_at": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "user_id": player.name,
        "tenant_id": player.market.tenant,
        "region": player.market.region,
        "payload": payload,
    }


def _visit(floor: Floor, player: Player, at: datetime) -> Iterator[Step]:
    """Somebody comes, pays in perhaps, plays a few rounds and leaves; or only looks in."""
    if player.visits == 0 and floor.happens(REGISTERED_SHARE):
        yield from registration(floor, player, at - timedelta(minutes=1))
    if floor.happens(LOOK_IN_SHARE):
        yield from session(floor, player, at, floor.seconds(20, 200))
        return
    now = at + floor.seconds(20, 60)
    if floor.happens(DEPOSIT_SHARE):
        yield from payment(floor, player, now)
        now += timedelta(minutes=2)
    in_bonus = floor.happens(BONUS_SHARE)
    if in_bonus:
        yield from bonus(floor, player, now)
    for _ in range(int(floor.rng.integers(1, 6))):
        now += floor.seconds(20, 60)
        yield from bet(floor, player, now, floor.pick(GAMES), in_bonus=in_bonus)
    yield from protection(floor, now)
    now += floor.seconds(60, 900)
    if floor.happens(WITHDRAWAL_SHARE):
        yield from withdrawal(floor, player, now)
    yield from session(floor, player, at, now - at)


def _heavy_visit(floor: Floor, player: Player, at: datetime) -> Iterator[Step]:
    """The one who plays far more than the others."""
    length = timedelta(minutes=HEAVY_ROUNDS + 1)
    yield from session(floor, player, at, length)
    for number in range(HEAVY_ROUNDS):
        yield from bet(floor, player, at + timedelta(minutes=number), floor.pick(GAMES))


def _tournament(floor: Floor, player: Player, at: datetime) -> Iterator[Step]:
    """One bet in each minute, which is settled within it."""
    for number in range(TOURNAMENT_MINUTES):
        now = at + timedelta(minutes=number) + floor.seconds(0, 40)
        yield from bet(floor, player, now, TOURNAMENT_GAME, fate="settled")


def _stray_bet(floor: Floor, player: Player, at: datetime) -> Iterator[Step]:
    """A bet in a currency that nobody knows."""
    yield from bet(floor, player, at, TOURNAMENT_GAME, fate="settled")
