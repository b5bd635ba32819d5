{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'earned_on',
        'below': 'int_engagement__contributions',
        'day_below': utc_day('occurred_at'),
        'differ_by': 'batches',
    }}
) }}

-- Points are summed up by whole days only: the fewer people, the sooner one has most of them.
with

contributions as (

    select * from {{ ref('int_engagement__contributions') }}
    where {{ is_renewed(utc_day('occurred_at')) }}

),

earned as (

    select
        event_id,
        batch_id,
        {{ utc_day('occurred_at') }} as earned_on,
        {{ utc_hour('occurred_at') }} as earned_hour,
        category,
        points,
        user_key
    from contributions

),

{{ published_blocks(
    relation='earned',
    subject='user_key',
    keys=['earned_on'],
    labels=['category'],
    hour='earned_hour'
) }}

{{ open_amounts(
    relation='blocks',
    block=['earned_on', 'published_category'],
    subject='user_key',
    amount='points'
) }}

published as (

    select
        event_id,
        batch_id,
        earned_on,
        published_earned_hour as published_hour,
        published_category as category,
        is_published,
        user_key,
        points,
        coalesce(has_amounts, false) as has_points,
        {{ now_utc() }} as labelled_at
    from valued

)

select * from published
