"""Singling out: a row, a value or a hash that is one person's."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from pathlib import Path

import duckdb
from conftest import PROJECT

from loaders.home import bronze_reader
from red_team.attacks import SINGLING_OUT, Finding, Scene, attack
from red_team.gold import (
    NAIVE_FACT,
    Cells,
    Gold,
    K,
    naive_mart,
    real_gold,
    sabotaged,
)

ENUMERATED = 1_000_000
FEW = 20  # ids tried with every word as a salt or a key
FUNCTIONS = ("md5", "sha1", "sha256")
DOMAINS = (
    *("engagement.user_id", "restricted.top_contributors", "gold.partner_id"),
    *("fraud.customer_id", "gold.fraud_cohorts"),
)


@dataclass(frozen=True)
class Hashes:
    """What looks like a hash in gold and in silver, and the words that anybody can read."""

    found: set[str]
    ids: list[str]
    words: list[str]


def hashes_of(scene: Scene) -> Hashes:
    gold = real_gold(scene)
    columns = gold.rows(
        "select table_schema || '.' || table_name, column_name from information_schema.columns "
        "where table_catalog = 'warehouse' and data_type = 'VARCHAR' and (table_schema in "
        "('gold', 'gold_restricted') and not contains(column_name, 'dimension') "
        "or starts_with(table_name, 'stg_') and ends_with(column_name, '_key'))"
    )
    found = set()
    for table, column in columns:
        for (value,) in gold.rows(
            f"select distinct regexp_extract({column}, '[0-9a-f]{{32,128}}$') from {table} "
            f"where {column} is not null"
        ):
            found.add(value)
    return Hashes(found - {""}, known_ids(scene), public_words())


def plain_hashes(scene: Scene) -> Hashes:
    """Whoever is a contributor under SHA-256 and a salt that is in the code."""
    real = hashes_of(scene)
    salted = {hashlib.sha256(f"top_contributors{one}".encode()).hexdigest() for one in real.ids}
    return Hashes(salted, real.ids, real.words)


def known_ids(scene: Scene) -> list[str]:
    """The raw ids themselves: the attacker is given all of them."""
    with bronze_reader(
        scene.demo.home, "platform_events", "claim_events", "fraud_decisions"
    ) as bronze:
        return [
            value
            for (value,) in bronze.execute(
                "select user_id from bronze.platform_events where user_id is not null "
                "union select partner_id from bronze.claim_events where partner_id is not null "
                "union select unnest([customer_id, device_id, merchant_id]) "
                "from bronze.fraud_decisions"
            ).fetchall()
        ]


def public_words() -> list[str]:
    """Every word of the code that makes pseudonyms, and of the project's own files."""
    folders = [PROJECT / "macros" / "privacy", PROJECT / "loaders" / "vault"]
    files = [file for folder in folders for file in folder.rglob("*.*") if file.suffix != ".pyc"]
    files += [PROJECT / "dbt_project.yml", PROJECT / "profiles.yml", PROJECT / "pyproject.toml"]
    words = {word for file in files for word in re.findall(r"[\w.-]{2,}", text_of(file))}
    return sorted(words | set(DOMAINS) | {"", "salt", "secret", "eu", "us", "v1:"})


def text_of(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace")


@attack(
    "R1",
    SINGLING_OUT,
    on="every hash in gold, gold_restricted and staging",
    real=hashes_of,
    sabotage="SHA-256 with a salt that is in the code",
    twin=plain_hashes,
)
def a_dictionary_of_ids(hashes: Hashes) -> Finding:
    """Hash all ids there are and a million more like them, with every word of the code as salt."""
    shapes = sorted({re.sub(r"\d+$", "", one) for one in hashes.ids})
    chosen = hashes.ids[:FEW]
    recovered = set()
    with duckdb.connect() as connection:
        connection.execute("create table found (hash varchar)")
        connection.execute("insert into found select unnest($1::varchar[])", [list(hashes.found)])
        known = ("select unnest($1::varchar[]) as id", [hashes.ids])
        like = (
            f"select shape || n as id from (select unnest($1::varchar[]) as shape), "
            f"range({ENUMERATED // len(shapes) + 1}) as numbers(n)",
            [shapes],
        )
        salted = (
            "with salts as (select unnest($1::varchar[]) as salt), ids as "
            "(select unnest($2::varchar[]) as id) select salt || id as id from salts, ids "
            "union all select id || salt from salts, ids "
            "union all select salt || chr(31) || id from salts, ids",
            [hashes.words, chosen],
        )
        tried = 0
        for sql, given in (known, like, salted):
            connection.execute(f"create or replace table ids as {sql}", given)
            for text in ("id", "upper(id)"):
                for function in FUNCTIONS:
                    tried += connection.execute("select count(*) from ids").fetchall()[0][0]
                    recovered |= set(
                        connection.execute(
                            f"select id from ids where {function}({text}) in (from found)"
                        ).fetchall()
                    )
    for word in hashes.words:
        for domain in DOMAINS:
            for one in chosen[:3]:
                message = f"{domain}\x1f{one}".encode()
                tried += 1
                if hmac.new(word.encode(), message, hashlib.sha256).hexdigest() in hashes.found:
                    recovered.add((one,))
    said = f"{len(recovered)} recovered of {len(hashes.found)} hashes, {tried:,} tried"
    return Finding(bool(recovered), said)


@attack(
    "R14",
    SINGLING_OUT,
    on="every cell of the marts that count rows of a fact",
    real=real_gold,
    sabotage="labels are raw, and a cell needs ten rows instead of people",
    twin=sabotaged(NAIVE_FACT, naive_mart("count(*) >= 10")),
)
def one_sender_fills_a_cell(gold: Gold) -> Finding:
    """Ten rows look like ten people, and are of fewer: recount everybody behind each cell."""
    small = sum(gold.number(f"select count(*) from ({few_people(cells)})") for cells in gold.cells)
    told = sum(
        gold.number(f"select count(*) from {cells.mart} as mart where {cells.mart_where}")
        for cells in gold.cells
    )
    return Finding(small > 0, f"{small} of {told} cells in {len(gold.cells)} marts")


def few_people(cells: Cells) -> str:
    """Query for cells of a mart that have rows enough, and too few people."""
    keys = ", ".join(cells.keys.values())
    same = " and ".join(f"mart.{m} is not distinct from small.{f}" for m, f in cells.keys.items())
    return f"""
        select mart.* from {cells.mart} as mart inner join (
            select {keys} from {cells.fact} where {cells.fact_where} group by {keys}
            having count(*) >= {K} and {cells.is_small}
        ) as small on {same} where {cells.mart_where}
    """


# Marts with percentiles of response times, and how many people each needs.
TIMES = ["gold.attempts_daily", "gold.attempts_hourly", "gold.response_times_daily"]
PERCENTILES = {"p50_ms": K, "p95_ms": 50, "p99_ms": 50}


@attack(
    "R16",
    SINGLING_OUT,
    on="response times of attempts",
    real=real_gold,
    sabotage="the slowest answer instead of the 99th percentile",
    twin=sabotaged("""
        create or replace view gold.response_times_daily as
        select
            attempted_on as period_start, country, action, median(duration_ns) / 1e6 as p50_ms,
            quantile_cont(duration_ns, 0.95) / 1e6 as p95_ms, max(duration_ns) / 1e6 as p99_ms
        from silver.int_access__published_attempts
        where is_published and status != 'test'
        group by all
    """),
)
def an_extreme_is_one_persons(gold: Gold) -> Finding:
    """A column that is the least or the largest value of its cells is one person's value in each.

    Or a percentile is told of fewer people than it needs.
    """
    extremes, few, told = [], 0, 0
    for mart in TIMES:
        cells = gold.cells_of(mart)
        keys = ", ".join(cells.keys.values())
        same = " and ".join(f"mart.{m} = members.{f}" for m, f in cells.keys.items())
        joined = f"""
            from {mart} as mart inner join (
                select
                    {keys}, min(duration_ns) / 1e6 as least, max(duration_ns) / 1e6 as most,
                    count(distinct {cells.subject}) as people, count(*) as row_count
                from {cells.fact} where {cells.fact_where} and duration_ns is not null
                group by {keys} having count(*) >= 2
            ) as members on {same}
        """
        for column, minimum in PERCENTILES.items():
            extreme = f"abs(mart.{column} - least) <= 0.5 or abs(mart.{column} - most) <= 0.5"
            number, of = gold.rows(f"select count(*) filter ({extreme}), count({column}) {joined}")[
                0
            ]
            told += of
            if of and number > 0.9 * of:
                extremes.append(f"{mart}.{column}")
            few += gold.number(
                f"select count(*) {joined} where {column} is not null "
                f"and people < {minimum} and row_count < 100"
            )
    said = f"{told} percentiles, {few} of too few people; columns of extremes: {extremes or 'none'}"
    return Finding(bool(extremes or few), said)
