{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'keys': 'event_id',
        'arrivals': {'claim_events': 'int_claims__claim_event_arrivals'},
    }}
) }}

with

claim_event_arrivals as (

    select * from {{ ref('int_claims__claim_event_arrivals') }}

),

duplicates as (

    select
        'claim_events' as table_name,
        event_id,
        batch_id,
        line_number,
        ingested_at,
        payload_key,
        verdict as code
    from claim_event_arrivals
    where verdict != 'kept'

)

select * from duplicates
