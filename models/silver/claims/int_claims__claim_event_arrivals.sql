{{ config(materialized='table') }}

{{ arrivals(
    table='claim_events',
    key='event_id',
    silver='stg_claims__claim_events',
    duplicates='int_claims__duplicates',
    silver_time='occurred_at'
) }}
