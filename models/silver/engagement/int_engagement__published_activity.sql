{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'active_on',
        'below': 'int_engagement__activity',
        'day_below': 'active_on',
        'differ_by': ['batch_id', 'user_kind', 'fields_filled', 'fields_total'],
    }}
) }}

-- Whoever is new on a day is one block of it, and whoever was there before another: each is
-- published where k people are in it.
with

activity as (

    select * from {{ ref('int_engagement__activity') }}
    where {{ is_renewed('active_on') }}

),

hour_verdicts as (

    {{ k_merge(
        relation='activity',
        dimension='active_hour',
        subject='user_key',
        partition_by=['active_on', 'user_kind']
    ) }}

),

published as (

    select
        activity.event_id,
        activity.batch_id,
        activity.active_on,
        case when hour_verdicts.verdict = 'alone' then activity.active_hour end as published_hour,
        activity.user_kind,
        hour_verdicts.verdict != 'withheld' as is_published,
        activity.user_key,
        activity.event_type,
        activity.fields_filled,
        activity.fields_total,
        {{ now_utc() }} as labelled_at
    from activity
    inner join hour_verdicts
        on {{ same('activity', 'hour_verdicts', ['active_on', 'user_kind', 'active_hour']) }}

)

select * from published
