{{ config(
    materialized='incremental',
    pre_hook="{{ forget_weeks(ref('int_access__published_attempts'), 'attempted_on', 'period_start') }}"
) }}

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
