{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'decided_on',
        'below': 'int_fraud__evaluated_rules',
        'day_below': 'decided_on',
        'differ_by': ['batch_id', 'label_kind'],
    }}
) }}

-- A rule is told of a day where it was asked of k people and 100 transactions.
with

evaluated as (

    select
        *,
        rule_version || {{ unit_separator() }} || rule_id as rule_name
    from {{ ref('int_fraud__evaluated_rules') }}
    where {{ is_renewed('decided_on') }}

),

rule_verdicts as (

    {{ k_merge(
        relation='evaluated',
        dimension='rule_name',
        subject='subject_key',
        partition_by=['decided_on'],
        at_least={'transaction_key': var('cohort_transactions')}
    ) }}

),

named as (

    select
        evaluated.event_id,
        evaluated.batch_id,
        evaluated.decided_on,
        evaluated.has_fired,
        evaluated.has_fired_with_others,
        evaluated.score,
        evaluated.conditions,
        evaluated.conditions_matched,
        evaluated.is_fraud,
        evaluated.label_kind,
        evaluated.transaction_key,
        evaluated.subject_key,
        rule_verdicts.verdict != 'withheld' as is_published,
        case when rule_verdicts.verdict = 'alone' then evaluated.rule_version else 'Other' end
            as rule_version,
        case when rule_verdicts.verdict = 'alone' then evaluated.rule_id else 'Other' end as rule_id
    from evaluated
    inner join rule_verdicts
        on {{ same('evaluated', 'rule_verdicts', ['decided_on', 'rule_name']) }}

),

{{ told_outcomes('named', rule_outcomes(), 'subject_key', into='judged') }}

{{ told_means('judged', ['decided_on', 'rule_version', 'rule_id'], 'subject_key', 'score') }}

published as (

    select
        judged.event_id,
        judged.batch_id,
        judged.decided_on,
        judged.rule_version,
        judged.rule_id,
        judged.is_published,
        {%- for outcome in rule_outcomes() %}
            judged.{{ outcome }}_level,
        {%- endfor %}
        judged.transaction_key,
        judged.subject_key,
        judged.has_fired,
        judged.has_fired_with_others,
        judged.score,
        judged.conditions,
        judged.conditions_matched,
        judged.is_fraud,
        judged.label_kind,
        judged.is_published and coalesce(mean_cells.may_be_told, false) as has_mean,
        {{ now_utc() }} as labelled_at
    from judged
    left join mean_cells
        on {{ same('judged', 'mean_cells', ['decided_on', 'rule_version', 'rule_id']) }}

)

select * from published
