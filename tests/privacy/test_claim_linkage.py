"""R12: rows that stand for claims can be joined to nothing that says more of one of them.

Neither by a pseudonym, of which no other mart has one, nor by all that two marts have in common:
every row could then be any of k rows of the other. Twins that share one value more are linked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import duckdb
import pandas as pd
import pytest
from conftest import Demo

K = 10
LABELS = (
    "claim_type",
    "amount_bucket",
    "currency",
    "region",
    "hour_band",
    "day_of_week",
    "gen_level",
)
PSEUDONYM = re.compile(r"v\d+:[0-9a-f]{64}")
LINKING = {
    "a pseudonym": "claim_key",
    "an exact time of processing": "processing_time_ms",
    "an exact score": "fraud_score",
    "an exact time": "occurred_at",
}


@pytest.fixture(scope="module")
def warehouse(demo: Demo) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(demo.home.warehouse), read_only=True) as connection:
        yield connection


def rows_linked(one: pd.DataFrame, other: pd.DataFrame) -> int:
    """Rows of one that fewer than k rows of the other agree with in all that both have."""
    shared = [column for column in one if column in other and column != "updated_at"]
    assert len(shared) > 5
    candidates = other.groupby(shared).size().rename("candidates").reset_index()
    found = one.merge(candidates, on=shared)["candidates"]
    assert len(found) > 0
    return int((found < K).sum())


def test_no_row_is_linked(warehouse: duckdb.DuckDBPyConnection) -> None:
    events = warehouse.sql(
        "select * from gold_restricted.claim_events where event_type = 'claim_submitted'"
    ).df()
    examples = warehouse.sql("from gold_restricted.fraud_training_set").df()
    assert rows_linked(events, examples) == rows_linked(examples, events) == 0


@pytest.mark.parametrize("what", LINKING)
def test_twins_that_share_more_are_linked(warehouse: duckdb.DuckDBPyConnection, what: str) -> None:
    labels = ", ".join(f"told.{label}" for label in LABELS)
    one, other = (
        warehouse.sql(
            f"select {labels}, {told}, claims.{LINKING[what]} as shared "
            "from silver.int_claims__generalized_claims as told "
            "join silver.int_claims__claims as claims using (claim_key) where is_published"
        ).df()
        for told in ("told.age_band", "told.is_fraud")
    )
    assert rows_linked(one, other) > len(one) / 2


def pseudonyms(connection: duckdb.DuckDBPyConnection) -> dict[str, set[str]]:
    """Every pseudonym and hash of gold, by schema, mart and column."""
    columns = connection.execute(
        "select table_schema || '.' || table_name, column_name from information_schema.columns "
        "where table_schema like 'gold%' and data_type = 'VARCHAR'"
    ).fetchall()
    found = {}
    for table, column in columns:
        values = {v for (v,) in connection.sql(f"select distinct {column} from {table}").fetchall()}
        hashed = {value for value in values if value and PSEUDONYM.fullmatch(value)}
        if hashed:
            found[f"{table}.{column}"] = hashed
    return found


def test_no_pseudonym_is_in_two_marts(warehouse: duckdb.DuckDBPyConnection) -> None:
    found = pseudonyms(warehouse)
    restricted = {name for name in found if name.startswith("gold_restricted.")}
    assert {name.split(".")[1] for name in restricted} >= {"claim_events", "fraud_training_set"}
    assert any(not name.startswith("gold_restricted.") for name in found), "partners in gold"
    twice = {(a, b) for a in restricted for b in found if a != b and found[a] & found[b]}
    assert twice == set()
