"""Counts of people with noise: by OpenDP where DuckDB counts, by GoogleSQL's own clause there.

The true counts live in this process, or in BigQuery, for the moment of the draw. They are written
nowhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from loaders.gold.warehouse import Warehouse
from loaders.home import quote
from loaders.releases import noise
from loaders.releases.claims import CLAIMS
from loaders.releases.policy import Policy
from loaders.releases.quarters import Quarter

Cell = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Figures:
    """Noisy counts. `margin` is how far they are off at most, with the policy's confidence."""

    values: dict[Cell, int]
    epsilon: float
    delta: float
    scale: float
    margin: int
    mechanism: str


def draw(
    warehouse: Warehouse,
    policy: Policy,
    quarter: Quarter,
    epsilon: float,
    cells: Sequence[Cell],
    by_clause: bool,
) -> Figures:
    """People by public cell, with noise."""
    claims = _claims(quarter, cells)
    if by_clause:
        rows = warehouse.query(clause(claims, policy, epsilon)).to_pylist()
        values = {(row["claim_type"], row["region"]): row["claimants"] for row in rows}
        # Half of epsilon goes to a hidden count of people, by which rare cells are kept back.
        scale = 2 * policy.cells_per_person / epsilon
        margin = math.ceil(scale * math.log(1 / (1 - policy.confidence)))
        return Figures(values, epsilon, policy.delta, scale, margin, "googlesql_laplace")
    rows = warehouse.query(bounded_counts(claims, policy, quarter)).to_pylist()
    true = {(row["claim_type"], row["region"]): row["claimants"] for row in rows}
    mechanism = noise.mechanism(policy.cells_per_person, epsilon, policy.confidence)
    drawn = mechanism.draw([true.get(cell, 0) for cell in cells])
    return Figures(
        dict(zip(cells, drawn, strict=True)),
        epsilon,
        0.0,
        mechanism.scale,
        mechanism.margin,
        "opendp_discrete_laplace",
    )


def _claims(quarter: Quarter, cells: Sequence[Cell]) -> str:
    """Each person once in each public cell."""
    types, regions = (
        ", ".join(map(quote, sorted(set(names)))) for names in zip(*cells, strict=True)
    )
    return f"""
        select distinct person, claim_type, region
        from ({CLAIMS}) as claims
        where
            claimed_on >= date '{quarter.first}' and claimed_on < date '{quarter.end}'
            and person is not null and claim_type in ({types}) and region in ({regions})
    """


def bounded_counts(claims: str, policy: Policy, quarter: Quarter) -> str:
    """True counts, each person in so many cells at most, chosen by a hash."""
    return f"""
        select claim_type, region, count(*) as claimants
        from (
            select *, row_number() over (
                partition by person
                order by md5(concat({quote(str(quarter))}, person, claim_type, region))
            ) as place
            from ({claims}) as claims
        ) as placed
        where place <= {policy.cells_per_person}
        group by claim_type, region
    """


def clause(claims: str, policy: Policy, epsilon: float) -> str:
    """The same on BigQuery, which bounds and adds noise itself."""
    return f"""
        select with differential_privacy
            options (
                epsilon = {epsilon}, delta = {policy.delta:.12f},
                max_groups_contributed = {policy.cells_per_person}, privacy_unit_column = person
            )
            claim_type, region,
            count(*, contribution_bounds_per_group => (0, 1)) as claimants
        from ({claims}) as claims
        group by claim_type, region
    """
