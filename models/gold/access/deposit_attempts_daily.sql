{{ config(
    materialized='incremental',
    pre_hook="{{ forget_stale_days(ref('int_access__published_deposit_attempts'), 'attempted_on', 'period_start') }}"
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
        and {{ is_missing_day('attempted_on', 'period_start') }}

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
