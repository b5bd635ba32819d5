{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'period_start',
        'below': 'int_engagement__published_progress',
        'day_below': 'registered_month',
        'differ_by': 'labels',
    }}
) }}

{%- set keys = ['registered_month', 'months_since', 'points_band'] %}

with

progress as (

    select
        *,
        {{ percentile('days_to_reach', 0.5, keys) }} as median_days
    from {{ ref('int_engagement__published_progress') }}
    where
        is_published
        and {{ is_renewed('registered_month') }}

),

months as (

    select
        registered_month as period_start,
        months_since,
        points_band,
        count(distinct user_key) as subjects,
        any_value(median_days) as median_days,
        max(labelled_at) as updated_at
    from progress
    group by {{ keys | join(', ') }}

)

select * from months
