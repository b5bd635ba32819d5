"""What the demo's model is given for each decision, with faults in the last two weeks.

Planted, each with its day in the answer key: a feature that drifts from a day on, a day on which
half of the values of another are missing, a day with two words that nobody knows, one of many
decisions and one of few, a day of texts in the place of numbers, and one of numbers that cannot be.
All other features are quiet.
"""

from __future__ import annotations

from typing import Any

import numpy as np

MODES = ("chip", "chip", "chip", "contactless", "online")
DRIFT_FROM, DRIFT = 36, 2.0
NULL_DAY, NULL_SHARE, USUAL_NULLS = 30, 0.5, 0.15
RARE_DAY, COMMON_WORD, RARE_WORD, RARE_DECISIONS = 32, "fallback", "imprinter", 3
TYPE_DAY, RANGE_DAY = 38, 39
EVERY = 8  # of the decisions on a day of a fault: one of so many has it


class Features:
    """Features of decisions by a dice of their own, so that all else of the demo stays as it is."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.Generator(np.random.PCG64([seed, 8]))

    def of(self, day: int, number: int) -> dict[str, Any]:
        """The features of one decision, the `number`-th of its day."""
        rng, is_one = self._rng, number % EVERY == 0
        velocity = float(rng.lognormal(1, 0.5)) * (DRIFT if day >= DRIFT_FROM else 1)
        found: dict[str, Any] = {
            "velocity_24h": round(velocity, 2),
            "entry_mode": MODES[int(rng.integers(0, len(MODES)))],
            "distance_km": round(float(rng.lognormal(3, 1)), 1),
        }
        age = int(rng.integers(0, 2_000))
        if rng.random() >= (NULL_SHARE if day == NULL_DAY else USUAL_NULLS):
            found["device_age_days"] = age
        if is_one and day == RARE_DAY:
            is_common = number >= RARE_DECISIONS * EVERY
            found["entry_mode"] = COMMON_WORD if is_common else RARE_WORD
        if is_one and day == TYPE_DAY:
            found["distance_km"] = f"{found['distance_km']} km"
        if is_one and day == RANGE_DAY:
            found["distance_km"] = -1
        return found

    def planted(self, days: list[str]) -> dict[str, Any]:
        """Their part of the answer key; `days` are those of the demo."""
        return {
            "drift": {"feature": "velocity_24h", "days": days[DRIFT_FROM:]},
            "null_spike": {"feature": "device_age_days", "day": days[NULL_DAY]},
            "rare": {
                "feature": "entry_mode",
                "day": days[RARE_DAY],
                "listed": COMMON_WORD,
                "counted": RARE_WORD,
            },
            "type_violation": {"feature": "distance_km", "day": days[TYPE_DAY]},
            "range_violation": {"feature": "distance_km", "day": days[RANGE_DAY]},
            "every": EVERY,
        }
