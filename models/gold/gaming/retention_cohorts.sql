{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'cohort_date',
        'below': 'int_gaming__retention',
        'day_below': 'cohort_date',
        'differ_by': 'rows',
        'known': 'int_gaming__cohort_days',
    }}
) }}

-- depends_on: {{ ref('int_gaming__cohort_days') }}
with

cells as (

    select
        cohort_kind,
        cohort_date,
        brand,
        day,
        time_zone,
        size,
        subjects,
        returned,
        rate,
        returned_on_or_after,
        rate_on_or_after,
        is_mature,
        {{ now_utc() }} as updated_at
    from {{ ref('int_gaming__retention') }}
    where {{ is_renewed('cohort_date') }}

)

select * from cells
