"""Series to judge, and what an independent implementation says of them: numpy and scipy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

MONDAY = datetime(2024, 1, 1)
WINDOW, SPIKE_POINTS, TREND_POINTS = 16, 12, 5
SPIKE_CHANGE, TREND_CHANGE, PEOPLE = 0.2, 0.05, 50

WEEKDAYS = np.array([1.0, 1.05, 1.02, 1.0, 0.95, 0.7, 0.65])
HOURS = 0.15 + 1.7 * np.exp(-(((np.arange(24) - 15) / 5.0) ** 2))
SEASONS = {
    "hour": np.outer(WEEKDAYS, HOURS / HOURS.mean()).ravel() / 24,
    "day": WEEKDAYS,
    "week": np.array([7.0]),
    "month": np.array([30.0]),
}

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Series:
    """A metric's values from a Monday on, without gaps; NaN is a null."""

    name: str
    period: str
    values: Values
    subjects: Values
    is_additive: bool = True
    spike: str = "spike"

    def starts(self) -> list[datetime]:
        """When each period begins."""
        if self.period == "month":
            return [datetime(2000 + n // 12, n % 12 + 1, 1) for n in range(len(self.values))]
        step = {"hour": 1, "day": 24, "week": 168}[self.period]
        return [MONDAY + timedelta(hours=step * n) for n in range(len(self.values))]

    def rows(self) -> list[dict[str, Any]]:
        """Rows of `metrics`."""
        return [
            {
                "name": self.name,
                "category": "tried",
                "period": self.period,
                "period_start": start,
                "value": None if math.isnan(value) else float(value),
                "subjects": int(people),
                "is_complete": True,
                "updated_at": MONDAY,
            }
            for start, value, people in zip(self.starts(), self.values, self.subjects, strict=True)
        ]


def quiet_counts(
    rng: np.random.Generator, period: str, weeks: int, a_day: float, scatter: float
) -> Values:
    """Counts of a business with hours and weekdays: Poisson, its mean scattering on top."""
    mean = np.tile(SEASONS[period] * a_day, weeks)
    if scatter:
        mean = mean * rng.gamma(scatter**-2, scatter**2, mean.shape)
    return rng.poisson(mean).astype(float)


def quiet_rates(rng: np.random.Generator, counts: Values, rate: float) -> Values:
    """A share of these counts, null where there is nothing to divide by."""
    parts = rng.binomial(counts.astype(int), rate)
    return np.divide(parts, counts, out=np.full(counts.shape, np.nan), where=counts > 0)


def quiet_times(rng: np.random.Generator, counts: Values) -> Values:
    """A percentile of response times, surer the more requests there are; null below 10."""
    scatter = np.sqrt(0.02**2 + 1 / np.maximum(counts, 1))
    times = np.round(300 * np.exp(rng.normal(size=counts.shape) * scatter))
    return np.where(counts >= 10, times, np.nan)


@dataclass(frozen=True)
class Judgement:
    """What is said of one period."""

    window_points: int | None
    z_score: float | None
    slope: float | None
    pattern: str | None


def judged(series: Series, last: int) -> list[Judgement]:
    """The last periods of a series judged without SQL, by docs/trends.md."""
    step = len(SEASONS[series.period])
    found = []
    for place in range(len(series.values) - last, len(series.values)):
        past = slice(place % step, place, step)
        window, people = series.values[past][-WINDOW:], series.subjects[past][-WINDOW:]
        found.append(_judgement(series, float(series.values[place]), window, people))
    return found


def _judgement(series: Series, value: float, past: Values, people: Values) -> Judgement:
    is_known = ~np.isnan(past)
    known = past[is_known]
    if math.isnan(value) or not known.size:
        return Judgement(None, None, None, None)
    median, z = float(np.median(known)), _z_score(value, known)
    points = np.append(known, value)
    if len(points) < TREND_POINTS:
        return Judgement(len(known), z, None, None)
    places = np.append(np.flatnonzero(is_known), len(past))
    slope = float(stats.theilslopes(points, places).slope)
    span = known.max() - known.min()
    is_outside = (
        len(known) >= SPIKE_POINTS
        and (series.is_additive or np.median(people[is_known]) >= PEOPLE)
        and abs(value - median) >= SPIKE_CHANGE * abs(median)
        and (value > known.max() + span or value < known.min() - span)
    )
    if z is None and median == 0:
        pattern = None
    elif is_outside and abs(3.5 if z is None else z) >= 3.5:
        pattern = series.spike if value > median else "drop"
    elif _is_steady(points, slope, len(known), median):
        pattern = "up" if slope > 0 else "down"
    else:
        pattern = "flat"
    return Judgement(len(known), z, slope, pattern)


def _z_score(value: float, known: Values) -> float | None:
    median = float(np.median(known))
    if deviation := float(stats.median_abs_deviation(known)):
        return 0.6745 * (value - median) / deviation
    if deviation := float(np.mean(np.abs(known - median))):
        return (value - median) / (1.253314 * deviation)
    return 0.0 if value == median else None


def _is_steady(points: Values, slope: float, steps: int, median: float) -> bool:
    """Mann and Kendall's test at 1 in 1,000, and a change that is worth the name."""
    n = len(points)
    rising = np.sign(np.subtract.outer(points, points))[np.tril_indices(n)].sum()
    return bool(
        abs(slope * steps) >= TREND_CHANGE * abs(median)
        and abs(rising) >= 3.3 * math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    )
