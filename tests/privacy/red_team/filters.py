"""Singling out with what is published: filters of a reader, down to the last row."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass

import duckdb

from loaders.gold.publish import publish
from loaders.home import Home
from red_team.attacks import SINGLING_OUT, Finding, Scene, attack
from red_team.gold import (
    NAIVE_FACT,
    OF_NOBODY,
    SAFE_ROWS,
    Cells,
    Gold,
    K,
    looks_hashed,
    naive_mart,
    real_gold,
    sabotaged,
)

FILTERS = 60  # tried on each published mart


@dataclass(frozen=True)
class Published:
    """What a reader opens, and the gold that it was made of, by which is judged."""

    tables: set[str]
    hashed: list[str]
    gold: Gold


def published(
    twin: Callable[[Scene], Gold] = real_gold, *also: str
) -> Callable[[Scene], Published]:
    """Publish a copy of the demo's warehouse. The twin's copy has other tables in gold as well."""

    def make(scene: Scene) -> Published:
        home = Home(scene.folder / "published")
        home.path.mkdir()
        demo = scene.demo.home
        for path in (demo.marker, demo.vault, demo.warehouse):
            shutil.copy(path, home.path)
        with duckdb.connect(str(home.warehouse)) as warehouse:
            for table in also:
                name = table.rpartition(".")[2]
                warehouse.execute(f"create table gold.{name} as from {table}")
        publish(home)
        with duckdb.connect(str(home.published_file), read_only=True) as reader:
            columns = reader.execute(
                "select table_name, column_name, data_type from information_schema.columns "
                "where table_schema = 'gold'"
            ).fetchall()
            hashed = [
                f"{table}.{column}"
                for table, column, data_type in columns
                if data_type == "VARCHAR"
                and column not in OF_NOBODY
                and reader.execute(
                    f"select exists(from gold.{table} where {looks_hashed(column)})"
                ).fetchall()[0][0]
            ]
        tables = {table for table, _, _ in columns}
        return Published(tables, hashed, twin(scene))

    return make


@attack(
    "R19",
    SINGLING_OUT,
    on="published.duckdb, by filters on its columns",
    real=published(),
    sabotage="contributors and raw attempts are published",
    twin=published(sabotaged(NAIVE_FACT, naive_mart("true")), "gold_restricted.top_contributors"),
)
def a_filter_makes_a_small_cell(found: Published) -> Finding:
    """Drill down by all columns that a reader has, to a row or a filter of 1 to 9 people."""
    in_gold = [cells for cells in found.gold.cells if cells.mart.startswith("gold.")]
    assert found.tables >= {cells.mart.removeprefix("gold.") for cells in in_gold}
    filtered = small_filters(found.gold)
    said = f"{len(found.tables)} marts, {len(found.hashed)} columns of pseudonyms, {filtered.said}"
    return Finding(filtered.succeeded or bool(found.hashed), said)


def small_filters(gold: Gold) -> Finding:
    """Which of some filters on each mart leave fewer than k people, by what is behind them."""
    dice = gold.scene.dice
    small = tried = 0
    for cells in gold.cells:
        behind = people_behind(gold, cells)
        rows = list(behind)
        for _ in range(FILTERS if rows else 0):
            wanted = dice.choice(rows)
            kept = dice.sample(range(len(wanted)), dice.randint(1, len(wanted)))
            left = [row for row in rows if all(row[place] == wanted[place] for place in kept)]
            tried += 1
            rows_left = sum(behind[row][0] for row in left)
            who = [behind[row][1] for row in left]
            is_storm = cells.is_safe and rows_left >= SAFE_ROWS
            small += rows_left > 0 and len(set().union(*who)) < K and not is_storm
    return Finding(small > 0, f"{small} of {tried} filters leave 1 to {K - 1} people")


def people_behind(gold: Gold, cells: Cells) -> dict[tuple[object, ...], tuple[int, set[str]]]:
    """Rows and people of the fact behind each row of a mart."""
    told = ", ".join(f"mart.{column}" for column in cells.keys)
    same = " and ".join(f"mart.{m} is not distinct from fact.{f}" for m, f in cells.keys.items())
    found = gold.rows(
        f"select {told}, count(*), list(distinct {cells.subject}) from {cells.mart} as mart "
        f"inner join (from {cells.fact} where {cells.fact_where}) as fact on {same} "
        f"where {cells.mart_where} group by {told}"
    )
    return {tuple(cell): (rows, {*people} - {None}) for *cell, rows, people in found}
