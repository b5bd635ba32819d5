{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'cohort_date',
        'below': 'int_gaming__lifetime_values',
        'day_below': 'cohort_date',
        'differ_by': 'rows',
        'known': 'int_gaming__cohort_days',
    }}
) }}

-- depends_on: {{ ref('int_gaming__cohort_days') }}
with

days as (

    select
        cohort_kind,
        cohort_date,
        currency,
        day,
        time_zone,
        size,
        subjects,
        net_deposits_minor,
        ltv_minor,
        is_mature,
        {{ now_utc() }} as updated_at
    from {{ ref('int_gaming__lifetime_values') }}
    where {{ is_renewed('cohort_date') }}

)

select * from days
