{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'started_on',
        'below': 'int_fraud__experiment_decisions',
        'day_below': 'started_on',
        'differ_by': ['batch_id', 'label_kind'],
    }}
) }}

-- A variant with too few people is told nowhere, and no total is told that it could be taken off.
with

decisions as (

    select * from {{ ref('int_fraud__experiment_decisions') }}
    where {{ is_renewed('started_on') }}

),

variant_verdicts as (

    {{ k_merge(
        relation='decisions',
        dimension='variant_id',
        subject='subject_key',
        partition_by=['started_on', 'experiment_id'],
        at_least={'event_id': var('experiment_decisions')},
        small_remainder='withhold'
    ) }}

),

-- What nobody ever says of an experiment is not measured in it, and no 0.
measured as (

    select
        experiment_id,
        count(is_converted) > 0 as has_conversions,
        count(is_authorized) > 0 as has_authorizations,
        count(distinct case when false_positive_cost_minor is not null then currency end) < 2
            as has_one_currency
    from decisions
    group by experiment_id

),

named as (

    select
        decisions.*,
        measured.has_conversions,
        measured.has_authorizations,
        measured.has_one_currency,
        variant_verdicts.verdict = 'alone' as is_published
    from decisions
    inner join variant_verdicts
        on
            {{ same(
                'decisions', 'variant_verdicts', ['started_on', 'experiment_id', 'variant_id']
            ) }}
    inner join measured on decisions.experiment_id = measured.experiment_id

),

{{ told_outcomes('named', experiment_outcomes(), 'subject_key', into='judged') }}

-- A sum says more of one person than a count does, and a sum of squares more than a sum.
costs_of_people as (

    select
        experiment_id,
        variant_id,
        subject_key,
        cast(sum(false_positive_cost_minor) as float64) as cost_minor,
        count(false_positive_cost_minor) as cost_rows
    from judged
    where is_published
    group by experiment_id, variant_id, subject_key

),

cost_variants as (

    select
        experiment_id,
        variant_id,
        sum(cost_rows) = 0
        or (
            count(case when cost_rows > 0 then subject_key end) >= {{ var('k') }}
            and 2 * max(cost_minor * cost_minor) <= sum(cost_minor * cost_minor)
        ) as may_be_told
    from costs_of_people
    group by experiment_id, variant_id

),

published as (

    select
        judged.event_id,
        judged.batch_id,
        judged.started_on,
        judged.experiment_id,
        judged.variant_id,
        judged.is_published,
        {%- for outcome in experiment_outcomes() %}
            judged.{{ outcome }}_level,
        {%- endfor %}
        judged.subject_key,
        judged.decision,
        judged.is_positive,
        judged.label_kind,
        judged.is_fraud,
        judged.is_authorized,
        judged.is_converted,
        judged.false_positive_cost_minor,
        judged.currency,
        judged.total_latency_ms,
        judged.conversion_level >= 2 and judged.has_conversions as has_conversion,
        judged.authorization_level >= 2 and judged.has_authorizations as has_authorization,
        judged.cost_level >= 2
        and judged.has_one_currency
        and coalesce(cost_variants.may_be_told, false) as has_cost,
        {{ now_utc() }} as labelled_at
    from judged
    left join cost_variants
        on {{ same('judged', 'cost_variants', ['experiment_id', 'variant_id']) }}

)

select * from published
