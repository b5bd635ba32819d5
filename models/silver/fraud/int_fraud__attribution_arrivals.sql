{{ config(materialized='table') }}

{{ arrivals(
    table='fraud_attributions',
    key='event_id',
    silver='stg_fraud__attributions',
    duplicates='int_fraud__duplicates',
    silver_time='computed_at'
) }}
