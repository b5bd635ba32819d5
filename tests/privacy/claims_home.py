"""A home whose silver holds made-up claims and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import duckdb

from loaders.home import Home

Claim = tuple[str | None, str, str, date]  # person, type, region, day

BUILT = "2026-10-02 04:00:00"


def put_claims(home: Home, claims: Sequence[Claim], built: str = BUILT) -> None:
    """Make the relation that a release reads, as a build of that time would."""
    with duckdb.connect(str(home.warehouse)) as warehouse:
        make_claims(warehouse)
        warehouse.executemany(
            "insert into silver.int_claims__claims values (?, ?, upper(?), ?)", claims
        )
        warehouse.execute(f"create table main.last_build as select timestamp '{built}' started_at")


def make_claims(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("create schema silver")
    connection.execute(
        "create table silver.int_claims__claims "
        "(subject_key varchar, claim_type varchar, country varchar, submitted_at timestamp)"
    )


def some_claims(people: int = 90) -> list[Claim]:
    """People of three regions, the first ten with a claim of each type in each of them."""
    day = date(2026, 2, 3)
    types, regions = ("auto", "health", "home"), ("de", "fr", "it")
    claims: list[Claim] = [
        (f"v1:{n}", types[n % 3], regions[n // 3 % 3], day) for n in range(people)
    ]
    for n in range(10):
        claims += [
            (f"v1:{n}", claim_type, region, day) for claim_type in types for region in regions
        ]
    nobody: list[Claim] = [(None, "auto", "de", day), ("v1:1", "boat", "de", day)]
    return [*claims, *nobody, ("v1:1", "auto", "de", date(2026, 4, 1))]
