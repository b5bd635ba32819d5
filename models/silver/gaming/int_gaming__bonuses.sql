{{ config(materialized='view') }}

with

bonuses as (

    select
        event_id,
        batch_id,
        bonus_key,
        user_key,
        brand,
        region,
        entry_kind as step,
        currency,
        amount_minor,
        base_amount_minor,
        occurred_at,
        ingested_at
    from {{ ref('int_gaming__valued_entries') }}
    where entry_kind in ('issued', 'consumed') and fault is null

)

select * from bonuses
