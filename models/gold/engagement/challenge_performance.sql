{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'periods': utc_day('period_start'),
        'below': 'int_engagement__published_challenge_steps',
        'day_below': 'stepped_on',
    }}
) }}

{%- set told = {
    'challenge': {'month': 'month_challenge'},
    'outcome': {'week': 'week_outcome', 'month': 'month_outcome'},
    'rank': {'month': 'month_rank'},
    'is_published': {'month': 'is_in_month'},
} %}
{%- set keys = ['period', 'period_start', 'challenge', 'step', 'rank'] %}

with

challenge_steps as (

    select * from {{ ref('int_engagement__published_challenge_steps') }}

),

placed as (

    {{ in_periods('challenge_steps', day='stepped_on', hour='published_hour', told=told) }}

),

labelled as (

    select
        period,
        period_start,
        told_challenge as challenge,
        step,
        told_rank as rank,
        told_outcome as outcome,
        user_key,
        labelled_at
    from placed

),

counted as (

    select
        {{ keys | join(', ') }},
        count(*) as events,
        count(distinct user_key) as people,
        {{ people_who_completed('user_key', 'step', 'outcome') }} as completed,
        max(labelled_at) as updated_at
    from labelled
    group by {{ keys | join(', ') }}

),

periods as (

    select
        {{ keys | join(', ') }},
        {{ hour_of_week('period', 'period_start') }} as hour_of_week,
        events,
        case when people >= {{ var('k') }} then people end as subjects,
        {{ ratio('completed', 'people') }} as completion_rate,
        updated_at
    from counted

)

select * from periods
