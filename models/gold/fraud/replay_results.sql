{{ config(materialized='table') }}

{%- set sides = {'original': 'is_positive', 'replay': 'is_replay_positive'} -%}
{%- set swaps = {
    'newly_held': 'not is_positive and is_replay_positive',
    'newly_approved': 'is_positive and not is_replay_positive',
} -%}
{%- set truths = {
    'frauds': 'is_fraud', 'honest': 'not is_fraud', 'unknown': 'is_fraud is null',
} -%}

with

decisions as (

    select * from {{ ref('int_fraud__published_replays') }}
    where is_published

),

replays as (

    select * from {{ ref('int_fraud__replays') }}

),

counted as (

    select
        starts_on,
        scenario_id,
        count(*) as decisions,
        {{ told_decisions('verdict', 'decision != replay_decision', 1) }} as decisions_changed,
        {%- for side, positive in sides.items() %}
            {{ told_decisions('truth', positive ~ ' and is_fraud', 1) }}
                as {{ side }}_true_positives,
            {{ told_decisions('truth', positive ~ ' and not is_fraud', 1) }}
                as {{ side }}_false_positives,
            {{ told_decisions('truth', 'not ' ~ positive ~ ' and not is_fraud', 1) }}
                as {{ side }}_true_negatives,
            {{ told_decisions('truth', 'not ' ~ positive ~ ' and is_fraud', 1) }}
                as {{ side }}_false_negatives,
            {{ told_decisions('truth', positive ~ ' and is_fraud is null', 1) }}
                as {{ side }}_unknown_positives,
            {{ told_decisions('truth', 'not ' ~ positive ~ ' and is_fraud is null', 1) }}
                as {{ side }}_unknown_negatives,
        {%- endfor %}
        {%- for swap, condition in swaps.items() %}
            {%- for truth, is_so in truths.items() %}
                {{ told_decisions('truth', condition ~ ' and ' ~ is_so, 1) }}
                    as {{ swap }}_{{ truth }},
            {%- endfor %}
        {%- endfor %}
        avg(case when has_cost then false_positive_cost_minor end) as mean_cost_minor,
        max(case when has_cost then currency end) as cost_currency,
        count(distinct subject_key) as subjects
    from decisions
    group by starts_on, scenario_id

),

measured as (

    select
        *,
        {%- for side in sides %}
            {%- set found, wrong, missed = (
                side ~ '_true_positives', side ~ '_false_positives', side ~ '_false_negatives'
            ) %}
            {{ precision_of(found, wrong) }} as {{ side }}_precision,
            {{ recall_of(found, missed) }} as {{ side }}_recall,
            {{ f1_of(found, wrong, missed) }} as {{ side }}_f1,
        {%- endfor %}
        replay_false_positives - original_false_positives as false_positive_change,
        replay_false_negatives - original_false_negatives as false_negative_change
    from counted

),

results as (

    select
        measured.starts_on,
        replays.ends_on,
        measured.scenario_id,
        replays.status,
        measured.decisions,
        measured.decisions_changed,
        {%- for side in sides %}
            measured.{{ side }}_true_positives,
            measured.{{ side }}_false_positives,
            measured.{{ side }}_true_negatives,
            measured.{{ side }}_false_negatives,
            measured.{{ side }}_unknown_positives,
            measured.{{ side }}_unknown_negatives,
            measured.{{ side }}_precision,
            measured.{{ side }}_recall,
            measured.{{ side }}_f1,
        {%- endfor %}
        measured.false_positive_change,
        measured.false_negative_change,
        {%- for swap in swaps %}
            {%- for truth in truths %}
                measured.{{ swap }}_{{ truth }},
            {%- endfor %}
        {%- endfor %}
        measured.cost_currency,
        measured.subjects,
        100 * {{ ratio('measured.decisions_changed', 'measured.decisions') }}
            as decisions_changed_percent,
        measured.replay_precision - measured.original_precision as precision_delta,
        measured.replay_recall - measured.original_recall as recall_delta,
        measured.replay_f1 - measured.original_f1 as f1_delta,
        cast(
            {{ rounded('-measured.mean_cost_minor * measured.false_positive_change') }} as int64
        ) as cost_savings_minor,
        {{ now_utc() }} as updated_at
    from measured
    inner join replays on {{ same('measured', 'replays', ['starts_on', 'scenario_id']) }}

)

select * from results
