{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'keys': 'event_id',
        'arrivals': {'platform_events': 'int_engagement__event_arrivals'},
    }}
) }}

with

event_arrivals as (

    select * from {{ ref('int_engagement__event_arrivals') }}

),

duplicates as (

    select
        'platform_events' as table_name,
        event_id,
        batch_id,
        line_number,
        ingested_at,
        payload_key,
        verdict as code
    from event_arrivals
    where verdict != 'kept'

)

select * from duplicates
