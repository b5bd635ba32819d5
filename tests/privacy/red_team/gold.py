"""The demo's gold as an attacker reads it, and what a judge knows who sees silver beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import duckdb
from conftest import Demo

from loaders.home import connect, quote
from red_team.attacks import Scene

K, SAFE_ROWS = 10, 100  # design.md, rule 5
# A hash of a company is the same in all marts: docs/claims.md.
OF_COMPANIES = "partner_id_hash"
# So is one of a merchant, or of a device that k people share, in its mart: docs/fraud.md.
OF_NOBODY = {OF_COMPANIES, "value_hash"}
ATTEMPTS = "silver.int_access__published_attempts"


@dataclass(frozen=True)
class Cells:
    """A mart, and the rows of its fact that each of its cells is made of.

    `keys` maps columns of the mart to columns of the fact.
    """

    mart: str
    fact: str
    keys: Mapping[str, str]
    subject: str
    fact_where: str
    mart_where: str = "true"
    category: str | None = None
    is_safe: bool = False

    @property
    def is_small(self) -> str:
        """Condition over rows of a cell: so few people that nobody may be told of it."""
        if not self.is_safe:
            return f"count(distinct {self.subject}) < {K}"
        other = f"any_value({self.keys[self.category]}) = 'Other'" if self.category else "true"
        return f"count(distinct {self.subject}) < {K} and not (count(*) >= {SAFE_ROWS} and {other})"


@dataclass(frozen=True)
class Gold:
    """A connection that sees schemas gold, gold_restricted and silver, and what is known of them.

    Every table is a view on the demo's, so that a twin can put another one in its place.
    """

    connection: duckdb.DuckDBPyConnection
    scene: Scene
    cells: list[Cells] = field(default_factory=list)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()

    def number(self, sql: str) -> int:
        return int(self.rows(sql)[0][0] or 0)

    def cells_of(self, mart: str) -> Cells:
        return next(cells for cells in self.cells if cells.mart == mart)


def real_gold(scene: Scene) -> Gold:
    """The demo's, as it was built."""
    connection = connect()
    connection.execute(
        f"attach {quote(str(scene.demo.home.warehouse))} as demo (read_only);"
        "attach ':memory:' as warehouse; use warehouse;"
        "create type float64 as double; create type bytes as blob;"
        "create schema gold; create schema gold_restricted; create schema silver"
    )
    tables = connection.execute(
        "select schema_name, table_name from duckdb_tables() where database_name = 'demo' union "
        "select schema_name, view_name from duckdb_views() where database_name = 'demo'"
    ).fetchall()
    for schema, name in tables:
        if schema in ("gold", "gold_restricted", "silver"):
            connection.execute(f"create view {schema}.{name} as from demo.{schema}.{name}")
    return Gold(connection, scene, described_cells(scene.demo))


def sabotaged(*statements: str) -> Callable[[Scene], Gold]:
    """Makes a twin, in which SQL has put other tables in the place of the demo's."""

    def twin(scene: Scene) -> Gold:
        gold = real_gold(scene)
        for statement in statements:
            gold.connection.execute(statement)
        return gold

    return twin


# The twin of whoever thinks that leaving out small rows is enough: no labels, rows are counted.
NAIVE_FACT = f"""
    create or replace view {ATTEMPTS} as
    select
        event_id, batch_id, cast(attempted_at as date) as attempted_on,
        date_trunc('hour', attempted_at) as published_hour, domain, action, status, error_code,
        field, country, true as is_published, false as is_safe_cell, subject_key, fp_key,
        email_domain, duration_ns, current_timestamp::timestamp as labelled_at
    from silver.stg_access__attempts
"""


def naive_mart(having: str) -> str:
    return f"""
        create or replace view gold.attempts_daily as
        select
            attempted_on as period_start, domain, action, status, error_code, country,
            count(*) as attempts, count(*) filter (status = 'error') as errors
        from {ATTEMPTS}
        group by all
        having {having}
    """


def looks_hashed(column: str) -> str:
    """Condition over a column of text: the value is a hash, or a pseudonym."""
    return f"regexp_full_match({column}, '(v\\d+:)?[0-9a-f]{{32,128}}')"


def nodes_of(demo: Demo) -> dict[str, Any]:
    """Models of the manifest with which the demo was built, as compiled for a first build."""
    path = demo.home.path / "target" / "manifest.json"
    nodes = json.loads(path.read_text(encoding="utf-8"))["nodes"]
    return {node["name"]: node for node in nodes.values() if node["resource_type"] == "model"}


def described_cells(demo: Demo) -> list[Cells]:
    """What the marts say they are made of, in their tests; not those of hashed or derived keys.

    Of marts with periods of several lengths, the days.
    """
    path = demo.home.path / "target" / "manifest.json"
    nodes = json.loads(path.read_text(encoding="utf-8"))["nodes"]
    found = []
    for node in nodes.values():
        said = node.get("test_metadata") or {}
        given = said.get("kwargs", {})
        if said.get("name") != "k_anonymous" or "fact" not in given or "hashed" in given:
            continue
        periods = given.get("periods", {})
        if "told" in periods:
            continue
        where = given.get("fact_where", "is_published" if periods else "true")
        mart = nodes[node["attached_node"]]
        found.append(
            Cells(
                mart=f"{mart['schema']}.{mart['name']}",
                fact=f"silver.{given['fact'].split(chr(39))[1]}",
                keys=given["keys"] | ({"period_start": periods["day"]} if periods else {}),
                subject=given["subject"],
                fact_where=where,
                mart_where="period = 'day'" if periods else given.get("mart_where", "true"),
                category=given.get("category"),
                is_safe="safe_rows" in given,
            )
        )
    return found
