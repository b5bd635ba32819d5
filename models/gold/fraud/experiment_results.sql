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

{%- set names = (experiment_metrics() | list) + ['latency_p95'] -%}
{%- set better_up = [] -%}
{%- for name, metric in experiment_metrics().items() if metric.better == 'up' -%}
    {%- do better_up.append(name) -%}
{%- endfor -%}
{%- set upper = '(1 - ' ~ var('experiment_alpha') ~ ' / 2e0)' %}

-- Which days are made anew, {{ ref('int_fraud__published_experiments') }} says.
with

arms as (

    select * from {{ ref('int_fraud__experiment_arms') }}
    where {{ is_renewed('started_on') }}

),

figures as (

    select * from {{ ref('int_fraud__experiment_figures') }}
    where {{ is_renewed('started_on') }}

),

breaches as (

    select distinct
        experiment_id,
        variant_id
    from {{ ref('experiment_guardrails') }}
    where status = 'violated'

),

metrics as (

    {% for name in names -%}
        select
            '{{ name }}' as metric,
            {{ 1 if name in better_up else -1 }} as good_side
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

measured as (

    select
        arms.experiment_id,
        arms.variant_id,
        arms.is_control,
        metrics.metric,
        metrics.good_side,
        figures.value,
        figures.variance,
        figures.units
    from arms
    cross join metrics
    left join figures
        on
            {{ same('arms', 'figures', ['started_on', 'experiment_id', 'variant_id']) }}
            and metrics.metric = figures.metric

),

-- Each variant beside the control, in units of the metric and in those of the control's value.
held_against as (

    select
        measured.experiment_id,
        measured.variant_id,
        measured.metric,
        measured.units,
        controls.units as control_units,
        measured.value - controls.value as absolute_lift,
        measured.variance as absolute_variance,
        controls.variance as absolute_control_variance,
        {{ ratio('measured.value', 'controls.value') }} - 1 as relative_lift,
        measured.variance / nullif(power(controls.value, 2), 0) as relative_variance,
        power(measured.value, 2) * controls.variance / nullif(power(controls.value, 4), 0)
            as relative_control_variance
    from measured
    inner join measured as controls
        on {{ same('measured', 'controls', ['experiment_id', 'metric']) }}
    where controls.is_control and not measured.is_control

),

scaled as (

    select
        *,
        {{ normal_quantile(upper) }} as normal_reach,
        {%- for scale in ['absolute', 'relative'] %}
            nullif(sqrt({{ scale }}_variance + {{ scale }}_control_variance), 0)
                as {{ scale }}_error,
            {{ satterthwaite(
                scale ~ '_variance', 'units', scale ~ '_control_variance', 'control_units'
            ) }} as {{ scale }}_freedom
            {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from held_against

),

scored as (

    select
        *,
        {%- for scale in ['absolute', 'relative'] %}
            -abs({{ scale }}_lift / {{ scale }}_error) as {{ scale }}_score,
            {{ scale }}_error
            * {{ students_t_quantile(upper, scale ~ '_freedom', 'normal_reach') }}
                as {{ scale }}_reach
            {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from scaled

),

-- Beyond all digits a p-value may be below 0.
tested as (

    select
        *,
        {%- for scale in ['absolute', 'relative'] %}
            abs(2 * {{ students_t_cdf(scale ~ '_score', scale ~ '_freedom') }})
                as {{ scale }}_p_value
            {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from scored

),

-- The relative lift decides; where the control has nothing to relate to, the absolute one.
compared as (

    select
        *,
        coalesce(relative_p_value, absolute_p_value) < {{ var('experiment_alpha') }}
            as is_significant
    from tested

),

judged as (

    select
        arms.experiment_id,
        arms.variant_id,
        arms.has_ratio_mismatch,
        compared.is_significant,
        compared.absolute_lift * metrics.good_side as gain,
        breaches.variant_id is not null as is_breached
    from arms
    left join compared
        on
            {{ same('arms', 'compared', ['experiment_id', 'variant_id']) }}
            and arms.primary_metric = compared.metric
    left join metrics on arms.primary_metric = metrics.metric
    left join breaches on {{ same('arms', 'breaches', ['experiment_id', 'variant_id']) }}
    where not arms.is_control

),

concluded as (

    select
        experiment_id,
        variant_id,
        gain,
        case
            when has_ratio_mismatch then 'sample_ratio_mismatch'
            when is_breached then 'guardrail_violated'
            when is_significant is null then 'untested'
            when is_significant and gain > 0 then 'better'
            when is_significant then 'worse'
            else 'undecided'
        end as conclusion
    from judged

),

winners as (

    select
        *,
        row_number() over (
            partition by experiment_id order by gain desc, variant_id asc
        ) as place
    from concluded
    where conclusion = 'better'

),

impacts as (

    select
        experiment_id,
        variant_id,
        {%- for metric in ['precision', 'recall', 'false_positive_cost'] %}
            max(case when metric = '{{ metric }}' then absolute_lift end) as {{ metric }}_change
            {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from compared
    group by experiment_id, variant_id

),

results as (

    select
        arms.started_on,
        arms.experiment_id,
        arms.variant_id,
        arms.is_control,
        arms.status,
        measured.metric,
        coalesce(arms.primary_metric = measured.metric, false) as is_primary,
        arms.decisions,
        arms.expected_share,
        arms.actual_share,
        arms.ratio_p_value,
        arms.has_ratio_mismatch,
        measured.value as metric_value,
        {%- for scale in ['absolute', 'relative'] %}
            compared.{{ scale }}_lift,
            compared.{{ scale }}_lift - compared.{{ scale }}_reach as {{ scale }}_lift_low,
            compared.{{ scale }}_lift + compared.{{ scale }}_reach as {{ scale }}_lift_high,
            compared.{{ scale }}_p_value,
        {%- endfor %}
        compared.is_significant,
        winners.variant_id as winner,
        concluded.conclusion,
        case
            when concluded.variant_id is null then null
            when concluded.variant_id = winners.variant_id then 'promote'
            when concluded.conclusion in ('worse', 'guardrail_violated') then 'reject'
            else 'extend'
        end as recommendation,
        impacts.precision_change,
        impacts.recall_change,
        cast({{ rounded('-impacts.false_positive_cost_change * arms.decisions') }} as int64)
            as cost_savings_minor,
        nullif(arms.subjects, 0) as subjects,
        arms.labelled_at as updated_at
    from arms
    inner join measured on {{ same('arms', 'measured', ['experiment_id', 'variant_id']) }}
    left join compared
        on {{ same('measured', 'compared', ['experiment_id', 'variant_id', 'metric']) }}
    left join concluded on {{ same('arms', 'concluded', ['experiment_id', 'variant_id']) }}
    left join winners on arms.experiment_id = winners.experiment_id and winners.place = 1
    left join impacts on {{ same('arms', 'impacts', ['experiment_id', 'variant_id']) }}

)

select * from results
