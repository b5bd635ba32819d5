{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'periods': utc_day('period_start'),
        'below': 'int_engagement__published_submissions',
        'day_below': 'submitted_on',
    }}
) }}

{%- set keys = ['period', 'period_start', 'step', 'category', 'file_type', 'size_band'] %}

with

submissions as (

    select * from {{ ref('int_engagement__published_submissions') }}

),

placed as (

    {{ in_periods('submissions', day='submitted_on', hour='published_hour') }}

),

counted as (

    select
        {{ keys | join(', ') }},
        count(*) as submissions,
        {{ shown_people('user_key') }} as subjects,
        {{ shown_mean('file_size_bytes', 'user_key') }} as mean_file_size_bytes,
        max(labelled_at) as updated_at
    from placed
    group by {{ keys | join(', ') }}

),

rated as (

    select
        *,
        sum(case when step = 'approved' then submissions end) over of_category as approved,
        sum(case when step != 'created' then submissions end) over of_category as decided
    from counted
    window of_category as (partition by period, period_start, category)

),

periods as (

    select
        {{ keys | join(', ') }},
        {{ hour_of_week('period', 'period_start') }} as hour_of_week,
        submissions,
        subjects,
        mean_file_size_bytes,
        {{ ratio('coalesce(approved, 0)', 'decided') }} as approval_rate,
        updated_at
    from rated

)

select * from periods
