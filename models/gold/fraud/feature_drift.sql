{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'period_start',
        'below': 'int_fraud__published_decisions',
        'day_below': 'decided_on',
        'differ_by': 'labels',
        'reach': var('drift_reference').days + 6,
    }}
) }}

{%- set violations = {
    'feature_missing': 'is_required and missing > 0',
    'feature_unknown': 'not is_expected',
    'range_violation': 'range_violations > 0',
    'type_violation': 'type_violations > 0',
} %}

-- Labels of outcomes arrive later than decisions, so the days are those of the decisions.
with

published_features as (

    select * from {{ ref('int_fraud__published_features') }}
    where is_published and {{ is_renewed('decided_on') }}

),

published_decisions as (

    select * from {{ ref('int_fraud__published_decisions') }}
    where {{ is_renewed('decided_on') }}

),

delays as (

    select
        decided_on,
        subject_key,
        labelled_at,
        case when is_published then label_delay_hours end as delay__value
    from published_decisions

),

delay_percentiles as (

    {{ percentiles_by(
        'delays', ['decided_on'], [{'name': 'p95_hours', 'input': 'delay', 'fraction': 0.95}]
    ) }}

),

delay_days as (

    select
        decided_on,
        {{ shown_mean('delay__value', 'subject_key') }} as label_delay_hours,
        count(distinct case when delay__value is not null then subject_key end) as people,
        max(labelled_at) as updated_at
    from delays
    group by decided_on

),

told_words as (

    select distinct
        decided_on,
        feature,
        told_word
    from published_features
    where told_word is not null

),

listed as (

    select
        decided_on,
        feature,
        string_agg(told_word, ', ' order by told_word) as rare_values
    from told_words
    group by decided_on, feature

),

counted as (

    select
        decided_on,
        feature,
        count(*) as decisions,
        max(psi) as psi,
        max(kl_divergence) as kl_divergence,
        max(expected_least) as expected_least,
        max(expected_greatest) as expected_greatest,
        min(case when is_expected then 1 else 0 end) = 1 as is_expected,
        coalesce(max(case when is_required then 1 else 0 end) = 1, false) as is_required,
        min(case when has_reference then 1 else 0 end) = 1 as has_reference,
        case when min(null_level) = 1 then max(case when null_rate_spike then 1 else 0 end) = 1 end
            as null_rate_spike,
        {{ told_decisions('null', "state = 'missing'", 1) }} as missing,
        {{ told_decisions('schema', "state = 'wrong_type'", 1) }} as type_violations,
        {{ told_decisions('schema', "state = 'out_of_range'", 1) }} as range_violations,
        {{ told_decisions('unseen', "state = 'unseen'", 1) }} as unseen_decisions,
        case when min(unseen_level) = 1 then count(distinct unseen_word) end as rare_value_count,
        {{ shown_people('subject_key') }} as subjects
    from published_features
    group by decided_on, feature

),

judged as (

    select
        *,
        {{ ratio('missing', 'decisions') }} as null_rate,
        case
            when psi < 0.1 then 'none'
            when psi < 0.2 then 'low'
            when psi <= 0.25 then 'medium'
            when psi is not null then 'high'
        end as drift_severity,
        nullif(concat(
            {%- for code, condition in violations.items() %}
                case when {{ condition }} then '{{ code }} ' else '' end
                {{- ',' if not loop.last }}
            {%- endfor %}
        ), '') as codes
    from counted

),

days as (

    select
        judged.decided_on as period_start,
        judged.feature,
        judged.decisions,
        judged.null_rate,
        judged.psi,
        judged.kl_divergence,
        judged.drift_severity,
        listed.rare_values,
        judged.expected_least,
        judged.expected_greatest,
        judged.range_violations,
        judged.type_violations,
        delay_days.label_delay_hours,
        judged.subjects,
        delay_days.updated_at,
        case when judged.has_reference then judged.null_rate_spike end as null_rate_spike,
        case when judged.has_reference then judged.rare_value_count end as rare_value_count,
        case when judged.has_reference then judged.unseen_decisions end as unseen_decisions,
        judged.drift_severity != 'none' as drift_detected,
        case
            when judged.codes is not null then false
            when
                judged.type_violations is not null
                and (judged.missing is not null or not judged.is_required)
                then true
        end as schema_conformant,
        replace(trim(judged.codes, ' '), ' ', ', ') as schema_violations,
        case
            when delay_days.people >= {{ var('tail_subjects') }}
                then {{ rounded('delay_percentiles.p95_hours', 2) }}
        end
            as label_delay_p95_hours
    from judged
    inner join delay_days on judged.decided_on = delay_days.decided_on
    inner join delay_percentiles on judged.decided_on = delay_percentiles.decided_on
    left join listed on {{ same('judged', 'listed', ['decided_on', 'feature']) }}

)

select * from days
