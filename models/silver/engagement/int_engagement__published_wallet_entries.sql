{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'entered_on',
        'below': 'int_engagement__wallet_entries',
        'day_below': utc_day('occurred_at'),
        'differ_by': 'batches',
    }}
) }}

{%- set keys = ['entered_on', 'currency', 'direction', 'state'] %}

-- Amounts are summed up by whole days only: the fewer people, the sooner one has most of them.
with

wallet_entries as (

    select * from {{ ref('int_engagement__wallet_entries') }}
    where {{ is_renewed(utc_day('occurred_at')) }}

),

entered as (

    select
        event_id,
        batch_id,
        {{ utc_day('occurred_at') }} as entered_on,
        {{ utc_hour('occurred_at') }} as entered_hour,
        direction,
        state,
        reason,
        reward_type,
        currency,
        user_key,
        amount_minor
    from wallet_entries

),

{{ published_blocks(
    relation='entered',
    subject='user_key',
    keys=keys,
    labels=['reason', 'reward_type'],
    hour='entered_hour'
) }}

{{ open_amounts(
    relation='blocks',
    block=keys + ['published_reason', 'published_reward_type'],
    subject='user_key',
    amount='amount_minor'
) }}

published as (

    select
        event_id,
        batch_id,
        entered_on,
        {{ iso_week('entered_on') }} as entered_week,
        {{ month_start('entered_on') }} as entered_month,
        published_entered_hour as published_hour,
        direction,
        state,
        published_reason as reason,
        published_reward_type as reward_type,
        currency,
        direction = 'credit' and published_reason = 'reward' as is_reward,
        is_published,
        user_key,
        amount_minor,
        case
            when direction = 'credit' then amount_minor
            else -amount_minor
        end as change_minor,
        is_published and currency != 'unknown' and coalesce(has_amounts, false) as has_amounts,
        {{ now_utc() }} as labelled_at
    from valued

)

select * from published
