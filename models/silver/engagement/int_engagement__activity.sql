{{ config(materialized='view') }}

with

events as (

    select
        event_id,
        batch_id,
        user_key,
        event_type,
        {{ utc_day('occurred_at') }} as active_on,
        {{ utc_hour('occurred_at') }} as active_hour
    from {{ ref('stg_engagement__events') }}
    where event_type in ({{ event_types_of('engagement', 'person') }})

),

first_days as (

    select * from {{ ref('int_engagement__first_days') }}

),

profiles as (

    select * from {{ ref('int_engagement__profiles') }}

),

activity as (

    select
        events.event_id,
        events.batch_id,
        events.user_key,
        events.event_type,
        events.active_on,
        events.active_hour,
        case
            when events.active_on = first_days.first_active_on then 'new'
            else 'returning'
        end as user_kind,
        coalesce(profiles.fields_filled, 0) as fields_filled,
        coalesce(profiles.fields_total, 0) as fields_total
    from events
    left join first_days on events.user_key = first_days.user_key
    left join profiles
        on
            events.user_key = profiles.user_key
            and events.active_on >= profiles.told_on
            and (profiles.told_again_on is null or events.active_on < profiles.told_again_on)

)

select * from activity
