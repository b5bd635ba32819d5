{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'weeks': 'period_start',
        'below': 'int_access__published_attempts',
        'day_below': 'attempted_on',
    }}
) }}

-- depends_on: {{ ref('int_access__published_attempts') }}

with

typos as (

    select * from {{ ref('int_access__published_typos') }}
    where is_published

),

weeks as (

    select
        attempted_week as period_start,
        typed_domain,
        suggested_domain,
        typo_kind,
        count(*) as attempts,
        count(distinct subject_key) as subjects,
        max(labelled_at) as updated_at
    from typos
    group by attempted_week, typed_domain, suggested_domain, typo_kind

)

select * from weeks
