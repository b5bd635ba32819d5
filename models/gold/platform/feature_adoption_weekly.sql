{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    enabled=is_built('engagement'),
    meta={'renews': {
        'weeks': 'period_start',
        'below': 'int_engagement__published_activity',
        'day_below': 'active_on + 6',
    }}
) }}

-- Weeks of which silver has lost a day stay as they were. A first use that comes to light late is
-- taken from another week: so all others are told anew.
-- depends_on: {{ ref('int_engagement__published_activity') }}
with

uses as (

    select * from {{ ref('int_engagement__feature_uses') }}
    {%- if is_incremental() %}
        where
            used_week >= (
                select {{ iso_week('min(active_on + 6)') }}
                from {{ ref('int_engagement__published_activity') }}
            )
    {%- endif %}

),

activity as (

    select * from {{ ref('user_activity') }}
    where period = 'week'

),

counted as (

    select
        used_week,
        feature,
        count(*) as events,
        count(distinct user_key) as people,
        count(distinct case when is_first_week then user_key end) as first_time_people,
        max(labelled_at) as updated_at
    from uses
    group by used_week, feature

),

person_days as (

    select distinct
        used_week,
        feature,
        user_key,
        active_on
    from uses

),

days_of_use as (

    select
        used_week,
        feature,
        count(*) as sessions
    from person_days
    group by used_week, feature

),

-- Of a feature that few use, or few do not, nothing is told.
told as (

    select
        counted.used_week,
        counted.feature,
        counted.events,
        counted.updated_at,
        activity.active_users,
        {{ part_or_none('counted.people', 'activity.active_users') }} as people,
        {{ part_or_none('counted.first_time_people', 'counted.people') }} as first_time_people,
        days_of_use.sessions
    from counted
    inner join days_of_use on {{ same('counted', 'days_of_use', ['used_week', 'feature']) }}
    inner join activity on {{ utc_day('activity.period_start') }} = counted.used_week

),

weeks as (

    select
        used_week as period_start,
        feature,
        events,
        people,
        sessions,
        first_time_people,
        {{ ratio('people', 'active_users') }} as active_share,
        people as subjects,
        updated_at
    from told
    where people > 0

)

select * from weeks
