{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': utc_day('period_start'),
        'below': 'int_access__published_attempts',
        'day_below': 'attempted_on',
        'differ_by': 'labels',
    }}
) }}

{%- set keys = ['period_start', 'domain', 'action', 'status', 'error_code', 'country'] %}

with

attempts as (

    select
        published_hour as period_start,
        domain,
        action,
        status,
        error_code,
        country,
        is_safe_cell,
        subject_key,
        duration_ns,
        labelled_at
    from {{ ref('int_access__published_attempts') }}
    where
        is_published
        and published_hour is not null
        and {{ is_renewed('attempted_on') }}

),

{{ response_time_cells('attempts', keys) }}

rated as (

    select
        period_start,
        domain,
        action,
        status,
        error_code,
        country,
        attempts,
        case when status = 'error' then attempts else 0 end as errors,
        subjects,
        {{ whole_ms('p50') }} as p50_ms,
        {{ whole_ms('p95') }} as p95_ms,
        {{ whole_ms('p99') }} as p99_ms,
        sum(case when status != 'test' then attempts end) over (
            partition by period_start, domain, action
        ) as attempts_of_action,
        updated_at
    from cells

),

hours as (

    select
        period_start,
        domain,
        action,
        status,
        error_code,
        country,
        attempts,
        errors,
        {{ ratio('errors', 'attempts_of_action') }} as error_rate,
        subjects,
        p50_ms,
        p95_ms,
        p99_ms,
        updated_at
    from rated

)

select * from hours
