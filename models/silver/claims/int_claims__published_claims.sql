{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'claimed_month',
        'below': 'int_claims__claims',
        'day_below': month_start(utc_day('occurred_at')),
        'differ_by': 'batches',
    }}
) }}

-- A month is renewed as a whole, since what its days and weeks do not tell is told of it. Partners
-- come after regions: the few of a partner's small regions join those of other partners there. What
-- became of the claims is told by these labels as well, coarsest first.
with

claims as (

    select * from {{ ref('int_claims__claims') }}
    where {{ is_renewed(month_start(utc_day('occurred_at'))) }}

),

buckets as (

    select * from {{ ref('amount_buckets') }}

),

described as (

    select
        claims.claim_key,
        claims.batch_id,
        claims.partner_id,
        claims.claim_type,
        claims.currency,
        claims.subject_key,
        claims.is_verified,
        claims.is_flagged,
        claims.is_fraud,
        claims.fraud_score,
        claims.proofs,
        claims.processing_time_ms,
        claims.amount_minor,
        {{ utc_day('claims.occurred_at') }} as claimed_on,
        {{ iso_week(utc_day('claims.occurred_at')) }} as claimed_week,
        greatest(
            {{ iso_week(utc_day('claims.occurred_at')) }},
            {{ month_start(utc_day('claims.occurred_at')) }}
        ) as part_of_week,
        {{ month_start(utc_day('claims.occurred_at')) }} as claimed_month,
        case
            when claims.country is null then coalesce(claims.state, 'unknown')
            else {{ generalize_location('state', 'claims.country', 'claims.state') }}
        end as region,
        buckets.label as amount_bucket,
        case
            when extract(hour from claims.occurred_at) < 6 then 'night'
            when extract(hour from claims.occurred_at) < 12 then 'morning'
            when extract(hour from claims.occurred_at) < 18 then 'afternoon'
            else 'evening'
        end as hour_band
    from claims
    inner join buckets on {{ bucket('claims.claim_amount', 'buckets', 'claim_amount') }}

),

{{ told_periods(
    relation='described',
    subject='subject_key',
    periods={'day': 'claimed_on', 'week': 'part_of_week', 'month': 'claimed_month'},
    keys=['partner_id', 'claim_type', 'region']
) }}

{{ published_blocks(
    relation='placed',
    subject='subject_key',
    keys=['told_period', 'told_start'],
    labels=['claim_type', 'region', 'partner_id', 'amount_bucket', 'currency', 'hour_band']
) }}

named as (

    select
        claim_key,
        batch_id,
        claimed_on,
        claimed_week,
        claimed_month,
        told_period,
        told_start,
        published_partner_id as partner_id,
        published_claim_type as claim_type,
        published_region as region,
        published_amount_bucket as amount_bucket,
        published_currency as currency,
        published_hour_band as hour_band,
        is_published,
        subject_key,
        is_verified,
        is_flagged,
        is_fraud,
        fraud_score,
        proofs,
        processing_time_ms,
        amount_minor
    from blocks

),

{{ told_outcomes('named', claim_outcomes(), 'subject_key', into='judged') }}

published as (

    select
        claim_key,
        batch_id,
        claimed_on,
        claimed_week,
        claimed_month,
        told_period,
        told_start,
        partner_id,
        claim_type,
        region,
        amount_bucket,
        currency,
        hour_band,
        is_published,
        verified_level,
        suspicion_level,
        errors_level,
        subject_key,
        is_verified,
        is_flagged,
        is_fraud,
        fraud_score,
        proofs,
        processing_time_ms,
        amount_minor,
        {{ now_utc() }} as labelled_at
    from judged

)

select * from published
