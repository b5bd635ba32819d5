{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'period_start',
        'below': 'int_fraud__published_cohorts',
        'day_below': 'decided_month',
        'differ_by': 'labels',
    }}
) }}

{%- set counts = ['true_positives', 'false_positives', 'true_negatives', 'false_negatives'] %}
{%- set tested = {
    'precision': ['true_positives', 'predicted_positives'],
    'recall': ['true_positives', 'frauds'],
} %}

-- A cohort is part of the whole, so it is held against the rest of it.
with

members as (

    select
        *,
        coalesce(word, cohort_key) as cohort
    from {{ ref('int_fraud__published_cohorts') }}
    where is_published and {{ is_renewed('decided_month') }}

),

counted as (

    select
        decided_month,
        dimension,
        cohort,
        word,
        cohort_key,
        count(*) as decisions,
        count(distinct transaction_key) as transactions,
        {{ confusion_counts('truth', 2) }},
        {{ shown_people('subject_key') }} as subjects,
        max(labelled_at) as updated_at
    from members
    group by decided_month, dimension, cohort, word, cohort_key

),

wholes as (

    select
        decided_month,
        dimension,
        {{ confusion_counts('truth', 1) }}
    from members
    group by decided_month, dimension

),

rated as (

    select
        counted.*,
        counted.true_positives + counted.false_positives as predicted_positives,
        counted.true_positives + counted.false_negatives as frauds,
        wholes.true_positives - counted.true_positives as rest_true_positives,
        wholes.true_positives + wholes.false_positives
        - counted.true_positives - counted.false_positives as rest_predicted_positives,
        wholes.true_positives + wholes.false_negatives
        - counted.true_positives - counted.false_negatives as rest_frauds,
        {{ precision_of('counted.true_positives', 'counted.false_positives') }} as precision_rate,
        {{ recall_of('counted.true_positives', 'counted.false_negatives') }} as recall_rate,
        {{ f1_of('counted.true_positives', 'counted.false_positives', 'counted.false_negatives') }}
            as f1_score,
        {{ precision_of('wholes.true_positives', 'wholes.false_positives') }} as overall_precision,
        {{ recall_of('wholes.true_positives', 'wholes.false_negatives') }} as overall_recall,
        {{ f1_of('wholes.true_positives', 'wholes.false_positives', 'wholes.false_negatives') }}
            as overall_f1
    from counted
    inner join wholes on {{ same('counted', 'wholes', ['decided_month', 'dimension']) }}

),

scored as (

    {% for test, parts in tested.items() -%}
        select
            decided_month,
            dimension,
            cohort,
            '{{ test }}' as test,
            {{ two_proportions_z(parts[0], parts[1], 'rest_' ~ parts[0], 'rest_' ~ parts[1]) }} as z
        from rated
        where cohort != 'Other'
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

tests as (

    select
        *,
        2 * {{ normal_tail('z') }} as p_value
    from scored

),

{{ holm_corrected('tests', family=['decided_month', 'dimension'], into='corrected') }}

verdicts as (

    select
        decided_month,
        dimension,
        cohort,
        {%- for test in tested %}
            max(case when test = '{{ test }}' then adjusted_p_value end) as {{ test }}_p_value,
        {%- endfor %}
        min(adjusted_p_value) < {{ var('cohort_alpha') }} as is_significant
    from corrected
    group by decided_month, dimension, cohort

),

ranked as (

    select
        decided_month,
        dimension,
        cohort,
        rank() over (partition by decided_month, dimension order by f1_score desc) as from_best,
        rank() over (partition by decided_month, dimension order by f1_score) as from_worst
    from rated
    where cohort != 'Other' and f1_score is not null

),

cohorts as (

    select
        rated.decided_month as period_start,
        rated.dimension,
        rated.word as value,
        {{ pseudonymize('rated.cohort_key', 'gold.fraud_cohorts') }} as value_hash,
        rated.transactions,
        rated.transactions >= {{ var('cohort_transactions') }} as meets_minimum,
        rated.decisions,
        {%- for count in counts %}
            rated.{{ count }},
        {%- endfor %}
        rated.labelled,
        rated.unlabelled,
        rated.precision_rate,
        rated.recall_rate,
        rated.f1_score,
        rated.precision_rate - rated.overall_precision as precision_delta,
        rated.recall_rate - rated.overall_recall as recall_delta,
        rated.f1_score - rated.overall_f1 as f1_delta,
        verdicts.precision_p_value,
        verdicts.recall_p_value,
        verdicts.is_significant,
        case
            when ranked.from_best = 1 and ranked.from_worst > 1 then 'best'
            when ranked.from_worst = 1 and ranked.from_best > 1 then 'worst'
        end as performer,
        rated.subjects,
        rated.updated_at
    from rated
    left join verdicts on {{ same('rated', 'verdicts', ['decided_month', 'dimension', 'cohort']) }}
    left join ranked on {{ same('rated', 'ranked', ['decided_month', 'dimension', 'cohort']) }}

)

select * from cohorts
