{{ config(materialized='table') }}

{%- set events = {
    'claim_submitted': 'is_submitted',
    'claim_verified': 'is_decided',
    'fraud_detected': 'is_flagged',
    'proof_generated': 'is_proven',
} %}

-- No event has a day of its own: when a claim was decided would tell it from those of its class.
with

claims as (

    select * from {{ ref('int_claims__generalized_claims') }}
    where is_published

),

happened as (

    {%- for event_type, has_happened in events.items() %}
        select
            *,
            '{{ event_type }}' as event_type
        from claims
        where {{ has_happened }}
        {{ 'union all' if not loop.last }}
    {%- endfor %}

),

claim_events as (

    select
        {{ pseudonymize('claim_key', 'restricted.claim_events') }} as claim_id_hash,
        {{ partner_id_hash('partner_id', 'restricted.claim_events.partner_id') }}
            as partner_id_hash,
        event_type,
        told_period as claim_period,
        told_start as claim_date,
        claim_type,
        amount_bucket as claim_amount_bucket,
        currency,
        region,
        hour_band as time_of_day,
        day_of_week,
        age_band,
        gen_level,
        score_band as claim_fraud_score,
        processing_band as processing_time,
        case when event_type = 'claim_verified' then result end as verification_result,
        {{ now_utc() }} as updated_at
    from happened

)

select * from claim_events
