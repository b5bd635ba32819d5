{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'attempted_on',
        'below': 'stg_access__deposit_attempts',
        'day_below': utc_day('attempted_at'),
        'differ_by': 'batches',
    }}
) }}

{#- Safe keys: whoever sends, a cell of these and a time says nothing about a person. -#}
{%- set safe_keys = [
    'attempted_on', 'domain', 'method', 'provider', 'status', 'error_code', 'currency',
] -%}

-- Hours are all there is to merge: every other label is a safe key. A rest of the day that is too
-- small is withheld, so that an hour that passes stays exact.
with

deposit_attempts as (

    select
        event_id,
        batch_id,
        {{ utc_day('attempted_at') }} as attempted_on,
        {{ utc_hour('attempted_at') }} as attempted_hour,
        domain,
        method,
        provider,
        status,
        error_code,
        currency,
        subject_key,
        amount_minor,
        duration_ns
    from {{ ref('stg_access__deposit_attempts') }}
    where {{ is_renewed(utc_day('attempted_at')) }}

),

hour_verdicts as (

    {{ k_merge(
        relation='deposit_attempts',
        dimension='attempted_hour',
        subject='subject_key',
        partition_by=safe_keys,
        safe_rows=var('safe_rows'),
        small_remainder='withhold'
    ) }}

),

published as (

    select
        deposit_attempts.event_id,
        deposit_attempts.batch_id,
        deposit_attempts.attempted_on,
        case
            when hour_verdicts.verdict = 'alone' then deposit_attempts.attempted_hour
        end as published_hour,
        deposit_attempts.domain,
        deposit_attempts.method,
        deposit_attempts.provider,
        deposit_attempts.status,
        deposit_attempts.error_code,
        deposit_attempts.currency,
        hour_verdicts.verdict != 'withheld' as is_published,
        deposit_attempts.subject_key,
        deposit_attempts.amount_minor,
        deposit_attempts.duration_ns,
        {{ now_utc() }} as labelled_at
    from deposit_attempts
    inner join hour_verdicts
        on {{ same('deposit_attempts', 'hour_verdicts', safe_keys + ['attempted_hour']) }}

)

select * from published
