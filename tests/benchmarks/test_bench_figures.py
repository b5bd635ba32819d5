"""Medians, percentiles, ratios, growth and goals are what one works out by hand."""

from __future__ import annotations

import random

import pytest
from figures import Goal, Row, Spread, at_least, at_most, exponent, number, percentile, ratios


def test_a_spread_has_the_median_between_the_ends():
    """Of an even number it is the middle of two."""
    assert Spread.of(3, 1, 10) == Spread(3, 1, 10, 3)
    assert Spread.of(4, 1, 2, 3).median == 2.5


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 1.1, 2.0])
def test_growth_is_the_power_that_made_it(power: float, dice: random.Random):
    """Whatever the factor before it."""
    factor, sizes = dice.uniform(0.001, 100), [1e4, 1e5, 1e6]
    assert exponent(sizes, [factor * size**power for size in sizes]) == pytest.approx(power)


def test_growth_is_least_squares_through_all_sizes():
    """By hand: logs to base ten are 0, 1, 2 and 0, 0, 3; the slope is (0 + 0 + 3) / 2."""
    assert exponent([1, 10, 100], [1, 1, 1000]) == pytest.approx(1.5)


def test_percentiles_are_ranks_of_one_more():
    """Of 1 to 99, the p-th is p itself."""
    figures = list(map(float, range(1, 100)))
    assert [percentile(figures, p) for p in (5, 50, 95)] == pytest.approx([5, 50, 95])


def test_ratios_are_of_turns_where_each_has_two_sides():
    """Else each stands over the median of the other side."""
    assert ratios([2, 9], [1, 3]) == Spread(2.5, 2, 3, 2)
    assert ratios([8], [1, 2, 40]) == Spread(4, 4, 4, 1)


@pytest.mark.parametrize(
    ("goal", "figure", "is_met"),
    [
        (at_most(2), 2, True),
        (at_most(2), 2.01, False),
        (at_least(2), 2, True),
        (at_least(2), 1, False),
    ],
)
def test_a_goal_is_about_the_median(goal: Goal, figure: float, is_met: bool):
    """And its bound belongs to it."""
    assert Row("what", "", Spread.of(0, figure, 1000), goal=goal).is_met is is_met


def test_without_a_figure_there_is_nothing_to_meet():
    """What was not run is neither met nor missed."""
    assert Row("what", "not run", goal=at_most(1)).is_met is None


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        (1234567.8, "1,234,568"), (99.95, "100"), (12.345, "12.3"), (1.005, "1"), (0.126, "0.13"),
        (0.0123, "0.0123"), (0, "0"), (5.0, "5"), (20.0, "20"), (100.4, "100"),
    ],
)  # fmt: skip
def test_a_number_shows_what_counts(figure: float, text: str):
    """Three digits, and no more than two behind the point unless it is small."""
    assert number(figure) == text
