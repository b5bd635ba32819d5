{{ config(materialized='view') }}

with

registrations as (

    select
        user_key,
        min(occurred_at) as registered_at
    from {{ ref('stg_engagement__events') }}
    where event_type = 'account.registered' and user_key is not null
    group by user_key

),

contributions as (

    select * from {{ ref('int_engagement__contributions') }}
    where points is not null

),

added_up as (

    select
        registrations.user_key,
        registrations.registered_at,
        contributions.occurred_at,
        sum(contributions.points) over (
            partition by contributions.user_key
            order by contributions.occurred_at, contributions.event_id
            rows between unbounded preceding and current row
        ) as points
    from contributions
    inner join registrations
        on
            contributions.user_key = registrations.user_key
            and contributions.occurred_at >= registrations.registered_at

),

bands as (

    select * from {{ ref('amount_buckets') }}
    where bucket_set = 'points' and lower_incl is not null

),

reached as (

    select
        added_up.user_key,
        bands.label as points_band,
        {{ utc_day('min(added_up.registered_at)') }} as registered_on,
        {{ utc_day('min(added_up.occurred_at)') }} as reached_on
    from added_up
    inner join bands on added_up.points >= bands.lower_incl
    group by added_up.user_key, bands.label

),

progress as (

    select
        user_key,
        points_band,
        {{ month_start('registered_on') }} as registered_month,
        registered_on,
        reached_on,
        {{ date_distance('registered_on', 'reached_on', 'month') }} as months_since,
        {{ date_distance('registered_on', 'reached_on', 'day') }} as days_to_reach
    from reached

)

select * from progress
