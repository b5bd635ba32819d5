{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': utc_day('period_start'),
        'below': 'int_access__published_deposit_attempts',
        'day_below': 'attempted_on',
        'differ_by': 'labels',
    }}
) }}

{%- set keys = [
    'period_start', 'domain', 'method', 'provider', 'status', 'error_code', 'currency',
] %}

with

deposit_attempts as (

    select
        published_hour as period_start,
        domain,
        method,
        provider,
        status,
        error_code,
        currency,
        true as is_safe_cell,
        subject_key,
        amount_minor,
        duration_ns,
        labelled_at
    from {{ ref('int_access__published_deposit_attempts') }}
    where
        is_published
        and published_hour is not null
        and {{ is_renewed('attempted_on') }}

),

{{ response_time_cells('deposit_attempts', keys) }}

-- Whoever sent most of an amount could be read off it. Rows without a subject count as one person.
amounts_by_person as (

    select
        {{ keys | join(', ') }},
        subject_key,
        sum(amount_minor) as amount
    from deposit_attempts
    where amount_minor is not null
    group by {{ keys | join(', ') }}, subject_key

),

amounts as (

    select
        {{ keys | join(', ') }},
        case
            when count(subject_key) >= {{ var('k') }} and max(amount) * 2 <= sum(amount)
                then cast(sum(amount) as int64)
        end as amount_minor
    from amounts_by_person
    group by {{ keys | join(', ') }}

),

hours as (

    select
        cells.period_start,
        cells.domain,
        cells.method,
        cells.provider,
        cells.status,
        cells.error_code,
        cells.currency,
        cells.attempts,
        amounts.amount_minor,
        cells.subjects,
        {{ whole_ms('cells.p50') }} as p50_ms,
        {{ whole_ms('cells.p95') }} as p95_ms,
        {{ whole_ms('cells.p99') }} as p99_ms,
        cells.updated_at
    from cells
    left join amounts on {{ same('cells', 'amounts', keys) }}

)

select * from hours
