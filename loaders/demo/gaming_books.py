"""What the demo's games add up to: taken down while they are written, in exact decimals."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

# Currencies of the demo: decimal places, and about what one unit is worth in euro.
CURRENCIES = {
    "EUR": (2, Decimal(1)),
    "TRY": (2, Decimal("0.0205")),
    "JPY": (0, Decimal("0.0061")),
    "KWD": (3, Decimal("3.01")),
}
RATES_FILE = "fx_rates-01.csv"
PLACES = Decimal("0.00000001")


@dataclass(frozen=True)
class Rates:
    """What one unit of a currency is worth in euro, by currency and day."""

    by_day: dict[tuple[str, date], Decimal]

    def fault(self, currency: str, day: date) -> str | None:
        """Why an amount cannot be converted, a code of the seed `error_codes`."""
        if currency not in CURRENCIES:
            return "currency_unknown"
        return None if (currency, day) in self.by_day else "fx_rate_missing"

    def in_cents(self, amount: int, currency: str, day: date) -> int:
        """Minor units of a currency in euro cents, rounded half up: no amount is below 0."""
        units = Decimal(amount).scaleb(-CURRENCIES[currency][0])
        cents = units * self.by_day[currency, day] * 100
        return int(cents.quantize(Decimal(1), ROUND_HALF_UP))


def make_rates(rng: np.random.Generator, days: Sequence[date], missing: tuple[str, date]) -> Rates:
    """Rates that move by a few parts in a thousand from day to day, one of them missing."""
    every = {
        (currency, day): (about * Decimal(str(round(1 + rng.normal(0, 0.004), 5)))).quantize(PLACES)
        for currency, (_, about) in CURRENCIES.items()
        for day in (days[0] - timedelta(days=1), *days)
    }
    euro = {(currency, day): Decimal(1) for currency, day in every if currency == "EUR"}
    del every[missing]
    return Rates(every | euro)


def write_rates(folder: Path, rates: Rates) -> int:
    """Write the rates as a file that can be landed. Euro needs none. Returns how many."""
    lines = [
        f"{day},{currency},{rate}\n"
        for (currency, day), rate in sorted(rates.by_day.items(), key=lambda item: item[0][::-1])
        if currency != "EUR"
    ]
    text = "rate_date,currency,rate\n" + "".join(lines)
    (folder / RATES_FILE).write_text(text, encoding="utf-8", newline="\n")
    return len(lines)


@dataclass
class Books:
    """Sums and counts of what facts are to hold.

    `cells` are sums by brand, currency and UTC day: of bets on the day they are settled, of
    payments on the day they begin. `joined` is the day on which somebody first registered or
    deposited, as the brand's time zone has it; `active` is who did something on a UTC day.
    """

    rates: Rates
    cells: dict[tuple[str, str, date], Counter[str]] = field(
        default_factory=lambda: defaultdict(Counter)
    )
    people: dict[tuple[str, str, date], set[str]] = field(default_factory=lambda: defaultdict(set))
    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    active: dict[tuple[str, date], set[str]] = field(default_factory=lambda: defaultdict(set))
    joined: dict[tuple[str, str, str], date] = field(default_factory=dict)

    def take(self, cell: tuple[str, str, date], events: int, **amounts: int) -> bool:
        """Add amounts, in their currency and in euro; where that cannot be, say of how many events.

        Returns whether they were added.
        """
        _, currency, day = cell
        fault = self.rates.fault(currency, day)
        if fault:
            self.counts["quarantined"][fault] += events
            return False
        for name, amount in amounts.items():
            self.cells[cell][f"{name}_minor"] += amount
            self.cells[cell][f"base_{name}_minor"] += self.rates.in_cents(amount, currency, day)
        return True

    def settle(self, cell: tuple[str, str, date], player: str, events: int, bet: Any) -> None:
        """Take down a settled bet, as it was last settled."""
        amounts = ("stake", "win", "jackpot_contribution", "commission")
        if self.take(cell, events, **{name: bet.get(f"{name}_minor", 0) for name in amounts}):
            self.counts["bets"]["settled"] += 1
            self.cells[cell]["bets"] += 1
            self.people[cell].add(player)

    def pay(self, cell: tuple[str, str, date], status: str, events: int, **amounts: int) -> None:
        """Take down a payment on its last status."""
        if self.take(cell, events, **amounts):
            self.counts["payments"][status] += 1

    def act(self, brand: str, player: str, at: datetime) -> None:
        """Take down that somebody was active."""
        self.active[brand, at.date()].add(player)

    def join(self, kind: str, brand: str, player: str, at: datetime, time_zone: str) -> None:
        """Take down the first time that somebody did what makes a member of a cohort."""
        day = at.astimezone(ZoneInfo(time_zone)).date()
        self.joined[kind, brand, player] = min(day, self.joined.get((kind, brand, player), day))

    def key(self) -> dict[str, Any]:
        """The part of the answer key, nested by brand, currency and day."""
        sums: dict[str, dict[str, dict[str, dict[str, int]]]] = {}
        for (brand, currency, day), figures in sorted(self.cells.items()):
            days = sums.setdefault(brand, {}).setdefault(currency, {})
            people = len(self.people[brand, currency, day])
            days[day.isoformat()] = {**dict(sorted(figures.items())), "players": people}
        active: dict[str, dict[str, int]] = {}
        for (brand, day), people_of_day in sorted(self.active.items()):
            active.setdefault(brand, {})[day.isoformat()] = len(people_of_day)
        cohorts: dict[str, dict[str, dict[str, int]]] = {}
        for (kind, brand, _), day in sorted(self.joined.items(), key=lambda item: item[1]):
            members = cohorts.setdefault(kind, {}).setdefault(brand, {})
            members[day.isoformat()] = members.get(day.isoformat(), 0) + 1
        counts = {what: dict(sorted(of_kind.items())) for what, of_kind in self.counts.items()}
        return {**counts, "sums": sums, "active": active, "cohorts": cohorts}
