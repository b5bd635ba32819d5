"""Releases: figures for the public, with noise that is drawn once.

A release is a batch of bronze `public_claim_releases`, written all at once and never changed. The
same rows are the book of what was spent: a figure cannot be published without its epsilon being
booked, and nothing that dbt builds, drops or refreshes touches either. One process of a home draws
at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from loaders import audit, bronze
from loaders.audit.rights import refuse_denied
from loaders.gold.warehouse import reading
from loaders.home import Home, build_command, quote
from loaders.landing.batches import PIPELINE_VERSION
from loaders.leases import leased
from loaders.releases.budget import refuse_over_budget
from loaders.releases.claims import RELATION, public_cells
from loaders.releases.errors import CLOSED, UNLIKE, ReleaseError
from loaders.releases.figures import Figures, draw
from loaders.releases.policy import Policy, read_policy
from loaders.releases.quarters import Quarter

TABLE = "public_claim_releases"
REPORT = "public_claim_report"


@dataclass(frozen=True, slots=True)
class Release:
    """A release as it stands in bronze, and whether this call made it."""

    release_id: str
    epsilon: float
    rows: list[dict[str, Any]]
    is_new: bool


def release(home: Home, quarter: Quarter, epsilon: float | None = None) -> Release:
    """The release of a quarter, drawn if there is none yet.

    Raises ReleaseError, or PermissionDenied.
    """
    refuse_denied(home, "release")
    policy = read_policy()
    with leased(home.path / "releases"):
        bronze.recover(home)  # what a killed process committed is a release
        found = _released(home, quarter)
        if found:
            if epsilon not in (None, found[0]["epsilon"]):
                raise ReleaseError(
                    UNLIKE,
                    f"{quarter} was released with epsilon {found[0]['epsilon']}, which never "
                    "changes. Leave --epsilon out to see it.",
                )
            return Release(_id(quarter), found[0]["epsilon"], found, is_new=False)
        epsilon = policy.epsilon if epsilon is None else epsilon
        refuse_over_budget(home, TABLE, policy, quarter, epsilon)
        figures = _drawn(home, policy, quarter, epsilon)
        rows = _rows(home, quarter, policy, figures)
        audit.append(
            home,
            "release",
            query_params={"report": REPORT, "period": str(quarter), "epsilon": epsilon},
            export_size=len(rows),
            lineage={"data_source": RELATION, "output": TABLE},
        )
        bronze.write_rows(home, TABLE, _batch(quarter), rows)
    return Release(_id(quarter), epsilon, _released(home, quarter), is_new=True)


def _drawn(home: Home, policy: Policy, quarter: Quarter, epsilon: float) -> Figures:
    with reading(home) as warehouse:
        if not {RELATION, "main.last_build"} <= warehouse.tables():
            raise ReleaseError(CLOSED, f"There is no {RELATION} yet. Run: {build_command(home)}")
        builds = warehouse.query("select max(started_at) as newest from main.last_build")
        newest = builds.to_pylist()[0]["newest"]
        if newest is None or newest.replace(tzinfo=UTC) < quarter.end_instant:
            raise ReleaseError(
                CLOSED, f"{quarter} was not over when silver was last built. Build after its end."
            )
        return draw(
            warehouse, policy, quarter, epsilon, public_cells(home.residency), bool(home.bigquery)
        )


def _rows(home: Home, quarter: Quarter, policy: Policy, figures: Figures) -> list[dict[str, Any]]:
    """One row per public cell, empty ones and those that the engine kept back included."""
    now = datetime.now(UTC)
    shared = {
        "release_id": _id(quarter),
        "period_start": quarter.first,
        "epsilon": figures.epsilon,
        "delta": figures.delta,
        "noise_scale": figures.scale,
        "cells_per_person": policy.cells_per_person,
        "mechanism": figures.mechanism,
        "released_at": now,
        "ingested_at": now,
        "batch_id": _batch(quarter),
        "source_system": "assay",
        "pipeline_version": PIPELINE_VERSION,
    }
    rows = []
    for claim_type, region in public_cells(home.residency):
        value = figures.values.get((claim_type, region))
        around = (None, None) if value is None else (value - figures.margin, value + figures.margin)
        rows.append(
            shared
            | {"claim_type": claim_type, "region": region, "claimants": value}
            | {"lower_bound": around[0], "upper_bound": around[1]}
        )
    return rows


def _released(home: Home, quarter: Quarter) -> list[dict[str, Any]]:
    sql = f"""
        select
            release_id, period_start, claim_type, region, claimants, lower_bound, upper_bound,
            epsilon, delta, noise_scale, cells_per_person, mechanism, released_at
        from bronze.{TABLE}
        where release_id = {quote(_id(quarter))}
        order by claim_type, region
    """
    return list(bronze.query(home, [TABLE], sql).to_pylist())


def _id(quarter: Quarter) -> str:
    return f"{REPORT}/{quarter}"


def _batch(quarter: Quarter) -> str:
    """The same for every draw of a quarter: a second one could not stand beside the first."""
    return f"{REPORT}-{quarter}"
