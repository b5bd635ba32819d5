{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'decided_on',
        'below': 'int_fraud__contributions',
        'day_below': 'decided_on',
        'differ_by': ['batch_id'],
    }}
) }}

-- A feature is told of a day where k people and 100 transactions have it.
with

contributions as (

    select * from {{ ref('int_fraud__contributions') }}
    where {{ is_renewed('decided_on') }}

),

feature_verdicts as (

    {{ k_merge(
        relation='contributions',
        dimension='feature',
        subject='subject_key',
        partition_by=['decided_on', 'method'],
        at_least={'transaction_key': var('cohort_transactions')}
    ) }}

),

named as (

    select
        contributions.event_id,
        contributions.batch_id,
        contributions.decided_on,
        contributions.method,
        contributions.contribution,
        contributions.transaction_key,
        contributions.subject_key,
        feature_verdicts.verdict != 'withheld' as is_published,
        case when feature_verdicts.verdict = 'alone' then contributions.feature else 'Other' end
            as feature
    from contributions
    inner join feature_verdicts
        on {{ same('contributions', 'feature_verdicts', ['decided_on', 'method', 'feature']) }}

),

{{ told_outcomes('named', contribution_outcomes(), 'subject_key', into='judged') }}

{{ told_means('judged', ['decided_on', 'method', 'feature'], 'subject_key', 'contribution') }}

published as (

    select
        judged.event_id,
        judged.batch_id,
        judged.decided_on,
        judged.method,
        judged.feature,
        judged.is_published,
        judged.raised_level,
        judged.transaction_key,
        judged.subject_key,
        judged.contribution,
        judged.is_published and coalesce(mean_cells.may_be_told, false) as has_mean,
        {{ now_utc() }} as labelled_at
    from judged
    left join mean_cells on {{ same('judged', 'mean_cells', ['decided_on', 'method', 'feature']) }}

)

select * from published
