{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'active_on',
        'below': 'int_gaming__play_days',
        'day_below': 'active_on',
        'differ_by': ['batch_id', 'brand', 'user_kind'],
    }}
) }}

-- Whoever is new at a brand on a day is one block of it, and whoever was there before another: each
-- is published where k people are in it.
with

play_days as (

    select * from {{ ref('int_gaming__play_days') }}
    where {{ is_renewed('active_on') }}

),

{{ published_blocks(
    relation='play_days',
    subject='user_key',
    keys=['active_on', 'brand', 'user_kind'],
    labels=['region']
) }}

published as (

    select
        event_id,
        batch_id,
        active_on,
        brand,
        published_region as region,
        user_kind,
        is_published,
        user_key,
        {{ now_utc() }} as labelled_at
    from blocks

)

select * from published
