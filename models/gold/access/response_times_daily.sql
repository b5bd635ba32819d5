{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'period_start',
        'below': 'int_access__published_attempts',
        'day_below': 'attempted_on',
        'differ_by': 'labels',
    }}
) }}

{%- set keys = ['period_start', 'country', 'action'] %}
{%- set baseline_keys = ['attempts.period_start', 'attempts.action'] %}

with

attempts as (

    select
        attempted_on as period_start,
        country,
        action,
        is_safe_cell,
        subject_key,
        duration_ns,
        labelled_at
    from {{ ref('int_access__published_attempts') }}
    where
        is_published
        and status != 'test'
        and {{ is_renewed('attempted_on') }}

),

european_countries as (

    select country from {{ ref('countries') }}
    where is_eu

),

{{ response_time_cells('attempts', keys) }}

european_medians as (

    select
        attempts.period_start,
        attempts.action,
        attempts.subject_key,
        {{ percentile('attempts.duration_ns / 1e6', 0.5, baseline_keys) }} as p50
    from attempts
    inner join european_countries on attempts.country = european_countries.country
    where attempts.duration_ns is not null

),

baselines as (

    select
        period_start,
        action,
        any_value(p50) as p50
    from european_medians
    group by period_start, action
    having {{ is_large_enough('subject_key', var('k')) }}

),

response_times as (

    select
        cells.period_start,
        cells.country,
        cells.action,
        cells.attempts,
        cells.subjects,
        {{ whole_ms('cells.p50') }} as p50_ms,
        {{ whole_ms('cells.p95') }} as p95_ms,
        {{ whole_ms('cells.p99') }} as p99_ms,
        round(100 * {{ ratio('cells.p50 - baselines.p50', 'baselines.p50') }}, 1) + 0.0
            as difference_to_eu_percent,
        cells.updated_at
    from cells
    left join baselines
        on
            cells.period_start = baselines.period_start
            and cells.action = baselines.action

)

select * from response_times
