{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'decided_month',
        'below': 'int_fraud__decisions',
        'day_below': month_start(utc_day('decided_at')),
        'differ_by': ['batch_id', 'label_kind'],
    }}
) }}

-- The words by which decisions are told are our own: 100 rows pass, whoever they are of. Hours and
-- models are each a split of the day, and never crossed. A month is labelled as a whole, since what
-- its days do not tell of outcomes is told of it.
with

decisions as (

    select
        *,
        {{ utc_day('decided_at') }} as decided_on,
        {{ utc_hour('decided_at') }} as decided_hour,
        {{ month_start(utc_day('decided_at')) }} as decided_month,
        model_version || {{ unit_separator() }} || model_provider as model_name
    from {{ ref('int_fraud__decisions') }}
    where {{ is_renewed(month_start(utc_day('decided_at'))) }}

),

{{ published_blocks(
    relation='decisions',
    subject='subject_key',
    keys=['decided_on'],
    labels=[],
    hour='decided_hour',
    safe_rows=var('safe_rows')
) }}

model_verdicts as (

    {{ k_merge(
        relation='decisions',
        dimension='model_name',
        subject='subject_key',
        partition_by=['decided_on'],
        safe_rows=var('safe_rows')
    ) }}

),

named as (

    select
        blocks.event_id,
        blocks.batch_id,
        blocks.decided_on,
        blocks.decided_month,
        blocks.published_decided_hour as decided_hour,
        blocks.is_published,
        blocks.subject_key,
        blocks.decision,
        blocks.is_positive,
        blocks.label_kind,
        blocks.is_fraud,
        blocks.label_delay_hours,
        blocks.is_chargeback,
        blocks.false_positive_cost_minor,
        blocks.currency,
        blocks.overridden_decision,
        blocks.model_latency_ms,
        blocks.rule_latency_ms,
        blocks.total_latency_ms,
        coalesce(extract(hour from blocks.published_decided_hour), -1) as told_hour,
        case when model_verdicts.verdict = 'alone' then blocks.model_version else 'Other' end
            as model_version,
        case when model_verdicts.verdict = 'alone' then blocks.model_provider else 'Other' end
            as model_provider
    from blocks
    inner join model_verdicts
        on {{ same('blocks', 'model_verdicts', ['decided_on', 'model_name']) }}

),

{{ told_outcomes('named', decision_outcomes('told_hour'), 'subject_key', into='judged') }}

-- A sum says more of one person than a count does.
costs_of_people as (

    select
        decided_on,
        subject_key,
        sum(false_positive_cost_minor) as cost_minor,
        count(false_positive_cost_minor) as cost_rows
    from judged
    where is_published
    group by decided_on, subject_key

),

cost_days as (

    select
        decided_on,
        sum(cost_rows) = 0
        or (
            count(case when cost_rows > 0 then subject_key end) >= {{ var('k') }}
            and 2 * max(cost_minor) <= sum(cost_minor)
        ) as may_be_told
    from costs_of_people
    group by decided_on

),

published as (

    select
        judged.event_id,
        judged.batch_id,
        judged.decided_on,
        judged.decided_month,
        judged.decided_hour,
        judged.model_version,
        judged.model_provider,
        judged.is_published,
        {%- for outcome in decision_outcomes() %}
            judged.{{ outcome }}_level,
        {%- endfor %}
        judged.subject_key,
        judged.decision,
        judged.is_positive,
        judged.label_kind,
        judged.is_fraud,
        judged.label_delay_hours,
        judged.is_chargeback,
        judged.false_positive_cost_minor,
        judged.currency,
        judged.overridden_decision,
        judged.model_latency_ms,
        judged.rule_latency_ms,
        judged.total_latency_ms,
        judged.cost_level >= 2 and coalesce(cost_days.may_be_told, false) as has_costs,
        {{ now_utc() }} as labelled_at
    from judged
    left join cost_days on judged.decided_on = cost_days.decided_on

)

select * from published
