"""Residencies: where their data may lie, and which regions are theirs, by seeds dbt reads too."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache

from loaders.errors import AssayError
from loaders.project import PROJECT


@dataclass(frozen=True, slots=True)
class Residency:
    """A residency's BigQuery locations; `recovery_location` is None where no copy is allowed."""

    residency: str
    bigquery_location: str
    recovery_location: str | None


def residency_of(name: str) -> Residency:
    """The line of the seed. Raises AssayError where it has none."""
    with (PROJECT / "seeds" / "residencies.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["residency"] == name:
                return Residency(name, row["bigquery_location"], row["recovery_location"] or None)
    raise AssayError(f"seeds/residencies.csv has no residency {name}. Add its locations there.")


@cache
def residency_by_region() -> dict[str, str]:
    """The seed `regions`: {region in small letters: residency}."""
    with (PROJECT / "seeds" / "regions.csv").open(encoding="utf-8", newline="") as file:
        return {row["region"].lower(): row["residency"] for row in csv.DictReader(file)}
