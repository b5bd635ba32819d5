{{ config(materialized='table') }}

with

claims as (

    select * from {{ ref('int_claims__generalized_claims') }}
    where is_published

),

examples as (

    select
        {{ pseudonymize('claim_key', 'restricted.fraud_training_set') }} as example_id,
        claimed_month as claim_month,
        claim_type,
        amount_bucket as claim_amount_bucket,
        currency,
        region,
        hour_band as time_of_day,
        day_of_week,
        partner_fraud_rate_7d,
        partner_fraud_rate_30d,
        is_fraud,
        gen_level,
        {{ now_utc() }} as updated_at
    from claims

)

select * from examples
