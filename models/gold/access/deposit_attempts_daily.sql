{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'period_start',
        'below': 'int_access__published_deposit_attempts',
        'day_below': 'attempted_on',
        'differ_by': 'labels',
    }}
) }}

{%- set keys = [
    'period_start', 'domain', 'method', 'provider', 'status', 'error_code', 'currency',
] %}

-- No amounts: a day's less those of its hours would be that of an hour whose own is not shown.
with

deposit_attempts as (

    select
        attempted_on as period_start,
        domain,
        method,
        provider,
        status,
        error_code,
        currency,
        true as is_safe_cell,
        subject_key,
        duration_ns,
        labelled_at
    from {{ ref('int_access__published_deposit_attempts') }}
    where
        is_published
        and {{ is_renewed('attempted_on') }}

),

{{ response_time_cells('deposit_attempts', keys) }}

days as (

    select
        period_start,
        domain,
        method,
        provider,
        status,
        error_code,
        currency,
        attempts,
        subjects,
        {{ whole_ms('p50') }} as p50_ms,
        {{ whole_ms('p95') }} as p95_ms,
        {{ whole_ms('p99') }} as p99_ms,
        updated_at
    from cells

)

select * from days
