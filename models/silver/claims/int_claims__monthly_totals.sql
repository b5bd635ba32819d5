{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'period_start',
        'below': 'int_claims__published_claims',
        'day_below': 'claimed_month',
        'differ_by': 'labels',
    }}
) }}

{%- set of_month = ['claimed_month'] %}
{%- set of_bucket = ['claimed_month', 'amount_bucket'] %}

-- Kept as long as gold, which claims are not.
with

claims as (

    select * from {{ ref('int_claims__published_claims') }}
    where is_published and {{ is_renewed('claimed_month') }}

),

buckets as (

    select * from {{ ref('amount_buckets') }}
    where bucket_set = 'claim_amount'

),

currencies as (

    select
        claimed_month,
        currency,
        count(*) as claims,
        {{ shown_people('subject_key') }} as subjects,
        max(labelled_at) as updated_at
    from claims
    group by claimed_month, currency

),

outcomes as (

    select
        claimed_month,
        {{ told_part('suspicion', 'is_flagged', of_month) }} as flagged_claims,
        {{ told_part('suspicion', 'is_fraud', of_month) }} as confirmed_fraud
    from claims
    group by claimed_month

),

stopped as (

    select
        claimed_month,
        amount_bucket,
        {{ told_part('suspicion', 'is_flagged and is_fraud', of_bucket, 'errors') }}
            as stopped_claims
    from claims
    group by claimed_month, amount_bucket

),

-- A claim is worth at least what its bucket begins with.
prevented as (

    select
        stopped.claimed_month,
        sum(stopped.stopped_claims * coalesce(buckets.lower_incl, 0)) as losses_prevented
    from stopped
    left join buckets on stopped.amount_bucket = buckets.label
    group by stopped.claimed_month

),

-- What became of claims is told of the month as a whole, so of one in one currency.
months as (

    select
        currencies.claimed_month as period_start,
        currencies.currency,
        currencies.claims,
        outcomes.flagged_claims,
        outcomes.confirmed_fraud,
        prevented.losses_prevented,
        currencies.subjects,
        currencies.updated_at,
        count(*) over (partition by currencies.claimed_month) = 1
        and currencies.currency not in ('Other', 'unknown') as is_whole
    from currencies
    inner join outcomes on currencies.claimed_month = outcomes.claimed_month
    inner join prevented on currencies.claimed_month = prevented.claimed_month

),

totals as (

    select
        period_start,
        currency,
        claims,
        subjects,
        updated_at,
        case when is_whole then flagged_claims end as flagged_claims,
        case when is_whole then confirmed_fraud end as confirmed_fraud,
        case when is_whole then cast(losses_prevented as int64) end as losses_prevented
    from months

)

select * from totals
