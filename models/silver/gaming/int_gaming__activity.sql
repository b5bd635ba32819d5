{{ config(materialized='view') }}

with

events as (

    select
        event_id,
        batch_id,
        user_key,
        brand,
        coalesce(region, 'unknown') as region,
        case event_type when 'bet.placed' then 'bet' else 'deposit' end as activity_kind,
        occurred_at as active_at,
        ingested_at as heard_at
    from {{ ref('int_gaming__events') }}
    where
        event_type = 'bet.placed'
        or (event_type = 'wallet.credit' and reason = 'deposit')

),

brands as (

    select * from {{ ref('brands') }}

),

sessions as (

    select
        sessions.event_id,
        sessions.batch_id,
        sessions.user_key,
        sessions.brand,
        sessions.region,
        'session' as activity_kind,
        sessions.started_at as active_at,
        sessions.heard_at
    from {{ ref('int_gaming__sessions') }} as sessions
    left join brands on sessions.brand = brands.brand
    where sessions.length_ms >= coalesce(brands.session_minutes, 1) * 60000

),

active as (

    select * from events
    union all
    select * from sessions

),

activity as (

    select
        active.event_id,
        active.batch_id,
        active.user_key,
        active.brand,
        active.region,
        active.activity_kind,
        active.active_at,
        active.heard_at,
        {{ utc_day('active.active_at') }} as active_on,
        {{ local_day('active.active_at', "coalesce(brands.time_zone, 'UTC')") }} as active_local_on
    from active
    left join brands on active.brand = brands.brand
    where active.user_key is not null

)

select * from activity
