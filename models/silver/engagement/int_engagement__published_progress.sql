{%- set told = ['count(*)', 'sum(days_to_reach)', 'sum(days_to_reach * days_to_reach)'] -%}
{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'since': 'int_engagement__progress',
        'where': 'true',
        'day': 'registered_month',
        'day_below': 'registered_month',
        'told_by': told,
    }}
) }}

-- A cell that is too small is withheld and no total of cells is published, so nothing has to merge.
with

progress as (

    select * from {{ ref('int_engagement__progress') }}
    where {{ is_since('registered_month') }}

),

published as (

    select
        user_key,
        points_band,
        registered_month,
        months_since,
        days_to_reach,
        count(distinct user_key) over (
            partition by registered_month, points_band, months_since
        ) >= {{ var('k') }} as is_published,
        {{ now_utc() }} as labelled_at
    from progress

)

select * from published
