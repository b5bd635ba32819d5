{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'keys': 'event_id',
        'arrivals': {
            'attempts': 'int_access__attempt_arrivals',
            'deposit_attempts': 'int_access__deposit_attempt_arrivals',
        },
    }}
) }}

with

attempt_arrivals as (

    select * from {{ ref('int_access__attempt_arrivals') }}

),

deposit_attempt_arrivals as (

    select * from {{ ref('int_access__deposit_attempt_arrivals') }}

),

duplicates as (

    select
        'attempts' as table_name,
        event_id,
        batch_id,
        line_number,
        ingested_at,
        payload_key,
        verdict as code
    from attempt_arrivals
    where verdict != 'kept'
    union all
    select
        'deposit_attempts' as table_name,
        event_id,
        batch_id,
        line_number,
        ingested_at,
        payload_key,
        verdict as code
    from deposit_attempt_arrivals
    where verdict != 'kept'

)

select * from duplicates
