{{ config(materialized='table') }}

{{ arrivals(
    table='deposit_attempts',
    key='event_id',
    silver='stg_access__deposit_attempts',
    duplicates='int_access__duplicates',
    silver_time='attempted_at'
) }}
