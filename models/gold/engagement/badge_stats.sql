{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'periods': utc_day('period_start'),
        'below': 'int_engagement__published_badges',
        'day_below': 'awarded_on',
    }}
) }}

{%- set keys = ['period', 'period_start', 'badge_id'] %}

with

badges as (

    select * from {{ ref('int_engagement__published_badges') }}

),

placed as (

    {{ in_periods('badges', day='awarded_on', hour='published_hour') }}

),

periods as (

    select
        {{ keys | join(', ') }},
        {{ hour_of_week('period', 'period_start') }} as hour_of_week,
        count(*) as awards,
        {{ shown_people('user_key') }} as subjects,
        max(labelled_at) as updated_at
    from placed
    group by {{ keys | join(', ') }}

)

select * from periods
