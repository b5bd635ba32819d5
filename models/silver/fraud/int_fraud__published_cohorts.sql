{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'decided_month',
        'below': 'int_fraud__published_decisions',
        'day_below': 'decided_month',
        'differ_by': 'labels',
    }}
) }}

{#- Merchants and devices are pseudonyms, all others words. -#}
{%- set pseudonyms = {'merchant': 'merchant_key', 'device': 'device_key'} -%}
{%- set words = {
    'channel': 'channel',
    'geography': 'country',
    'risk_band': 'risk_band',
    'model_version': 'model_version',
    'rule_version': 'rule_version',
} %}

-- Each dimension is a split of the month of its own.
with

published_decisions as (

    select * from {{ ref('int_fraud__published_decisions') }}
    where is_published and {{ is_renewed('decided_month') }}

),

decisions as (

    select * from {{ ref('int_fraud__decisions') }}
    where {{ is_renewed(month_start(utc_day('decided_at'))) }}

),

buckets as (

    select * from {{ ref('amount_buckets') }}

),

described as (

    select
        published_decisions.event_id,
        published_decisions.batch_id,
        published_decisions.decided_month,
        published_decisions.subject_key,
        published_decisions.is_positive,
        published_decisions.is_fraud,
        published_decisions.labelled_at as updated_at,
        decisions.transaction_key,
        decisions.merchant_key,
        decisions.device_key,
        decisions.channel,
        decisions.country,
        decisions.model_version,
        decisions.rule_version,
        buckets.label as risk_band
    from published_decisions
    inner join decisions on published_decisions.event_id = decisions.event_id
    inner join buckets on {{ bucket('decisions.final_score', 'buckets', 'risk_band') }}

),

members as (

    {% for dimension, pseudonym in pseudonyms.items() -%}
        select
            event_id,
            batch_id,
            decided_month,
            '{{ dimension }}' as dimension,
            case when {{ pseudonym }} is null then 'unknown' end as word,
            {{ pseudonym }} as cohort_key,
            transaction_key,
            subject_key,
            is_positive,
            is_fraud,
            updated_at
        from described
        union all
    {% endfor -%}
    {% for dimension, word in words.items() -%}
        select
            event_id,
            batch_id,
            decided_month,
            '{{ dimension }}' as dimension,
            coalesce({{ word }}, 'unknown') as word,
            cast(null as string) as cohort_key,
            transaction_key,
            subject_key,
            is_positive,
            is_fraud,
            updated_at
        from described
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

cohorts as (

    select
        *,
        coalesce(cohort_key, word) as cohort
    from members

),

cohort_verdicts as (

    {{ k_merge(
        relation='cohorts',
        dimension='cohort',
        subject='subject_key',
        partition_by=['decided_month', 'dimension'],
        at_least={'transaction_key': var('cohort_transactions')}
    ) }}

),

named as (

    select
        cohorts.event_id,
        cohorts.batch_id,
        cohorts.decided_month,
        cohorts.dimension,
        cohorts.transaction_key,
        cohorts.subject_key,
        cohorts.is_positive,
        cohorts.is_fraud,
        cohorts.updated_at,
        cohort_verdicts.verdict != 'withheld' as is_published,
        case when cohort_verdicts.verdict = 'alone' then cohorts.word else 'Other' end as word,
        case when cohort_verdicts.verdict = 'alone' then cohorts.cohort_key end as cohort_key,
        case when cohort_verdicts.verdict = 'alone' then cohorts.cohort else 'Other' end as cohort
    from cohorts
    inner join cohort_verdicts
        on {{ same('cohorts', 'cohort_verdicts', ['decided_month', 'dimension', 'cohort']) }}

),

{{ told_outcomes('named', cohort_outcomes('cohort'), 'subject_key', into='judged') }}

published as (

    select
        event_id,
        batch_id,
        decided_month,
        dimension,
        word,
        cohort_key,
        is_published,
        truth_level,
        transaction_key,
        subject_key,
        is_positive,
        is_fraud,
        updated_at,
        {{ now_utc() }} as labelled_at
    from judged

)

select * from published
