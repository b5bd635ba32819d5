"""How much may be told: `public_release` among the variables of dbt_project.yml."""

from __future__ import annotations

from dataclasses import dataclass

import yaml

from loaders.project import PROJECT


@dataclass(frozen=True, slots=True)
class Policy:
    """The budget and the bounds of a release.

    `yearly_epsilon` is what all releases about one calendar year may spend, `cells_per_person` in
    how many cells of a release one person counts, `delta` the chance that BigQuery's clause may
    take to tell of a rare person, `confidence` that of the interval.
    """

    epsilon: float
    yearly_epsilon: float
    cells_per_person: int
    delta: float
    confidence: float


def read_policy() -> Policy:
    document = yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))
    return Policy(**document["vars"]["public_release"])
