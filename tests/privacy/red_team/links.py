"""Linkability: two marts that say which of their rows are of the same people."""

from __future__ import annotations

from collections import defaultdict

from red_team.attacks import LINKABILITY, Finding, attack
from red_team.gold import OF_COMPANIES, Gold, K, looks_hashed, real_gold, sabotaged


@attack(
    "R12",
    LINKABILITY,
    on="pseudonyms in gold, gold_restricted and silver",
    real=real_gold,
    sabotage="the restricted mart has the pseudonym of silver",
    twin=sabotaged("""
        create or replace view gold_restricted.top_contributors as
        select * replace (people.user_key as contributor)
        from demo.gold_restricted.top_contributors
        inner join (
            select user_key, row_number() over (order by user_key) as contributor_rank
            from (select distinct user_key from silver.int_engagement__contributions)
        ) as people using (contributor_rank)
    """),
)
def a_pseudonym_is_in_two_tables(gold: Gold) -> Finding:
    """Join rows that stand for one person with any other table in which their pseudonym is."""
    columns = gold.rows(
        "select table_schema || '.' || table_name, column_name from information_schema.columns "
        "where table_catalog = 'warehouse' and data_type = 'VARCHAR' "
        f"and column_name != '{OF_COMPANIES}' and (table_schema like 'gold%' "
        "or (table_schema = 'silver' and ends_with(column_name, '_key')))"
    )
    mine: dict[tuple[str, str], list[str]] = {}
    by_table: dict[str, list[str]] = defaultdict(list)
    for table, column in columns:
        by_table[table].append(column)
        if table.startswith("gold"):
            sql = f"select distinct {column} from {table} where {looks_hashed(column)}"
            if values := [value for (value,) in gold.rows(sql)]:
                mine[table, column] = values
    shared = [
        other
        for (table, column), values in mine.items()
        for other, keys in by_table.items()
        if holds(gold, other, [key for key in keys if (other, key) != (table, column)], values)
    ]
    people = len(set().union(*mine.values()))
    said = f"{len(shared)} tables share one with {len(mine)} columns of gold ({people} people)"
    return Finding(bool(shared), said)


def holds(gold: Gold, table: str, columns: list[str], values: list[str]) -> bool:
    """Whether any of the values is in any of the columns of a table."""
    found = " or ".join(f"{column} in (from wanted)" for column in columns) or "false"
    sql = f"with wanted as (select unnest($1::varchar[])) select exists(from {table} where {found})"
    return bool(gold.connection.execute(sql, [values]).fetchall()[0][0])


BY_COUNTRY = "domain, action, status, error_code, country"


@attack(
    "R5",
    LINKABILITY,
    on="attempts by country: of days less hours, of metrics less hours",
    real=real_gold,
    sabotage="metrics merge the countries of an hour anew",
    twin=sabotaged(f"""
        create or replace view gold.metric_time_series as
        select
            'attempts' as metric_name, 'hour' as granularity, 'country' as dimension,
            date_trunc('hour', attempted_at) as period_start, country as dimension_value,
            count(*) as value
        from silver.stg_access__attempts
        group by all
        having count(distinct subject_key) >= {K}
    """),
)
def two_marts_merge_differently(gold: Gold) -> Finding:
    """Subtract a country in one mart from the same in another: what is left is what one hides."""
    days = gold.rows(f"""
        select daily.attempts - coalesce(hours.attempts, 0)
        from gold.attempts_daily as daily left join (
            select
                cast(period_start as date) as period_start, {BY_COUNTRY}, sum(attempts) as attempts
            from gold.attempts_hourly group by all
        ) as hours using (period_start, {BY_COUNTRY})
        where country != 'Other'
    """)
    metrics = gold.rows("""
        select metrics.value - coalesce(hours.attempts, 0)
        from gold.metric_time_series as metrics left join (
            select period_start, country, sum(attempts) as attempts
            from gold.attempts_hourly group by all
        ) as hours
            on metrics.period_start = hours.period_start
                and metrics.dimension_value = hours.country
        where metrics.metric_name = 'attempts' and metrics.granularity = 'hour'
            and metrics.dimension = 'country' and metrics.dimension_value != 'Other'
    """)
    left = [abs(number) for (number,) in [*days, *metrics]]
    few = sum(0 < number < K for number in left)
    return Finding(few > 0, f"{len(left)} pairs, {sum(map(bool, left))} differ, {few} by 1 to 9")
