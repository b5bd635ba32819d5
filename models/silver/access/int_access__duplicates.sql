{{ config(
    materialized='incremental',
    pre_hook="{{ forget_arriving_keys({
        'attempts': ref('int_access__attempt_arrivals'),
        'deposit_attempts': ref('int_access__deposit_attempt_arrivals'),
    }) }}"
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
