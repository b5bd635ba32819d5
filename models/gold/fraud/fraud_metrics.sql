{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'ends_on',
        'below': 'int_fraud__published_decisions',
        'day_below': 'decided_on',
        'differ_by': 'labels',
        'reach': 29,
    }}
) }}

{%- set windows = {'24h': 1, '7d': 7, '30d': 30} %}
{%- set keys = ['time_window', 'window_start', 'window_end', 'ends_on'] %}
{%- set read = [
    'subject_key', 'decision', 'is_positive', 'is_fraud',
    'label_delay_hours', 'is_chargeback', 'false_positive_cost_minor', 'currency',
    'has_costs', 'verdict_level', 'truth_level', 'chargeback_level',
    'model_latency_ms', 'rule_latency_ms', 'total_latency_ms',
] %}

-- A window of days ends with a day on which something was decided. What no hour of a day tells is
-- in these windows alone.
with

published_decisions as (

    select * from {{ ref('int_fraud__published_decisions') }}
    where is_published

),

days as (

    select
        decided_on as ends_on,
        max(labelled_at) as updated_at
    from published_decisions
    where {{ is_renewed('decided_on') }}
    group by decided_on

),

placed as (

    {% for name, length in windows.items() -%}
        select
            '{{ name }}' as time_window,
            days.ends_on,
            {{ qualified('published_decisions', read) }},
            {{ length * 1440 }} as minutes,
            2 as needs,
            cast(days.ends_on - {{ length - 1 }} as timestamp) as window_start,
            cast(days.ends_on + 1 as timestamp) as window_end
        from days
        inner join published_decisions
            on
                published_decisions.decided_on
                between days.ends_on - {{ length - 1 }} and days.ends_on
        union all
    {% endfor -%}
    select
        '1h' as time_window,
        days.ends_on,
        {{ qualified('published_decisions', read) }},
        60 as minutes,
        3 as needs,
        published_decisions.decided_hour as window_start,
        {{ hour_after('published_decisions.decided_hour') }} as window_end
    from days
    inner join published_decisions on days.ends_on = published_decisions.decided_on
    where published_decisions.decided_hour is not null

),

{{ decision_windows('placed', keys) }}

windows as (

    select
        figures.time_window,
        figures.window_start,
        figures.window_end,
        figures.ends_on,
        figures.decisions,
        figures.approved,
        figures.declined,
        figures.review,
        figures.approval_rate,
        figures.true_positives,
        figures.false_positives,
        figures.true_negatives,
        figures.false_negatives,
        figures.labelled,
        figures.unlabelled,
        figures.label_delay_hours,
        figures.precision_rate,
        figures.recall_rate,
        figures.capture_rate,
        figures.f1_score,
        figures.chargebacks,
        figures.chargeback_rate,
        figures.false_positive_cost_minor,
        figures.cost_currency,
        figures.average_false_positive_cost_minor,
        figures.false_positives_without_cost,
        {%- for latency in ['model', 'rule', 'total'] %}
            figures.{{ latency }}_p50_ms,
            figures.{{ latency }}_p95_ms,
            figures.{{ latency }}_p99_ms,
        {%- endfor %}
        figures.decisions_per_minute,
        figures.subjects,
        days.updated_at
    from figures
    inner join days on figures.ends_on = days.ends_on

)

select * from windows
