"""The privacy budget: what the releases about a year have spent, and what is left of it."""

from __future__ import annotations

from decimal import Decimal

from loaders import bronze
from loaders.home import Home
from loaders.releases.errors import SPENT, ReleaseError
from loaders.releases.policy import Policy
from loaders.releases.quarters import Quarter

# With less there is nothing in a figure but noise.
LEAST = Decimal("0.01")


def spent(home: Home, table: str, year: int) -> Decimal:
    """Epsilon of all releases about a year: one person may be in each of them."""
    sql = f"""
        select release_id, max(epsilon) as epsilon
        from bronze.{table}
        where extract(year from period_start) = {year}
        group by release_id
    """
    rows = bronze.query(home, [table], sql).to_pylist()
    return sum((_exact(row["epsilon"]) for row in rows), Decimal(0))


def refuse_over_budget(
    home: Home, table: str, policy: Policy, quarter: Quarter, epsilon: float
) -> None:
    """Raise ReleaseError unless the year can afford the release. For who draws alone."""
    left = _exact(policy.yearly_epsilon) - spent(home, table, quarter.year)
    wanted = _exact(epsilon)
    if not wanted.is_finite() or not LEAST <= wanted <= left:
        raise ReleaseError(
            SPENT,
            f"{quarter} asks for epsilon {wanted}. Of the {policy.yearly_epsilon} of "
            f"{quarter.year} {left} is left, and the least is {LEAST}. Ask for something between, "
            "or publish nothing more about that year.",
        )


def _exact(epsilon: float) -> Decimal:
    """As it is written: sums of floats would not be."""
    return Decimal(str(epsilon))
