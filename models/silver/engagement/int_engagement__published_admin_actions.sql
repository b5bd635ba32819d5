{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'done_on',
        'below': 'int_engagement__admin_actions',
        'day_below': utc_day('occurred_at'),
        'differ_by': 'batches',
    }}
) }}

-- All labels are safe keys, words of the application.
with

admin_actions as (

    select * from {{ ref('int_engagement__admin_actions') }}
    where {{ is_renewed(utc_day('occurred_at')) }}

),

done as (

    select
        event_id,
        batch_id,
        {{ utc_day('occurred_at') }} as done_on,
        action,
        target_type,
        user_key
    from admin_actions

),

{{ published_blocks(
    relation='done',
    subject='user_key',
    keys=['done_on'],
    labels=['action', 'target_type'],
    safe_rows=var('safe_rows')
) }}

published as (

    select
        event_id,
        batch_id,
        done_on,
        -- An action in contracts and marts, whatever else SQL means by the word.
        published_action as action,  -- noqa: RF04
        published_target_type as target_type,
        is_published,
        user_key,
        {{ now_utc() }} as labelled_at
    from blocks

)

select * from published
