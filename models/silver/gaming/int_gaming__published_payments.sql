{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'begun_on',
        'below': 'int_gaming__payments',
        'day_below': utc_day('occurred_at'),
        'differ_by': 'batches',
    }}
) }}

{%- set keys = ['begun_on', 'brand', 'currency'] %}

-- Hours first, so that the total of an hour that is told is whole; then how it was paid.
with

payments as (

    select
        event_id,
        batch_id,
        {{ utc_day('occurred_at') }} as begun_on,
        {{ utc_hour('occurred_at') }} as begun_hour,
        cast({{ utc_hour('occurred_at') }} as string) as hour_name,
        brand,
        region,
        currency,
        method,
        device,
        status,
        is_captured,
        refunded_minor > 0 as is_refunded,
        user_key,
        case when is_captured then captured_minor end as captured_minor,
        case when is_captured then base_captured_minor end as base_captured_minor
    from {{ ref('int_gaming__payments') }}
    where {{ is_renewed(utc_day('occurred_at')) }}

),

{{ published_blocks(
    relation='payments',
    subject='user_key',
    keys=keys,
    labels=['region', 'hour_name', 'method', 'device']
) }}

{{ open_amounts(
    relation='blocks',
    block=keys + ['published_region', 'published_hour_name', 'published_method', 'published_device'],
    subject='user_key',
    amount='captured_minor'
) }}

published as (

    select
        event_id,
        batch_id,
        begun_on,
        case when published_hour_name != 'Other' then begun_hour end as published_hour,
        brand,
        currency,
        published_region as region,
        published_method as method,
        published_device as device,
        is_published,
        status,
        is_captured,
        status = 'failed' as is_failed,
        is_captured and is_refunded as is_refunded,
        cast(case when is_captured then 1 else 0 end as int64) as captured_payments,
        cast(
            case when is_captured or status = 'failed' then 1 else 0 end as int64
        ) as decided_payments,
        user_key,
        captured_minor,
        base_captured_minor,
        is_published and has_amounts as has_amounts,
        {{ now_utc() }} as labelled_at
    from valued

)

select * from published
