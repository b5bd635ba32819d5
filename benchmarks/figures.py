"""What a benchmark says: rows of figures, each with its spread, what is beside it, and a goal."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of several tries, the lowest and the highest of them."""

    median: float
    low: float
    high: float
    tries: int

    @classmethod
    def of(cls, *figures: float) -> Spread:
        return cls(statistics.median(figures), min(figures), max(figures), len(figures))

    def __str__(self) -> str:
        if self.tries == 1:
            return number(self.median)
        return f"{number(self.median)} ({number(self.low)} to {number(self.high)})"


@dataclass(frozen=True, slots=True)
class Goal:
    """What a median shall be at least, or at most."""

    bound: float
    is_most: bool

    def is_met(self, figure: Spread) -> bool:
        return figure.median <= self.bound if self.is_most else figure.median >= self.bound

    def __str__(self) -> str:
        return f"{'≤' if self.is_most else '≥'} {number(self.bound)}"


def at_most(bound: float) -> Goal:
    return Goal(bound, is_most=True)


def at_least(bound: float) -> Goal:
    return Goal(bound, is_most=False)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    `figure` is what the goal is about: a ratio to what `to` names, or something in a `unit`. A row
    without one says in `measured` why there is none.
    """

    what: str
    measured: str
    figure: Spread | None = None
    unit: str = ""
    to: str = ""
    goal: Goal | None = None
    has_failed: bool = False

    @property
    def is_met(self) -> bool | None:
        """None where there is nothing to meet."""
        return self.goal.is_met(self.figure) if self.goal and self.figure else None

    def __str__(self) -> str:
        figure = f"{self.figure} {self.unit or 'of'} {self.to}".strip() if self.figure else ""
        goal = f"; goal {self.goal}: {'met' if self.is_met else 'NOT MET'}" if self.goal else ""
        return f"{self.what}: {'; '.join(filter(None, (self.measured, figure)))}{goal}"


def ratios(over: list[float], under: list[float]) -> Spread:
    """Each of a turn over the other of it; where there are not as many, over the median of all."""
    if len(over) == len(under):
        return Spread.of(*(a / b for a, b in zip(over, under, strict=True)))
    return Spread.of(*(a / statistics.median(under) for a in over))


def percentile(figures: list[float], share: int) -> float:
    """Interpolated between the two nearest, as `statistics.quantiles` has it."""
    return statistics.quantiles(figures, n=100)[share - 1]


def exponent(sizes: list[float], costs: list[float]) -> float:
    """How cost grows with size, as a power of it: the slope of least squares through the logs."""
    slope, _ = statistics.linear_regression(
        [math.log(size) for size in sizes], [math.log(cost) for cost in costs]
    )
    return slope


def number(figure: float) -> str:
    """Three digits that count, and no more than two behind the point."""
    if figure == 0 or abs(figure) >= 100:
        return f"{figure:,.0f}"
    places = 2 - math.floor(math.log10(abs(figure)))
    text = f"{figure:.{min(places, 2 if abs(figure) >= 0.1 else places)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def as_json(row: Row) -> dict[str, Any]:
    """What is kept of a row."""
    figure = row.figure
    return {
        "what": row.what,
        "measured": row.measured,
        "median": figure and figure.median,
        "low": figure and figure.low,
        "high": figure and figure.high,
        "tries": figure and figure.tries,
        "unit": row.unit,
        "to": row.to,
        "goal": str(row.goal) if row.goal else "",
        "is_met": row.is_met,
        "has_failed": row.has_failed,
    }
