{{ config(materialized='table') }}

{{ arrivals(
    table='fraud_decisions',
    key='event_id',
    silver='stg_fraud__decisions',
    duplicates='int_fraud__duplicates',
    silver_time='decided_at'
) }}
