{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'period_start',
        'below': 'int_claims__published_claims',
        'day_below': 'claimed_week',
        'differ_by': 'labels',
    }}
) }}

{%- set keys = ['claimed_week', 'partner_id', 'claim_type', 'amount_bucket', 'region'] %}

with

claims as (

    select *
    from {{ ref('int_claims__published_claims') }}
    where
        is_published
        and told_period in ('day', 'week')
        and {{ is_renewed('claimed_week') }}

),

partners as (

    select * from {{ ref('partners') }}

),

counted as (

    select
        {{ keys | join(', ') }},
        {{ claim_measures(keys) }},
        cast(sum(proofs) as int64) as proofs
    from claims
    group by {{ keys | join(', ') }}

),

weeks as (

    select
        counted.claimed_week as period_start,
        {{ partner_id_hash('counted.partner_id') }} as partner_id_hash,
        coalesce(partners.industry, 'unknown') as industry,
        counted.claim_type,
        counted.amount_bucket,
        counted.region,
        counted.claims,
        counted.proofs,
        counted.flagged_claims,
        counted.confirmed_fraud,
        {{ ratio('counted.confirmed_fraud', 'counted.claims') }} as fraud_rate,
        {{ ratio(
            'counted.flagged_claims',
            'sum(counted.flagged_claims) over (partition by counted.claimed_week, counted.partner_id)'
        ) }} as share_of_flagged,
        case
            when counted.confirmed_fraud is not null
                then rank() over (
                    partition by
                        counted.claimed_week,
                        counted.partner_id,
                        counted.confirmed_fraud is null
                    order by counted.confirmed_fraud desc, counted.flagged_claims desc
                )
        end as rank,
        counted.subjects,
        counted.updated_at
    from counted
    left join partners on counted.partner_id = partners.partner_id

)

select * from weeks
