{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'period_start',
        'below': 'int_claims__published_claims',
        'day_below': 'claimed_on',
        'differ_by': 'labels',
        'reach': 'week',
    }}
) }}

with

claims as (

    select *
    from {{ ref('int_claims__published_claims') }}
    where
        is_published
        and told_period = 'day'
        and {{ is_renewed('claimed_on') }}

),

counted as (

    select
        claimed_on,
        partner_id,
        {{ claim_measures(['claimed_on', 'partner_id']) }}
    from claims
    group by claimed_on, partner_id

),

days as (

    select
        claimed_on as period_start,
        {{ partner_id_hash('partner_id') }} as partner_id_hash,
        claims,
        confirmed_fraud,
        subjects,
        updated_at
    from counted

),

known as (

    select
        period_start,
        partner_id_hash,
        claims,
        confirmed_fraud
    from days
    {%- if is_incremental() %}
        union all
        select
            period_start,
            partner_id_hash,
            claims,
            confirmed_fraud
        from {{ this }}
        where not ({{ is_out_of_date() }})
    {%- endif %}

),

windows as (

    select
        days.period_start,
        days.partner_id_hash,
        cast(sum(known.claims) as int64) as claims_7d,
        case
            when count(known.confirmed_fraud) = count(*)
                then cast(sum(known.confirmed_fraud) as int64)
        end as confirmed_fraud_7d
    from days
    inner join known
        on
            days.partner_id_hash = known.partner_id_hash
            and {{ date_distance('known.period_start', 'days.period_start', 'day') }}
            between 0 and 6
    group by days.period_start, days.partner_id_hash

),

features as (

    select
        days.period_start,
        days.partner_id_hash,
        days.claims,
        days.confirmed_fraud,
        windows.claims_7d,
        windows.confirmed_fraud_7d,
        {{ ratio('windows.confirmed_fraud_7d', 'windows.claims_7d') }} as partner_fraud_rate_7d,
        days.subjects,
        days.updated_at
    from days
    inner join windows on {{ same('days', 'windows', ['period_start', 'partner_id_hash']) }}

)

select * from features
