{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'sent_month',
        'below': 'int_engagement__messages',
        'day_below': month_start(utc_day('occurred_at')),
        'differ_by': ['batch_id', 'status'],
    }}
) }}

-- Months are renewed whole: what is told of the rest of one depends on all of its days.
with

messages as (

    select * from {{ ref('int_engagement__messages') }}
    where {{ is_renewed(month_start(utc_day('occurred_at'))) }}

),

sent as (

    select
        event_id,
        batch_id,
        {{ utc_day('occurred_at') }} as sent_on,
        {{ month_start(utc_day('occurred_at')) }} as sent_month,
        {{ utc_hour('occurred_at') }} as sent_hour,
        channel,
        status,
        user_key
    from messages

),

{{ published_blocks(
    relation='sent',
    subject='user_key',
    keys=['sent_on'],
    labels=['channel', 'status'],
    hour='sent_hour'
) }}

{{ rest_of_month(
    relation='blocks',
    subject='user_key',
    day='sent_on',
    keys=['sent_month', 'published_channel'],
    label='status'
) }}

published as (

    select
        event_id,
        batch_id,
        sent_on,
        sent_month,
        published_sent_hour as published_hour,
        published_channel as channel,
        published_status as status,
        month_status,
        is_published,
        user_key,
        {{ now_utc() }} as labelled_at
    from by_month

)

select * from published
