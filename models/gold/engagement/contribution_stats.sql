{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'periods': utc_day('period_start'),
        'below': 'int_engagement__published_contributions',
        'day_below': 'earned_on',
    }}
) }}

{%- set keys = ['period', 'period_start', 'category'] %}

with

contributions as (

    select * from {{ ref('int_engagement__published_contributions') }}

),

placed as (

    {{ in_periods('contributions', day='earned_on', hour='published_hour') }}

),

periods as (

    select
        {{ keys | join(', ') }},
        {{ hour_of_week('period', 'period_start') }} as hour_of_week,
        count(*) as contributions,
        {{ shown_people('user_key') }} as subjects,
        {{ shown_sum('points', "has_points and period != 'hour'") }} as points,
        max(labelled_at) as updated_at
    from placed
    group by {{ keys | join(', ') }}

)

select * from periods
