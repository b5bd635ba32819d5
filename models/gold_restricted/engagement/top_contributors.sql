{{ config(materialized='table') }}

with

contributions as (

    select * from {{ ref('int_engagement__contributions') }}
    where points is not null and user_key is not null

),

bands as (

    select * from {{ ref('amount_buckets') }}

),

earned as (

    select
        user_key,
        {{ month_start(utc_day('occurred_at')) }} as period_start,
        sum(points) as points
    from contributions
    group by user_key, {{ month_start(utc_day('occurred_at')) }}

),

-- Among few people, the first of them is known.
ranked as (

    select
        *,
        rank() over (partition by period_start order by points desc) as contributor_rank,
        count(*) over (partition by period_start) as people
    from earned

),

best as (

    select
        ranked.period_start,
        ranked.contributor_rank,
        ranked.user_key,
        bands.label as points_band
    from ranked
    inner join bands on {{ bucket('ranked.points', 'bands', 'points') }}
    where
        ranked.people >= {{ var('k') }}
        and ranked.points > 0
        and ranked.contributor_rank <= {{ var('top_contributors') }}

),

months as (

    select
        period_start,
        contributor_rank,
        {{ pseudonymize('user_key', 'restricted.top_contributors') }} as contributor,
        points_band,
        {{ now_utc() }} as updated_at
    from best

)

select * from months
