{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    enabled=is_built('claims'),
    meta={'renews': {
        'days': utc_day('period_start'),
        'below': 'int_claims__published_api_calls',
        'day_below': 'called_on',
        'differ_by': 'labels',
    }}
) }}

{%- set keys = ['called_hour', 'api_endpoint', 'status_class'] %}

with

api_calls as (

    select *
    from {{ ref('int_claims__published_api_calls') }}
    where
        is_published
        and called_hour is not null
        and status_class != 'none'
        and {{ is_renewed('called_on') }}

),

timed as (

    select
        *,
        {{ percentile('response_ms', 0.5, keys) }} as p50,
        {{ percentile('response_ms', 0.95, keys) }} as p95,
        {{ percentile('response_ms', 0.99, keys) }} as p99
    from api_calls

),

counted as (

    select
        {{ keys | join(', ') }},
        count(*) as events,
        count(case when is_call then 1 end) as calls,
        count(case when http_status >= 400 then 1 end) as errors,
        count(response_ms) as timed_rows,
        count(distinct case when response_ms is not null then subject_key end) as timed_people,
        any_value(p50) as p50,
        any_value(p95) as p95,
        any_value(p99) as p99,
        {{ shown_people('subject_key') }} as subjects,
        max(labelled_at) as updated_at
    from timed
    group by {{ keys | join(', ') }}

),

totals as (

    select
        *,
        sum(calls) over (partition by called_hour, api_endpoint) as calls_of_endpoint,
        timed_people >= {{ var('tail_subjects') }}
        or timed_rows >= {{ var('safe_rows') }} as has_tail
    from counted

),

hours as (

    select
        called_hour as period_start,
        api_endpoint,
        status_class,
        events,
        calls,
        errors,
        {{ ratio('errors', 'calls_of_endpoint') }} as error_rate,
        case when timed_people >= {{ var('k') }} then {{ whole_ms('p50') }} end as p50_ms,
        case when has_tail then {{ whole_ms('p95') }} end as p95_ms,
        case when has_tail then {{ whole_ms('p99') }} end as p99_ms,
        subjects,
        updated_at
    from totals

)

select * from hours
