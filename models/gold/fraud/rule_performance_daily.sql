{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'period_start',
        'below': 'int_fraud__published_rules',
        'day_below': 'decided_on',
        'differ_by': 'labels',
    }}
) }}

with

published_rules as (

    select * from {{ ref('int_fraud__published_rules') }}
    where is_published and {{ is_renewed('decided_on') }}

),

counted as (

    select
        decided_on,
        rule_version,
        rule_id,
        count(*) as evaluated,
        count(distinct transaction_key) as transactions,
        sum(conditions) as conditions,
        case when min(matched_level) = 1 then sum(conditions_matched) end as conditions_matched,
        {{ told_decisions('fired', 'has_fired', 1) }} as fired,
        {{ told_decisions('overlap', 'has_fired_with_others', 1) }} as fired_with_others,
        {{ told_decisions('truth', 'has_fired and is_fraud', 1) }} as true_positives,
        {{ told_decisions('truth', 'has_fired and not is_fraud', 1) }} as false_positives,
        {{ told_decisions('truth', 'has_fired and is_fraud is null', 1) }} as fired_unlabelled,
        {{ shown_people('subject_key') }} as subjects,
        case when min(cast(has_mean as int64)) = 1 then avg(score) end as mean_score,
        max(labelled_at) as updated_at
    from published_rules
    group by decided_on, rule_version, rule_id

),

days as (

    select
        decided_on as period_start,
        rule_version,
        rule_id,
        evaluated,
        transactions,
        transactions >= {{ var('cohort_transactions') }} as meets_minimum,
        fired,
        {{ ratio('fired', 'evaluated') }} as fired_rate,
        {{ rounded('mean_score', 6) }} as mean_score,
        {{ ratio('conditions_matched', 'conditions') }} as condition_match_rate,
        true_positives,
        false_positives,
        fired_unlabelled,
        {{ precision_of('true_positives', 'false_positives') }} as precision_rate,
        fired_with_others,
        {{ ratio('fired_with_others', 'fired') }} as overlap_rate,
        subjects,
        updated_at
    from counted

)

select * from days
