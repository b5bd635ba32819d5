{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'happened_on',
        'below': 'int_gaming__protection_events',
        'day_below': utc_day('occurred_at'),
        'differ_by': 'batches',
    }}
) }}

with

protection_events as (

    select * from {{ ref('int_gaming__protection_events') }}
    where {{ is_renewed(utc_day('occurred_at')) }}

),

happened as (

    select
        event_id,
        batch_id,
        {{ utc_day('occurred_at') }} as happened_on,
        brand,
        region,
        event_name,
        limit_kind,
        user_key
    from protection_events

),

{{ published_blocks(
    relation='happened',
    subject='user_key',
    keys=['happened_on', 'brand', 'event_name'],
    labels=['region', 'limit_kind']
) }}

published as (

    select
        event_id,
        batch_id,
        happened_on,
        brand,
        event_name,
        published_region as region,
        published_limit_kind as limit_kind,
        is_published,
        user_key,
        {{ now_utc() }} as labelled_at
    from blocks

)

select * from published
