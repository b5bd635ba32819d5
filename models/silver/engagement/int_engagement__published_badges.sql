{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'awarded_on',
        'below': 'int_engagement__badges',
        'day_below': utc_day('occurred_at'),
        'differ_by': 'batches',
    }}
) }}

with

badges as (

    select * from {{ ref('int_engagement__badges') }}
    where {{ is_renewed(utc_day('occurred_at')) }}

),

awarded as (

    select
        event_id,
        batch_id,
        {{ utc_day('occurred_at') }} as awarded_on,
        {{ utc_hour('occurred_at') }} as awarded_hour,
        badge_id,
        user_key
    from badges

),

{{ published_blocks(
    relation='awarded',
    subject='user_key',
    keys=['awarded_on'],
    labels=['badge_id'],
    hour='awarded_hour'
) }}

published as (

    select
        event_id,
        batch_id,
        awarded_on,
        published_awarded_hour as published_hour,
        published_badge_id as badge_id,
        is_published,
        user_key,
        {{ now_utc() }} as labelled_at
    from blocks

)

select * from published
