{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'date',
        'below': 'int_claims__published_claims',
        'day_below': 'claimed_on',
        'differ_by': 'labels',
    }}
) }}

{%- set keys = ['claimed_on', 'partner_id', 'claim_type', 'region'] %}

with

claims as (

    select *
    from {{ ref('int_claims__published_claims') }}
    where
        is_published
        and told_period = 'day'
        and {{ is_renewed('claimed_on') }}

),

timed as (

    select
        *,
        {{ percentile('processing_time_ms', 0.5, keys) }} as p50,
        {{ percentile('processing_time_ms', 0.99, keys) }} as p99
    from claims

),

counted as (

    select
        {{ keys | join(', ') }},
        {{ claim_measures(keys) }},
        {{ told_part('verified', 'is_verified', keys) }} as verified_claims,
        {{ rounded(shown_mean('fraud_score', 'subject_key'), 6) }} as avg_fraud_score,
        count(distinct case when processing_time_ms is not null then subject_key end)
            as timed_people,
        any_value(p50) as p50,
        any_value(p99) as p99
    from timed
    group by {{ keys | join(', ') }}

),

days as (

    select
        claimed_on as date,
        {{ partner_id_hash('partner_id') }} as partner_id_hash,
        claim_type,
        region,
        claims as total_claims,
        verified_claims as total_verified,
        flagged_claims as total_flagged,
        avg_fraud_score,
        case when timed_people >= {{ var('k') }} then {{ whole_ms('p50') }} end
            as p50_processing_time_ms,
        case when timed_people >= {{ var('tail_subjects') }} then {{ whole_ms('p99') }} end
            as p99_processing_time_ms,
        updated_at
    from counted

)

select * from days
