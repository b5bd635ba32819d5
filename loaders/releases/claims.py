"""What the public is told of claims: which rows are counted, and in which cells."""

from __future__ import annotations

import csv
import itertools

from loaders.project import PROJECT

# The one place that knows silver: who claimed what, where and when.
CLAIMS = """
    select
        subject_key as person, claim_type, lower(country) as region,
        cast(submitted_at as date) as claimed_on
    from silver.int_claims__claims
"""
RELATION = "silver.int_claims__claims"


def public_cells(residency: str) -> list[tuple[str, str]]:
    """Every claim type in every region of a residency. A seed says which, and no data does."""
    with (PROJECT / "seeds" / "public_claim_keys.csv").open(encoding="utf-8", newline="") as file:
        keys = [row for row in csv.DictReader(file) if row["residency"] in (residency, "any")]
    types, regions = (
        sorted(row["value"] for row in keys if row["dimension"] == dimension)
        for dimension in ("claim_type", "region")
    )
    return list(itertools.product(types, regions))
