{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'period_start',
        'below': 'int_fraud__published_contributions',
        'day_below': 'decided_on',
        'differ_by': 'labels',
    }}
) }}

with

published_contributions as (

    select * from {{ ref('int_fraud__published_contributions') }}
    where is_published and {{ is_renewed('decided_on') }}

),

counted as (

    select
        decided_on,
        method,
        feature,
        count(*) as contributions,
        count(distinct event_id) as decisions,
        count(distinct transaction_key) as transactions,
        {{ told_decisions('raised', 'contribution > 0', 1) }} as raising,
        {{ shown_people('subject_key') }} as subjects,
        case when min(cast(has_mean as int64)) = 1 then avg(contribution) end as mean_contribution,
        case when min(cast(has_mean as int64)) = 1 then avg(abs(contribution)) end
            as mean_importance,
        max(labelled_at) as updated_at
    from published_contributions
    group by decided_on, method, feature

),

days as (

    select
        decided_on as period_start,
        method,
        feature,
        decisions,
        contributions,
        transactions,
        transactions >= {{ var('cohort_transactions') }} as meets_minimum,
        {{ rounded('mean_contribution', 6) }} as mean_contribution,
        {{ rounded('mean_importance', 6) }} as mean_importance,
        {{ ratio('raising', 'contributions') }} as raising_rate,
        subjects,
        updated_at
    from counted

)

select * from days
