{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'started_on',
        'below': 'int_fraud__published_experiments',
        'day_below': 'started_on',
        'differ_by': 'labels',
    }}
) }}

{%- set cell = ['started_on', 'experiment_id', 'variant_id', 'metric', 'direction'] %}

with

arms as (

    select * from {{ ref('int_fraud__experiment_arms') }}
    where {{ is_renewed('started_on') }}

),

guardrails as (

    select * from {{ ref('int_fraud__experiment_guardrails') }}
    where {{ is_renewed('started_on') }}

),

figures as (

    select * from {{ ref('int_fraud__experiment_figures') }}
    where {{ is_renewed('started_on') }}

),

published as (

    select * from {{ ref('int_fraud__published_experiments') }}
    where is_published and {{ is_renewed('started_on') }}

),

-- A percentile is beyond a threshold where more than 5% of the decisions are: that is a share, of
-- which it is known how people differ.
slow_people as (

    select
        published.started_on,
        published.experiment_id,
        published.variant_id,
        guardrails.metric,
        guardrails.direction,
        published.subject_key,
        sum(case when published.total_latency_ms > guardrails.threshold then 1e0 else 0e0 end)
            as part,
        sum(1e0) as whole
    from published
    inner join guardrails on {{ same('published', 'guardrails', ['started_on', 'experiment_id']) }}
    where guardrails.metric = 'latency_p95'
    group by
        published.started_on,
        published.experiment_id,
        published.variant_id,
        guardrails.metric,
        guardrails.direction,
        published.subject_key

),

{{ ratios_of_people('slow_people', cell, into='slow_shares') }}

measured as (

    select
        arms.started_on,
        arms.experiment_id,
        arms.variant_id,
        arms.is_control,
        arms.decisions,
        arms.subjects,
        arms.labelled_at,
        guardrails.metric,
        guardrails.direction,
        guardrails.threshold,
        guardrails.action,
        figures.value as current_value,
        figures.units - 1 as freedom,
        case when guardrails.direction = 'above' then 1 else -1 end as bad_side,
        case
            when guardrails.metric = 'latency_p95' then slow_shares.value - 0.05
            else figures.value - guardrails.threshold
        end as distance,
        nullif(sqrt(coalesce(figures.variance, slow_shares.variance)), 0) as standard_error
    from arms
    inner join guardrails on {{ same('arms', 'guardrails', ['started_on', 'experiment_id']) }}
    left join figures
        on
            {{ same('guardrails', 'figures', ['started_on', 'experiment_id', 'metric']) }}
            and arms.variant_id = figures.variant_id
    left join slow_shares
        on
            {{ same(
                'guardrails', 'slow_shares', ['started_on', 'experiment_id', 'metric', 'direction']
            ) }}
            and arms.variant_id = slow_shares.variant_id

),

scored as (

    select
        *,
        bad_side * (current_value - threshold) > 0 as is_past,
        abs(current_value - threshold) <= {{ var('guardrail_margin') }} * threshold as is_near,
        case
            when current_value is not null then -bad_side * distance / standard_error
        end as score
    from measured

),

tested as (

    select
        *,
        -- Beyond all digits it may be below 0.
        abs({{ students_t_cdf('score', 'freedom') }}) as p_value
    from scored

),

guarded as (

    select
        started_on,
        experiment_id,
        variant_id,
        is_control,
        metric,
        direction,
        threshold,
        action,
        decisions,
        current_value,
        p_value,
        case
            when current_value is null then 'untold'
            when is_past and coalesce(p_value < {{ var('experiment_alpha') }}, false)
                then 'violated'
            when is_past or is_near then 'warning'
            else 'ok'
        end as status,
        nullif(subjects, 0) as subjects,
        labelled_at as updated_at
    from tested

)

select * from guarded
