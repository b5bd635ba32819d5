{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'period_start',
        'below': 'int_platform__losses',
        'day_below': 'period_start',
        'differ_by': 'rows',
    }}
) }}

with

losses as (

    select * from {{ ref('int_platform__losses') }}
    where {{ is_renewed('period_start') }}

),

counted as (

    select
        period_start,
        table_name,
        producer,
        received,
        accepted,
        rejected,
        duplicates,
        bronze,
        silver,
        quarantined,
        numbers,
        gaps,
        missing,
        gap_ranges,
        balanced,
        unbalanced_batches,
        {{ now_utc() }} as updated_at
    from losses

)

select * from counted
