"""A few models, built by SQLMesh and by dbt: the same SQL and checks, both on one DuckDB.

SQLMesh does not run on the DuckDB of this project, so both are of the peers' environment.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator

import peers
from figures import Row, number, ratios
from gaming import HOME
from measuring import Bench


def section(bench: Bench) -> Iterator[Row]:
    """Rows of what dbt takes beside SQLMesh."""
    files = bench.folder / HOME / "home" / "bronze" / "platform_events" / "ingest_date=2*"
    said = peers.ask(bench, "few_models.py", f"{files}/*.parquet", bench.turns)
    for what, key in (("from nothing", "anew"), ("all of them again", "again")):
        name = f"five models with ten checks, {what}, whole process"
        if isinstance(said, str):
            yield Row(name, said)
            continue
        dbt, sqlmesh = said["dbt"][key], said["sqlmesh"][key]
        yield Row(
            name,
            f"dbt {number(statistics.median(dbt))} s, "
            f"SQLMesh {number(statistics.median(sqlmesh))} s",
            ratios(dbt, sqlmesh),
            to="time of SQLMesh",
        )
