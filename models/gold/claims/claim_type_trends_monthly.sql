{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'period_start',
        'below': 'int_claims__published_claims',
        'day_below': 'claimed_month',
        'differ_by': 'labels',
        'reach': 'years',
    }}
) }}

{%- set keys = ['claimed_month', 'claim_type', 'region'] %}

with

claims as (

    select *
    from {{ ref('int_claims__published_claims') }}
    where
        is_published
        and {{ is_renewed('claimed_month') }}

),

counted as (

    select
        claimed_month as period_start,
        claim_type,
        region,
        {{ claim_measures(keys) }}
    from claims
    group by {{ keys | join(', ') }}

),

-- Gold remembers more years than silver.
known as (

    select
        period_start,
        claim_type,
        region,
        claims
    from counted
    {%- if is_incremental() %}
        union all
        select
            period_start,
            claim_type,
            region,
            claims
        from {{ this }}
        where not ({{ is_out_of_date() }})
    {%- endif %}

),

seasons as (

    select
        counted.period_start,
        counted.claim_type,
        counted.region,
        avg(cast(known.claims as float64)) as usual_claims
    from counted
    inner join known
        on
            {{ same('counted', 'known', ['claim_type', 'region']) }}
            and extract(month from counted.period_start) = extract(month from known.period_start)
            and counted.period_start > known.period_start
    where counted.claim_type != 'Other' and counted.region != 'Other'
    group by counted.period_start, counted.claim_type, counted.region

),

months as (

    select
        counted.period_start,
        counted.claim_type,
        counted.region,
        counted.claims,
        counted.confirmed_fraud,
        {{ ratio('counted.confirmed_fraud', 'counted.claims') }} as fraud_rate,
        {{ ratio('counted.claims', 'seasons.usual_claims') }} as seasonal_index,
        counted.subjects,
        counted.updated_at
    from counted
    left join seasons
        on {{ same('counted', 'seasons', ['period_start', 'claim_type', 'region']) }}

)

select * from months
