{{ config(materialized='table') }}

{{ arrivals(
    table='platform_events',
    key='event_id',
    silver='stg_engagement__events',
    duplicates='int_engagement__duplicates',
    silver_time='occurred_at'
) }}
