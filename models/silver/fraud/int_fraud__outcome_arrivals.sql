{{ config(materialized='table') }}

{{ arrivals(
    table='fraud_outcomes',
    key='event_id',
    silver='stg_fraud__outcomes',
    duplicates='int_fraud__duplicates',
    silver_time='recorded_at'
) }}
