{%- set reference = var('drift_reference') -%}
{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'decided_on',
        'below': 'int_fraud__features',
        'day_below': 'decided_on',
        'differ_by': 'labels',
        'reach': reference.days + 6,
    }}
) }}

{%- set told = renewed_days() if is_incremental() else none -%}
{%- set back = modules.datetime.timedelta(days=reference.days + 6) %}

-- A day is held against the weeks before its own, so these are read with it.
with

features as (

    select * from {{ ref('int_fraud__features') }}
    {%- if told %}
        where decided_on between date '{{ told | min - back }}' and date '{{ told | max }}'
    {%- elif told is not none %}
        where false
    {%- endif %}

),

expected as (

    select * from {{ ref('fraud_features') }}

),

decided as (

    select * from features
    where feature = 'none'

),

day_sizes as (

    select
        decided_on,
        {{ iso_week('decided_on') }} as week_start,
        count(*) as decisions,
        count(distinct subject_key) as people,
        {{ is_large_enough('subject_key', var('k')) }} as is_large,
        max(labelled_at) as updated_at
    from decided
    group by decided_on

),

days as (

    select
        *,
        {{ is_renewed('decided_on') }} as is_told
    from day_sizes

),

sent as (

    select
        event_id,
        decided_on,
        feature,
        kind,
        number_value,
        subject_key,
        case
            when kind = 'word' then word
            when kind != 'number' then '(' || kind || ')'
        end as word
    from features
    where kind != 'null'

),

{{ feature_shifts('days', 'sent', 'expected') }}

-- Each decision of a told day with each feature that is known then, sent or not.
described as (

    select
        decided.event_id,
        decided.batch_id,
        decided.decided_on,
        decided.subject_key,
        shifts.week_start,
        shifts.feature,
        sent.kind,
        sent.word,
        sent.number_value,
        expected.type as expected_type,
        expected.least as expected_least,
        expected.greatest as expected_greatest,
        expected.is_required,
        shifts.least,
        shifts.greatest,
        shifts.reference_people,
        expected.feature is not null as is_expected,
        shifts.has_reference and shifts.reference_people > 0 as has_reference_values
    from decided
    inner join shifts on decided.decided_on = shifts.decided_on
    left join sent
        on decided.event_id = sent.event_id and shifts.feature = sent.feature
    left join expected on shifts.feature = expected.feature

),

stated as (

    select
        described.*,
        case
            when described.kind is null then 'missing'
            when
                described.kind = 'structure'
                or (described.expected_type = 'number' and described.kind != 'number')
                or (described.expected_type = 'word' and described.kind = 'number')
                then 'wrong_type'
            when
                described.number_value < described.expected_least
                or described.number_value > described.expected_greatest
                then 'out_of_range'
            when
                described.has_reference_values
                and (
                    (described.word is not null and reference_words.word is null)
                    or described.number_value < described.least
                    or described.number_value > described.greatest
                )
                then 'unseen'
            else 'expected'
        end as state
    from described
    left join reference_words
        on {{ same('described', 'reference_words', ['week_start', 'feature', 'word']) }}

),

cells as (

    select
        decided_on,
        feature,
        count(distinct case when kind is not null then subject_key end) as carriers
    from stated
    group by decided_on, feature

),

-- A name that fewer than k people brought, and nobody expects, is told nowhere.
named as (

    select
        stated.*,
        days.updated_at,
        days.people,
        days.is_large
        and (
            stated.is_expected
            or cells.carriers >= {{ var('k') }}
            or stated.reference_people >= {{ var('k') }}
        ) as is_published
    from stated
    inner join cells on {{ same('stated', 'cells', ['decided_on', 'feature']) }}
    inner join days on stated.decided_on = days.decided_on

),

{{ told_outcomes('named', feature_outcomes(), 'subject_key', into='judged') }}

unseen_words as (

    select
        decided_on,
        feature,
        word,
        {{ is_large_enough('subject_key', var('k')) }} as is_told
    from judged
    where is_published and state = 'unseen' and kind = 'word'
    group by decided_on, feature, word

),

published as (

    select
        judged.event_id,
        judged.batch_id,
        judged.decided_on,
        judged.feature,
        judged.is_published,
        judged.null_level,
        judged.schema_level,
        judged.unseen_level,
        judged.subject_key,
        judged.state,
        judged.is_expected,
        judged.is_required,
        judged.expected_least,
        judged.expected_greatest,
        shifts.has_reference,
        shifts.null_rate_spike,
        judged.updated_at,
        case when judged.state = 'unseen' and judged.kind = 'word' then judged.word end
            as unseen_word,
        case when unseen_words.is_told then judged.word end as told_word,
        {%- for distance in ['psi', 'kl_divergence'] %}
            case
                when
                    judged.null_level = 1
                    and judged.people >= {{ var('tail_subjects') }}
                    and (
                        judged.reference_people = 0
                        or judged.reference_people >= {{ var('tail_subjects') }}
                    )
                    then {{ rounded('shifts.' ~ distance, 4) }}
            end as {{ distance }},
        {%- endfor %}
        {{ now_utc() }} as labelled_at
    from judged
    inner join shifts on {{ same('judged', 'shifts', ['decided_on', 'feature']) }}
    left join unseen_words
        on
            {{ same('judged', 'unseen_words', ['decided_on', 'feature', 'word']) }}
            and judged.state = 'unseen'

)

select * from published
