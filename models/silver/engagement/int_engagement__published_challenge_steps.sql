{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'stepped_month',
        'below': 'int_engagement__challenge_steps',
        'day_below': month_start(utc_day('occurred_at')),
        'differ_by': 'batches',
    }}
) }}

-- A month is renewed as a whole, since what its days do not tell is told of it.
with

challenge_steps as (

    select * from {{ ref('int_engagement__challenge_steps') }}
    where {{ is_renewed(month_start(utc_day('occurred_at'))) }}

),

dated as (

    select
        event_id,
        batch_id,
        {{ utc_day('occurred_at') }} as stepped_on,
        {{ utc_hour('occurred_at') }} as stepped_hour,
        {{ iso_week(utc_day('occurred_at')) }} as stepped_week,
        greatest(
            {{ iso_week(utc_day('occurred_at')) }},
            {{ month_start(utc_day('occurred_at')) }}
        ) as part_of_week,
        {{ month_start(utc_day('occurred_at')) }} as stepped_month,
        step,
        challenge,
        outcome,
        case
            when step != 'won' then 'all'
            when rank between 1 and 999 then cast(rank as string)
            else 'unknown'
        end as rank,
        user_key
    from challenge_steps

),

daily as (

    select * from dated
    where step != 'won'

),

{{ published_blocks(
    relation='daily',
    subject='user_key',
    keys=['stepped_on', 'step'],
    labels=['challenge', 'outcome'],
    hour='stepped_hour'
) }}

{{ rest_of_periods(
    relation='blocks',
    subject='user_key',
    periods={'week': 'part_of_week', 'month': 'stepped_month'},
    keys=['step', 'published_challenge'],
    label='outcome'
) }}

-- Whatever no day tells, and all wins, are told of the month alone.
rare as (

    select dated.*
    from dated
    left join rests on dated.event_id = rests.event_id
    where rests.event_id is null or not rests.is_published

),

{{ published_blocks(
    relation='rare',
    subject='user_key',
    keys=['stepped_month', 'step'],
    labels=['challenge', 'outcome', 'rank'],
    into='monthly'
) }}

told as (

    select
        event_id,
        case when published_outcome != 'Other' then published_stepped_hour end as published_hour,
        published_challenge as challenge,
        published_outcome as outcome,
        is_published,
        week_outcome,
        published_challenge as month_challenge,
        month_outcome,
        'all' as month_rank,
        is_published as is_in_month
    from rests
    where is_published
    union all
    select
        event_id,
        cast(null as timestamp) as published_hour,
        'Other' as challenge,
        'Other' as outcome,
        false as is_published,
        'Other' as week_outcome,
        published_challenge as month_challenge,
        published_outcome as month_outcome,
        case
            when step = 'won' then published_rank
            else 'all'
        end as month_rank,
        is_published as is_in_month
    from monthly

),

published as (

    select
        dated.event_id,
        dated.batch_id,
        dated.stepped_on,
        dated.stepped_week,
        dated.part_of_week,
        dated.stepped_month,
        told.published_hour,
        dated.step,
        told.challenge,
        told.outcome,
        'all' as rank,
        told.is_published,
        told.week_outcome,
        told.month_challenge,
        told.month_outcome,
        told.month_rank,
        told.is_in_month,
        dated.challenge as sent_challenge,
        dated.user_key,
        {{ now_utc() }} as labelled_at
    from dated
    inner join told on dated.event_id = told.event_id

)

select * from published
