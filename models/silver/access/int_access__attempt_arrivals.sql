{{ config(materialized='table') }}

{{ arrivals(
    table='attempts',
    key='event_id',
    silver='stg_access__attempts',
    duplicates='int_access__duplicates',
    silver_time='attempted_at'
) }}
