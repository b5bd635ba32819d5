"""Google's own SQL engine accepts every card, as it is written for BigQuery.

The marts are as their contracts say. What is refused by `check` without this engine is held against
it here, too: what it lets through, the engine takes.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from planted import plant
from standin.googlesql import Column, Rows, Scope, SqlError, engine
from zetasql.wasi._pb2.zetasql.public.type_pb2 import TypeKind, TypeProto

from loaders.dashboards.check import choices, sql_of, static_problems
from loaders.dashboards.declared import Alert, Card, Dashboard, read_dashboard, read_dashboards
from loaders.dashboards.parameters import Chosen
from loaders.dashboards.sql import Engine
from loaders.gold.marts import columns_of, models_of

NOW = datetime(2026, 6, 1)
BIGQUERY = Engine("bigquery", "some-project.assay_eu_gold")
DASHBOARDS = read_dashboards()


@pytest.fixture(scope="module")
def gold() -> Scope:
    """Every mart, empty, under the name that a query has for it."""
    scope = Scope()
    for mart in models_of("gold"):
        columns = [
            Column(c.name, TypeProto(type_kind=TypeKind.Value(f"TYPE_{_kind(c.data_type)}")))
            for c in columns_of(mart).values()
        ]
        scope.relations[mart] = Rows(columns)
        scope.spellings["some-project", "assay_eu_gold", mart] = mart
    return scope


def _kind(data_type: str) -> str:
    return {"float64": "DOUBLE"}.get(data_type, data_type.upper())


def refused(one: Card | Alert, chosen: dict[str, Chosen], gold: Scope, now: datetime | None) -> str:
    """What Google's engine says against a query, or nothing."""
    sql = sql_of(one, Engine(BIGQUERY.name, BIGQUERY.tables, now), chosen)
    try:
        engine().analyze(sql.encode(), 0, gold)
    except SqlError as error:
        return f"{one.slug}: {error}"
    return ""


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.slug)
def test_every_query_is_accepted_whatever_is_chosen(dashboard: Dashboard, gold: Scope):
    """With the time of now, as Metabase sends it; and with every value that check tries."""
    for one in (*dashboard.cards.values(), *dashboard.alerts.values()):
        for chosen in choices(dashboard, one, NOW):
            assert refused(one, chosen, gold, None) == ""


# What DuckDB takes, and BigQuery does not.
ONLY_DUCKDB = [
    ("cast(sum(attempts) as int64)", "sum(attempts)::int64"),
    ("cast(sum(attempts) as int64)", "list_sum(list(attempts))"),
    ("cast(sum(attempts) as int64)", "sum(attempts) filter (where status = 'error')"),
    ("cast(sum(attempts) as int64)", "cast(sum(attempts) as hugeint)"),
    ("cast(sum(attempts) as int64)", "epoch_ms(max(updated_at))"),
    ("cast(sum(attempts) as int64)", "max(date_trunc('week', period_start))"),
    ("sum(errors) as failed", "sum(errors) as errors"),
]


@pytest.mark.parametrize(("old", "new"), ONLY_DUCKDB)
def test_what_only_duckdb_takes_is_refused(gold: Scope, tmp_path: Path, old: str, new: str):
    """A planted fault: this engine sees it, and so does `check`, which goes without it."""
    dashboard = read_dashboard(plant(tmp_path, old, new))
    queries = [dashboard.cards["total"], dashboard.alerts["storm"]]
    (found,) = [q for q in queries if refused(q, next(choices(dashboard, q, NOW)), gold, NOW)]
    assert [q for q in queries if list(static_problems(dashboard, q))] == [found]
