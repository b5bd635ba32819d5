{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'periods': 'period_start',
        'below': 'int_gaming__published_play_days',
        'day_below': 'active_on',
        'reach': 29,
    }}
) }}

{%- set place = ['brand', 'region'] %}

with

play_days as (

    select * from {{ ref('int_gaming__published_play_days') }}

),

placed as (

    {{ in_periods('play_days', day='active_on', withheld=true) }}

),

people as (

    select
        period,
        cast(period_start as date) as period_start,
        brand,
        region,
        user_key,
        count(case when is_published then 1 end) as days_played,
        max(case when is_published and user_kind = 'new' then 1 else 0 end) as is_new,
        max(labelled_at) as labelled_at
    from placed
    group by period, period_start, brand, region, user_key

),

-- New people who are too few on their day are in no figure, also where they came again later: week
-- less days would tell how few. But that they are not 0 is said, for all regions of their brand.
hidden as (

    select
        period,
        cast(period_start as date) as period_start,
        brand,
        max(case when user_kind = 'new' then 1 else 0 end) as lacks_new,
        max(case when user_kind = 'returning' then 1 else 0 end) as lacks_returning
    from placed
    where not is_published
    group by period, period_start, brand

),

counted as (

    select
        period,
        period_start,
        brand,
        region,
        cast(sum(days_played) as int64) as play_days,
        count(case when days_played > 0 then user_key end) as players,
        count(case when days_played > 0 and is_new = 1 then user_key end) as new_players,
        count(case when days_played > 0 and is_new = 0 then user_key end) as returning_players,
        max(labelled_at) as updated_at
    from people
    group by period, period_start, brand, region
    having sum(days_played) > 0

),

known as (

    select
        cast(min(active_on) as timestamp) as first_hour,
        cast(max(active_on) as timestamp) as last_hour
    from play_days
    where is_published

),

hours as (

    {{ hours_between('known', 'first_hour', 'last_hour') }}

),

days as (

    select distinct {{ utc_day('hour_start') }} as active_on
    from hours
    where {{ is_changed_day(utc_day('hour_start')) }}

),

active_days as (

    select distinct
        brand,
        region,
        user_key,
        active_on
    from play_days
    where is_published

),

-- Trailing windows, for every day on which something is left of the days before.
rolling as (

    select
        'day' as period,
        days.active_on as period_start,
        active_days.brand,
        active_days.region,
        count(distinct case
            when active_days.active_on > days.active_on - 7 then active_days.user_key
        end) as wau_rolling_7d,
        count(distinct active_days.user_key) as mau_rolling_30d
    from days
    inner join active_days on active_days.active_on between days.active_on - 29 and days.active_on
    group by days.active_on, active_days.brand, active_days.region

),

joined as (

    select
        counted.updated_at,
        rolling.wau_rolling_7d,
        rolling.mau_rolling_30d,
        coalesce(counted.period, rolling.period) as period,
        coalesce(counted.period_start, rolling.period_start) as period_start,
        coalesce(counted.brand, rolling.brand) as brand,
        coalesce(counted.region, rolling.region) as region,
        coalesce(counted.play_days, 0) as play_days,
        coalesce(counted.players, 0) as players,
        coalesce(counted.new_players, 0) as new_players,
        coalesce(counted.returning_players, 0) as returning_players
    from counted
    full outer join rolling on {{ same('counted', 'rolling', ['period', 'period_start'] + place) }}

),

-- None is said to be there only where nobody is hidden.
whole as (

    select
        joined.*,
        case
            when joined.players > 0 or (hidden.lacks_new is null and hidden.lacks_returning is null)
                then joined.players
        end as told,
        case when coalesce(hidden.lacks_new, 0) = 0 then joined.new_players end as told_new,
        case
            when coalesce(hidden.lacks_new, 0) = 0 and coalesce(hidden.lacks_returning, 0) = 0
                then joined.returning_players
        end as told_returning
    from joined
    left join hidden on {{ same('joined', 'hidden', ['period', 'period_start', 'brand']) }}

),

periods as (

    select
        period,
        period_start,
        brand,
        region,
        play_days,
        case when period = 'day' then {{ none_or_enough('told') }} end as dau,
        case when period = 'week' then {{ none_or_enough('told') }} end as wau,
        case when period = 'month' then {{ none_or_enough('told') }} end as mau,
        {{ none_or_enough('told_new') }} as new_players,
        {{ none_or_enough('told_returning') }} as returning_players,
        {{ none_or_enough('told') }} as subjects,
        {{ none_or_enough('wau_rolling_7d') }} as wau_rolling_7d,
        {{ none_or_enough('mau_rolling_30d') }} as mau_rolling_30d,
        coalesce(updated_at, cast(period_start as timestamp)) as updated_at
    from whole

)

select * from periods
