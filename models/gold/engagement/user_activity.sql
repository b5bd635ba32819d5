{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'periods': utc_day('period_start'),
        'below': 'int_engagement__published_activity',
        'day_below': 'active_on',
        'reach': 29,
    }}
) }}

with

activity as (

    select * from {{ ref('int_engagement__published_activity') }}

),

placed as (

    {{ in_periods('activity', day='active_on', hour='published_hour', withheld=true) }}

),

dated as (

    select
        *,
        max(case when is_published then active_on end)
            over (partition by period, period_start, user_key) as last_active_on
    from placed

),

-- New people who are too few on their day are in no figure, also where they came again later: week
-- less days would tell how few. But that they are not 0 is said.
people as (

    select
        period,
        period_start,
        user_key,
        count(case when is_published then 1 end) as events,
        max(case when is_published and user_kind = 'new' then 1 else 0 end) as is_new,
        max(case when not is_published and user_kind = 'new' then 1 else 0 end) as is_hidden_new,
        max(
            case
                when is_published and active_on = last_active_on
                    then {{ ratio('fields_filled', 'fields_total') }}
            end
        ) as profile_share,
        max(labelled_at) as labelled_at
    from dated
    group by period, period_start, user_key

),

counted as (

    select
        period,
        period_start,
        cast(sum(events) as int64) as events,
        count(case when events > 0 then user_key end) as active_users,
        count(case when events > 0 and is_new = 1 then user_key end) as new_users,
        count(case when events > 0 and is_new = 0 then user_key end) as returning_users,
        max(is_hidden_new) as lacks_new,
        max(case when (events = 0) != (is_hidden_new = 1) then 1 else 0 end) as lacks_returning,
        {{ shown_mean('case when events > 0 then profile_share end', 'user_key') }}
            as profile_completion,
        count(case when events > 0 and profile_share = 1 then user_key end) as complete_profiles,
        count(case when events > 0 and profile_share is not null then user_key end)
            as known_profiles,
        max(labelled_at) as updated_at
    from people
    group by period, period_start

),

known as (

    select
        cast(min(active_on) as timestamp) as first_hour,
        cast(max(active_on) as timestamp) as last_hour
    from activity
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
        user_key,
        active_on
    from activity
    where is_published

),

-- Trailing windows, for every day: on one without activity, those of the days before.
rolling as (

    select
        'day' as period,
        cast(days.active_on as timestamp) as period_start,
        count(distinct case
            when active_days.active_on > days.active_on - 7 then active_days.user_key
        end) as wau_rolling_7d,
        count(distinct active_days.user_key) as mau_rolling_30d
    from days
    left join active_days on active_days.active_on between days.active_on - 29 and days.active_on
    group by days.active_on

),

joined as (

    select
        counted.profile_completion,
        counted.complete_profiles,
        counted.known_profiles,
        rolling.wau_rolling_7d,
        rolling.mau_rolling_30d,
        counted.updated_at,
        coalesce(counted.period, rolling.period) as period,
        coalesce(counted.period_start, rolling.period_start) as period_start,
        coalesce(counted.events, 0) as events,
        coalesce(counted.active_users, 0) as active_users,
        case
            when coalesce(counted.lacks_new, 0) = 0 then coalesce(counted.new_users, 0)
        end as new_users,
        case
            when coalesce(counted.lacks_returning, 0) = 0 then coalesce(counted.returning_users, 0)
        end as returning_users
    from counted
    full outer join rolling on {{ same('counted', 'rolling', ['period', 'period_start']) }}

),

periods as (

    select
        period,
        period_start,
        {{ hour_of_week('period', 'period_start') }} as hour_of_week,
        events,
        {{ none_or_enough('active_users') }} as active_users,
        {{ none_or_enough('new_users') }} as new_users,
        {{ none_or_enough('returning_users') }} as returning_users,
        {{ none_or_enough('active_users') }} as subjects,
        {{ none_or_enough('wau_rolling_7d') }} as wau_rolling_7d,
        {{ none_or_enough('mau_rolling_30d') }} as mau_rolling_30d,
        profile_completion,
        case
            when {{ part_or_none('complete_profiles', 'known_profiles') }} is not null
                then {{ part_or_none('complete_profiles', 'active_users') }}
        end as complete_profiles,
        coalesce(updated_at, period_start) as updated_at
    from joined

)

select * from periods
