{{ config(materialized='table') }}

{#- A block of published claims; whatever is told here is told within one. -#}
{%- set block = [
    'told_period', 'told_start', 'partner_id', 'claim_type', 'region', 'amount_bucket', 'currency',
    'hour_band'
] -%}
{%- set class = block + ['day_of_week', 'age_band', 'gen_level'] -%}
{%- set days_since_monday = date_distance(
    'published_claims.claimed_week', 'published_claims.claimed_on', 'day'
) -%}
{%- set harms = {'flagged': 'is_flagged', 'fraud': 'is_fraud', 'rejected': "result = 'rejected'"} %}

-- Classes are parts of published blocks, so that no mart of claims can be subtracted from another.
with

published_claims as (

    select * from {{ ref('int_claims__published_claims') }}
    where is_published

),

claims as (

    select * from {{ ref('int_claims__claims') }}

),

rates as (

    select * from {{ ref('int_claims__partner_rates') }}

),

buckets as (

    select * from {{ ref('amount_buckets') }}

),

described as (

    select
        {%- for column in block %}
            published_claims.{{ column }},
        {%- endfor %}
        published_claims.claim_key,
        published_claims.batch_id,
        published_claims.subject_key,
        published_claims.claimed_on,
        published_claims.claimed_month,
        published_claims.is_flagged,
        published_claims.is_fraud,
        claims.age_band,
        spans.label as age_span,
        scores.label as score_band,
        times.label as processing_band,
        'any' as any_age,
        claims.submitted_at is not null as is_submitted,
        claims.verified_at is not null as is_decided,
        published_claims.proofs > 0 as is_proven,
        case
            when claims.verification_result in ('verified', 'rejected')
                then claims.verification_result
            when claims.verification_result is not null then 'other'
        end as result,
        case {{ days_since_monday }}
            when 0 then 'monday'
            when 1 then 'tuesday'
            when 2 then 'wednesday'
            when 3 then 'thursday'
            when 4 then 'friday'
            when 5 then 'saturday'
            else 'sunday'
        end as day_of_week
    from published_claims
    inner join claims on published_claims.claim_key = claims.claim_key
    inner join buckets as ages
        on claims.age_band = ages.label and ages.bucket_set = 'age'
    inner join buckets as spans
        on {{ bucket('coalesce(ages.lower_incl, ages.upper_excl - 1)', 'spans', 'age_span') }}
    inner join buckets as scores
        on {{ bucket('published_claims.fraud_score', 'scores', 'fraud_score') }}
    inner join buckets as times
        on {{ bucket('published_claims.processing_time_ms', 'times', 'processing_ms') }}

),

-- The date of a day tells its weekday anyway.
with_weekdays as (

    select
        *,
        case
            when told_period = 'day' then day_of_week
            when day_of_week in ('saturday', 'sunday') then 'weekend'
            else 'working day'
        end as part_of_week
    from described

),

{{ k_generalize(
    relation='with_weekdays',
    subject='subject_key',
    keys=block,
    levels=[
        ['day_of_week', 'age_band'],
        ['part_of_week', 'age_band'],
        ['part_of_week', 'age_span'],
        ['part_of_week', 'any_age'],
    ],
    labels=['day_of_week', 'age_band']
) }}

told as (

    select
        {%- for column in block %}
            {{ column }},
        {%- endfor %}
        claim_key,
        batch_id,
        subject_key,
        claimed_month,
        published_age_band as age_band,
        gen_level,
        score_band,
        processing_band,
        is_submitted,
        is_decided,
        is_flagged,
        is_proven,
        is_fraud,
        result,
        case when told_period = 'day' then day_of_week else published_day_of_week end
            as day_of_week
    from classes

),

-- People of a class, and how many of them are alike.
counted as (

    select
        *,
        count(distinct subject_key) over of_class as people,
        {%- for name, is_so in harms.items() %}
            count(distinct case when {{ is_so }} then subject_key end) over of_class
                as {{ name }}_people,
        {%- endfor %}
        count(distinct nullif(score_band, 'unknown')) over of_class as score_bands,
        case
            when score_band != 'unknown'
                then count(distinct subject_key) over (
                    partition by {{ class | join(', ') }}, score_band
                )
        end as people_of_score
    from told
    window of_class as (partition by {{ class | join(', ') }})

),

judged as (

    select
        *,
        100 * greatest(flagged_people, fraud_people, rejected_people)
        <= {{ var('alike_percent') }} * people as is_published,
        score_bands >= 2
        and 100 * max(people_of_score) over (partition by {{ class | join(', ') }})
        <= {{ var('alike_percent') }} * people as has_score
    from counted

),

generalized as (

    select
        judged.claim_key,
        judged.batch_id,
        judged.subject_key,
        judged.claimed_month,
        {%- for column in class %}
            judged.{{ column }},
        {%- endfor %}
        judged.is_published,
        judged.processing_band,
        judged.is_submitted,
        judged.is_decided,
        judged.is_flagged,
        judged.is_proven,
        judged.is_fraud,
        judged.result,
        rates_7d.label as partner_fraud_rate_7d,
        rates_30d.label as partner_fraud_rate_30d,
        case when judged.has_score then judged.score_band end as score_band
    from judged
    left join rates
        on judged.partner_id = rates.partner_id and judged.told_start = rates.known_from
    {%- for days in ['7d', '30d'] %}
        inner join buckets as rates_{{ days }}
            on {{ bucket(
                'case when rates.subjects_%s >= %s then 100 * rates.frauds_%s / rates.claims_%s end' % (
                    days, var('k'), days, days
                ),
                'rates_' ~ days,
                'fraud_percent'
            ) }}
    {%- endfor %}

)

select * from generalized
