{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'since': 'int_engagement__published_balances',
        'where': 'is_published',
        'day': 'period_start',
        'day_below': 'balance_month',
        'told_by': ['max(labelled_at)', 'min(case when is_complete then 1 else 0 end)'],
        'told_here': ['max(updated_at)', 'min(case when is_complete then 1 else 0 end)'],
    }}
) }}

{%- set keys = ['period_start', 'balance_band', 'currency'] %}

with

balances as (

    select
        *,
        balance_month as period_start
    from {{ ref('int_engagement__published_balances') }}
    where is_published

),

counted as (

    select
        {{ keys | join(', ') }},
        count(distinct user_key) as subjects,
        {{ shown_sum('balance_minor') }} as balance_minor,
        min(case when is_complete then 1 else 0 end) = 1 as is_complete,
        max(labelled_at) as updated_at
    from balances
    group by {{ keys | join(', ') }}

),

months as (

    select
        {{ keys | join(', ') }},
        subjects,
        {{ ratio('subjects', 'sum(subjects) over of_currency') }} as share,
        balance_minor,
        is_complete,
        updated_at
    from counted
    where {{ is_since('period_start') }}
    window of_currency as (partition by period_start, currency)

)

select * from months
