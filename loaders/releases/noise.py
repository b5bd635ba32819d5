"""Discrete Laplace noise by OpenDP, which proves the epsilon of what it gives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from loaders.errors import AssayError


@dataclass(frozen=True, slots=True)
class Mechanism:
    """Adds noise to the counts of a release.

    `measurement` is OpenDP's; `margin` is what noise exceeds in the rest of cases only.
    """

    measurement: Any
    scale: float
    margin: int

    def draw(self, counts: Sequence[int]) -> list[int]:
        """One draw of the whole release. Never repeat one: the mean of many is the truth."""
        return list(self.measurement(list(counts)))


def mechanism(cells_per_person: int, epsilon: float, confidence: float) -> Mechanism:
    """Noise for counts that one person changes by at most one each, in so many cells."""
    try:
        import opendp.prelude as dp  # noqa: PLC0415 - an extra
    except ImportError:
        raise AssayError('A release needs OpenDP. Run: pip install "assay-lakehouse[dp]"') from None
    dp.enable_features("contrib")
    space = dp.vector_domain(dp.atom_domain(T=int)), dp.l1_distance(T=int)
    scale = cells_per_person / epsilon
    while (made := dp.m.make_laplace(*space, scale=scale)).map(cells_per_person) > epsilon:
        scale = math.nextafter(scale, math.inf)  # the quotient was rounded down
    margin = math.ceil(dp.discrete_laplacian_scale_to_accuracy(scale=scale, alpha=1 - confidence))
    return Mechanism(made, scale, margin)
