{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'period_start',
        'below': 'int_fraud__published_decisions',
        'day_below': 'decided_on',
        'differ_by': 'labels',
    }}
) }}

{%- set keys = ['decided_on', 'model_version', 'model_provider'] %}

with

published_decisions as (

    select * from {{ ref('int_fraud__published_decisions') }}
    where is_published and {{ is_renewed('decided_on') }}

),

counted as (

    select
        {{ keys | join(', ') }},
        count(*) as decisions,
        {{ confusion_counts('model', 3) }},
        {%- for direction in ['any', 'released', 'held', 'other'] %}
            {{ told_decisions('override', is_overridden(direction), 3) }}
                as {{ direction }}_overrides,
        {%- endfor %}
        {{ shown_people('subject_key') }} as subjects,
        max(labelled_at) as updated_at
    from published_decisions
    group by {{ keys | join(', ') }}

),

days as (

    select
        decided_on as period_start,
        model_version,
        model_provider,
        decisions,
        true_positives,
        false_positives,
        true_negatives,
        false_negatives,
        labelled,
        unlabelled,
        {{ accuracy_of('true_positives', 'false_positives', 'true_negatives', 'false_negatives') }}
            as accuracy_rate,
        {{ precision_of('true_positives', 'false_positives') }} as precision_rate,
        {{ recall_of('true_positives', 'false_negatives') }} as recall_rate,
        {{ f1_of('true_positives', 'false_positives', 'false_negatives') }} as f1_score,
        any_overrides as overrides,
        {{ ratio('any_overrides', 'decisions') }} as override_rate,
        released_overrides as overridden_to_release,
        held_overrides as overridden_to_hold,
        other_overrides as overridden_otherwise,
        subjects,
        updated_at
    from counted

)

select * from days
