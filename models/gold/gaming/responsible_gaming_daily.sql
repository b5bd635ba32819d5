{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'period_start',
        'below': 'int_gaming__published_protection_events',
        'day_below': 'happened_on',
        'differ_by': 'labels',
    }}
) }}

with

protection_events as (

    select * from {{ ref('int_gaming__published_protection_events') }}
    where
        is_published
        and {{ is_renewed('happened_on') }}

),

days as (

    select
        happened_on as period_start,
        brand,
        region,
        -- An event in contracts and marts, whatever else SQL means by the word.
        event_name as event,  -- noqa: RF04
        limit_kind,
        count(*) as events,
        {{ shown_people('user_key') }} as players,
        {{ shown_people('user_key') }} as subjects,
        max(labelled_at) as updated_at
    from protection_events
    group by happened_on, brand, region, event_name, limit_kind

)

select * from days
